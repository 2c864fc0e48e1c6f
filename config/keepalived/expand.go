package keepalived

import "strings"

// expand does what lines that begin with @, $ or ~ say, and replaces definitions. It gives "" when nothing is left to parse.
func (r *reader) expand(l text) (string, *definition, error) {
	for range maxNested {
		switch s := l.s; {
		case s == "":
			return "", nil, nil
		case s[0] == '@':
			rest, meant := r.conditional(l)
			if !meant {
				return "", nil, nil
			}
			l.s = rest
			continue
		case s[0] == '$':
			if d := r.define(l); d != nil {
				if d.several {
					return "", d, nil
				}
				return "", nil, nil
			}
		case strings.HasPrefix(s, "~SEQ"), strings.HasPrefix(s, "~LST"):
			return "", nil, r.sequence(l)
		}
		changed, err := r.replace(&l)
		if err != nil {
			return "", nil, err
		}
		if !changed {
			return l.s, nil, nil
		}
		l.s = r.decomment(l.s, l.at)
		if l.s == "" || !strings.ContainsRune("@$~", rune(l.s[0])) {
			return l.s, nil, nil
		}
	}
	return "", nil, &limitError{l.at, "what the line stands for never ends", "look for a definition that refers to itself"}
}

// conditional reads @ID and @^ID: whether the rest of the line is meant for this director.
func (r *reader) conditional(l text) (rest string, meant bool) {
	id, not := l.s[1:], false
	if id, not = strings.CutPrefix(id, "^"); not {
		l.s = "@^" + id
	}
	i := strings.IndexAny(id, " \t")
	if i < 0 {
		r.find(l.at, Mistake, l.s, "nothing follows the condition", "take the line out")
		return "", false
	}
	if meant = (id[:i] == r.id) != not; !meant {
		r.passed = append(r.passed, l)
	} else {
		if r.taken == nil {
			r.taken = map[string]bool{}
		}
		r.taken[l.at.String()] = true
	}
	return strings.TrimLeft(id[i:], " \t"), meant
}
