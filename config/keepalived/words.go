package keepalived

import (
	"fmt"
	"strings"
)

// splitWords cuts a line into words. What stands in double quotes is one word, wherever it begins. An open quote ends the line.
func splitWords(s string) (words []string, open bool) {
	for {
		s = strings.TrimLeft(s, " \t\r\n\f\v")
		switch {
		case s == "":
			return words, false
		case s[0] == '"':
			word, rest, closed := strings.Cut(s[1:], `"`)
			if !closed {
				return words, true
			}
			words, s = append(words, word), rest
		default:
			i := strings.IndexAny(s, " \t\r\n\f\v\"")
			if i < 0 {
				return append(words, s), false
			}
			words, s = append(words, s[:i]), s[i:]
		}
	}
}

// shellWords cuts the value of a script: quotes of both kinds may stand within a word, and a backslash works in and outside of them.
func shellWords(s string) (words []string, err error) {
	const blanks = " \t\r\n\f\v"
	i := 0
	for {
		for i < len(s) && strings.IndexByte(blanks, s[i]) >= 0 {
			i++
		}
		if i == len(s) {
			return words, nil
		}
		var b strings.Builder
		quote := byte(0)
		for i < len(s) {
			c := s[i]
			switch {
			case c == '\\':
				n, made, err := escape(s[i+1:])
				if err != nil {
					return nil, err
				}
				b.WriteByte(made)
				i += 1 + n
				continue
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote == 0 && strings.IndexByte(blanks, c) >= 0:
				goto done
			default:
				b.WriteByte(c)
			}
			i++
		}
		if quote != 0 {
			return nil, fmt.Errorf("the quote %c is not closed", quote)
		}
	done:
		words = append(words, b.String())
	}
}

// escape reads what follows a backslash: how many bytes it takes, and the one that it makes.
func escape(s string) (n int, made byte, err error) {
	if s == "" {
		return 0, 0, fmt.Errorf("nothing follows the last backslash")
	}
	if made, ok := map[byte]byte{'a': 7, 'b': 8, 'E': 27, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11}[s[0]]; ok {
		return 1, made, nil
	}
	switch c := s[0]; {
	case c == 'x' && len(s) > 1 && hexValue(s[1]) >= 0:
		for n = 1; n <= 2 && n < len(s) && hexValue(s[n]) >= 0; n++ {
			made = made<<4 | byte(hexValue(s[n]))
		}
		return n, made, nil
	case c == 'c' && len(s) > 1:
		return 2, s[1] & 0x1f, nil
	case c >= '0' && c <= '7':
		for n = 0; n < 3 && n < len(s) && s[n] >= '0' && s[n] <= '7'; n++ {
			made = made<<3 | s[n] - '0'
		}
		return n, made, nil
	default:
		return 1, c, nil
	}
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
