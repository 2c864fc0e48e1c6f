package keepalived

import (
	"strconv"
	"strings"
)

// sequence is a line that is read several times, with other values of its variables each time.
type sequence struct {
	vars []string
	rest string
	at   Place

	sets [][]string // of ~LST, those to come
	// of ~SEQ
	next, by, last int64
	hex            bool
}

// step gives the variables their next values and reports whether there are more to come.
func (q *sequence) step(r *reader) bool {
	if q.by == 0 {
		for i, v := range q.vars {
			r.set(v, q.sets[0][i], q.at)
		}
		q.sets = q.sets[1:]
		return len(q.sets) > 0
	}
	base := 10
	if q.hex {
		base = 16
	}
	r.set(q.vars[0], strconv.FormatInt(q.next, base), q.at)
	q.next += q.by
	return q.by > 0 && q.next <= q.last || q.by < 0 && q.next >= q.last
}

// sequence begins the one that a line starts with.
func (r *reader) sequence(l text) error {
	if len(r.turns) >= maxNested {
		return &limitError{l.at, "there are too many sequences in one another", "use fewer"}
	}
	parse, kind := parseList, "~LST"
	if strings.HasPrefix(l.s, "~SEQ") {
		parse, kind = r.parseSequence, "~SEQ"
	}
	q, wrong := parse(l)
	if wrong != "" {
		r.find(l.at, Mistake, l.s, "keepalived does not understand this "+kind+", and leaves the line out: "+wrong, "write it like ~SEQ(VAR, 1, 9) or ~LST(VAR, a, b)")
		return nil
	}
	q.at = l.at
	r.turns = append(r.turns, q)
	return nil
}

const maxNumber = 1 << 40 // of a sequence; so that no step overflows

// parseSequence reads ~SEQ(VAR, [START, [STEP,]] END) and ~SEQx.
func (r *reader) parseSequence(l text) (*sequence, string) {
	s, hex := strings.CutPrefix(l.s[len("~SEQ"):], "x")
	inside, ok := strings.CutPrefix(strings.TrimLeft(s, " \t"), "(")
	if !ok {
		return nil, "the parenthesis is missing"
	}
	inside, rest, ok := strings.Cut(inside, ")")
	if !ok {
		return nil, "the parenthesis is not closed"
	}
	name, numbers, ok := strings.Cut(inside, ",")
	if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t{") {
		return nil, "it wants a variable, and a number"
	}
	n := text{numbers, l.at}
	if _, err := r.replace(&n); err != nil {
		return nil, err.Error()
	}
	var values []int64
	for f := range strings.SplitSeq(n.s, ",") {
		v, err := strconv.ParseInt(strings.TrimSpace(f), 0, 64)
		if err != nil || v > maxNumber || v < -maxNumber {
			return nil, strconv.Quote(shown(strings.TrimSpace(f), 40)) + " is no number"
		}
		values = append(values, v)
	}
	q := &sequence{vars: []string{name}, rest: strings.TrimLeft(rest, " \t"), hex: hex}
	switch len(values) {
	case 1:
		q.next, q.by, q.last = 1, 1, values[0]
		if q.last < 0 {
			q.next = -1
		}
		if q.last < 1 {
			q.by = -1
		}
	case 2:
		q.next, q.by, q.last = values[0], 1, values[1]
		if q.last < q.next {
			q.by = -1
		}
	case 3:
		q.next, q.by, q.last = values[0], values[1], values[2]
	default:
		return nil, "it has more than three numbers"
	}
	switch {
	case q.by == 0, q.next < q.last && q.by < 0, q.next > q.last && q.by > 0:
		return nil, "its step never leads to the end"
	case hex && (q.next < 0 || q.last < 0):
		return nil, "~SEQx has no negative numbers"
	}
	return q, ""
}

// parseList reads ~LST(VAR, a, b) and ~LST({VAR, VAR}, {a, b}, {c, d}).
func parseList(l text) (*sequence, string) {
	s, ok := strings.CutPrefix(strings.TrimLeft(l.s[len("~LST"):], " \t"), "(")
	if !ok {
		return nil, "the parenthesis is missing"
	}
	q := &sequence{}
	for first := true; ; first = false {
		set, rest, ok := cutSet(s)
		if !ok {
			return nil, "its brackets are not closed"
		}
		if first {
			q.vars = set
		} else {
			if len(set) > len(q.vars) {
				return nil, "it has more values than variables"
			}
			for len(set) < len(q.vars) {
				set = append(set, "")
			}
			q.sets = append(q.sets, set)
		}
		if s, ok = strings.CutPrefix(rest, ","); ok {
			continue
		}
		if s, ok = strings.CutPrefix(rest, ")"); !ok {
			return nil, "a comma is missing"
		}
		break
	}
	if len(q.sets) == 0 {
		return nil, "it has no values"
	}
	for _, v := range q.vars {
		if name, rest := cutName(v); name == "" || rest != "" {
			return nil, strconv.Quote(shown(v, 40)) + " is no name of a variable"
		}
	}
	q.rest = strings.TrimLeft(s, " \t")
	return q, ""
}

// cutSet cuts {a, b} or a single value off the beginning of s, with the blanks around it.
func cutSet(s string) (set []string, rest string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	if s, ok = strings.CutPrefix(s, "{"); ok {
		inside, rest, ok := strings.Cut(s, "}")
		for f := range strings.SplitSeq(inside, ",") {
			set = append(set, strings.TrimSpace(f))
		}
		return set, strings.TrimLeft(rest, " \t"), ok
	}
	i := strings.IndexAny(s, ",)")
	if i < 0 {
		return nil, "", false
	}
	return []string{strings.TrimSpace(s[:i])}, s[i:], true
}
