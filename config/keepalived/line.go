package keepalived

import (
	"fmt"
	"strings"
)

// odd names lines that keepalived itself does not read.
func (r *reader) odd(raw string, at Place) {
	switch {
	case strings.ContainsRune(raw, 0):
		r.find(at, Mistake, raw, "the line has a zero byte, and keepalived leaves it out", "correct the file")
	case len(raw) > longLine:
		r.find(at, Mistake, raw, fmt.Sprintf("the line has %d bytes, and keepalived reads only lines of up to %d; it was read here", len(raw), longLine), "break it into several, and check what was made of it")
	}
}

// decomment takes comments and blanks around a line away. A backslash at its end stays.
func (r *reader) decomment(s string, at Place) string {
	s = strings.TrimLeft(s, " \t")
	var b strings.Builder
	quoted, goesOn := false, false
	i := 0
scan:
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 == len(s):
			goesOn = true
			break scan
		case c == '\\':
			i++
			if quoted || s[i] != '#' && s[i] != '!' {
				b.WriteByte(c)
			}
			b.WriteByte(s[i])
			continue
		case (c == '#' || c == '!') && !quoted:
			break scan
		}
		b.WriteByte(s[i])
	}
	if quoted {
		r.find(at, Mistake, s, "a quote is opened and not closed", `close it, or write \"`)
	}
	out := strings.TrimRight(b.String(), " \t")
	if goesOn {
		out += `\`
	}
	return out
}

// splitBraces cuts a line at its first brace outside double quotes; a brace at the beginning is a part of its own.
func splitBraces(s string) (head, rest string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", ""
	}
	if s[0] == '{' || s[0] == '}' {
		return s[:1], strings.TrimSpace(s[1:])
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			end := strings.IndexByte(s[i+1:], '"')
			if end < 0 {
				return s, ""
			}
			i += end + 1
		case '{', '}':
			return strings.TrimSpace(s[:i]), s[i:]
		}
	}
	return s, ""
}
