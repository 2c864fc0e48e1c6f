package keepalived

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// definition is what $NAME stands for: text, or several lines, or what value makes of its parameters.
type definition struct {
	lines   []text
	several bool
	value   func(r *reader, at Place, params []string) string
}

// frame is a definition of several lines that is being read.
type frame struct {
	lines []text
	next  int
	base  int // sequences that were running when it began
	via   []Place
}

// add gives the next line of a definition, and reports whether there are more to come.
func (d *definition) add(l text) (more bool) {
	s, more := strings.CutSuffix(l.s, `\`)
	if s = strings.TrimSpace(s); s != "" {
		d.lines = append(d.lines, text{s, Place{File: l.at.File, Line: l.at.Line}})
	}
	return more
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// name cuts the name of a definition off the beginning of s.
func cutName(s string) (name, rest string) {
	i := 0
	for i < len(s) && (letter(s[i]) || i > 0 && digit(s[i])) {
		i++
	}
	return s[:i], s[i:]
}

// define reads $NAME=VALUE; nil when the line is none.
func (r *reader) define(l text) *definition {
	name, value := cutName(l.s[1:])
	if name == "" || !strings.HasPrefix(value, "=") {
		return nil
	}
	if len(r.defs) >= maxDefined && r.defs[name] == nil {
		r.find(l.at, Mistake, l.s, fmt.Sprintf("there are more than %d definitions", maxDefined), "use fewer")
		return &definition{}
	}
	d := &definition{}
	r.defs[name] = d
	value = strings.TrimLeft(value[1:], " \t")
	if d.several = strings.HasSuffix(value, `\`); d.several {
		d.add(text{value, l.at})
	} else {
		d.lines = []text{{value, l.at}}
	}
	return d
}

// set gives a variable of a sequence its value.
func (r *reader) set(name, value string, at Place) {
	r.defs[name] = &definition{lines: []text{{value, at}}}
}

// use is one place in a line where a definition is used.
type use struct {
	name   string
	params []string
	braces bool
	end    int // behind it
}

// usedAt reads what may be the use of a definition behind the $ at i.
func usedAt(s string, i int) (u use, ok bool) {
	rest := s[i+1:]
	rest, u.braces = strings.CutPrefix(rest, "{")
	u.name, rest = cutName(rest)
	if u.name == "" {
		return u, false
	}
	if !u.braces {
		u.end = len(s) - len(rest)
		return u, rest == "" || strings.ContainsRune(" \t,)", rune(rest[0]))
	}
	inside, _, closed := strings.Cut(rest, "}")
	if !closed || strings.ContainsFunc(inside, func(c rune) bool { return c != ' ' && c != '\t' && (c > 127 || !letter(byte(c)) && !digit(byte(c))) }) {
		return u, false
	}
	if inside != "" && (strings.TrimSpace(inside) == "" || inside != strings.TrimRight(inside, " \t")) {
		return u, false
	}
	u.params = strings.Fields(inside)
	u.end = len(s) - len(rest) + len(inside) + 1
	return u, true
}

// replace puts the values of definitions in their places; those in the values are replaced in turn.
func (r *reader) replace(l *text) (changed bool, err error) {
	at, n := 0, 0
	for {
		i := strings.IndexByte(l.s[at:], '$')
		if i < 0 {
			return changed, nil
		}
		at += i
		u, ok := usedAt(l.s, at)
		d := r.defs[u.name]
		if !ok || d == nil || d.several && u.end != len(l.s) || len(u.params) > 0 && d.value == nil {
			at++
			continue
		}
		if n++; n > maxReplaced {
			return changed, &limitError{l.at, fmt.Sprintf("%d definitions are replaced in the line, $%s among them, and it does not end", n-1, u.name), "look for a definition that refers to itself"}
		}
		value := ""
		if d.value != nil {
			value = d.value(r, l.at, u.params)
		} else if len(d.lines) > 0 {
			value = d.lines[0].s
		}
		if d.several && len(d.lines) > 1 {
			if len(r.frames) >= maxNested {
				return changed, &limitError{l.at, fmt.Sprintf("definitions of several lines are in one another %d times, $%s among them", maxNested, u.name), "look for a definition that refers to itself"}
			}
			r.frames = append(r.frames, &frame{lines: d.lines, next: 1, base: len(r.turns), via: append([]Place{{File: l.at.File, Line: l.at.Line}}, l.at.Via...)})
		}
		l.s = l.s[:at] + value + l.s[u.end:]
		changed = true
		if r.bytes += len(l.s); len(l.s) > maxLine || r.bytes > maxBytes {
			return changed, r.tooLong(l.at)
		}
		if strings.HasPrefix(strings.TrimLeft(value, " \t"), "~") {
			return changed, nil // its variables are to be replaced in each turn
		}
	}
}

// predefined are the definitions that keepalived has by itself.
func predefined() map[string]*definition {
	fixed := func(s string) *definition { return &definition{lines: []text{{s: s}}} }
	of := func(f func(*reader, Place, []string) string) *definition { return &definition{value: f} }
	return map[string]*definition{
		"_HASH": fixed("#"), "_BANG": fixed("!"),
		"_PWD": of(func(r *reader, at Place, _ []string) string {
			if len(r.open) == 0 {
				return "/"
			}
			return "/" + strings.TrimPrefix(path.Dir(r.open[len(r.open)-1].name), ".")
		}),
		"_INSTANCE": of(func(r *reader, at Place, _ []string) string { return r.id }),
		"_RANDOM": of(func(r *reader, at Place, params []string) string {
			low := 0
			if len(params) > 0 {
				low, _ = strconv.Atoi(params[0])
			}
			r.find(at, Changed, "${_RANDOM}", fmt.Sprintf("keepalived takes another number each time that it starts; %d was taken here", low), "write a number")
			return strconv.Itoa(low)
		}),
		"_ENV": of(func(r *reader, at Place, params []string) string {
			name := strings.Join(params, " ")
			if r.env != nil {
				if v, ok := r.env(name); ok && !strings.ContainsAny(v, "\x00\n\r") && len(v) <= longLine {
					return v
				}
			}
			r.find(at, Unsupported, "${_ENV "+name+"}", "the value is in the environment of the daemon, and not known here; nothing was put in its place", "write the value into the file, then import it again")
			return ""
		}),
	}
}
