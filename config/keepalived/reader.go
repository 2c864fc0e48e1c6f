package keepalived

import (
	"cmp"
	"fmt"
	"io/fs"
	"strings"
)

// text is a line, or the part of one to the next brace, as keepalived's parser gets it.
type text struct {
	s  string
	at Place
}

// reader makes lines of files: it follows includes, keeps what is meant for this director, and replaces definitions.
// What it hears of first, it gives first: the rest of a line behind a brace, the next turn of a sequence, the next line of a definition, the next of a file.
type reader struct {
	files fs.FS
	dir   string // that relative names start from
	id    string // of the lines @ID
	env   func(string) (string, bool)
	stdin []byte // of the file -

	first  string // file
	open   []*source
	defs   map[string]*definition
	turns  []*sequence
	frames []*frame
	rest   text

	checks              string // of every include, as include_check has them
	most                int    // lines; 0 = maxLines
	lines, bytes, count int    // read so far; files
	found               []Finding

	passed []text          // lines for other directors
	taken  map[string]bool // places of lines that are for this one by their condition
}

func (r *reader) find(at Place, c Class, directive, what, do string) {
	if word, _, _ := strings.Cut(strings.TrimSpace(directive), " "); secretWord(word) {
		directive = word + " …"
	}
	r.found = append(r.found, Finding{Place: at, Class: c, Directive: shown(directive, 120), What: what, Do: do})
}

// start opens the file that keepalived is called with.
func (r *reader) start(name string) error {
	r.first, r.defs = name, predefined()
	if name != "-" {
		return r.push(name, nil, nil)
	}
	r.first = "<stdin>"
	if len(r.stdin) > maxFileSize {
		return fmt.Errorf("it has more than %d MiB: import it in parts", maxFileSize>>20)
	}
	r.bytes, r.count = len(r.stdin), 1
	r.open = []*source{{name: "<stdin>", shown: "<stdin>", lines: strings.Split(string(r.stdin), "\n")}}
	return nil
}

// base is how many sequences were running when the definition that is read now was begun: they go on when it ends.
func (r *reader) base() int {
	if len(r.frames) == 0 {
		return 0
	}
	return r.frames[len(r.frames)-1].base
}

// take gives the next line before it is looked at.
func (r *reader) take() (l text, fresh, ok bool, err error) {
	if r.lines++; r.lines > cmp.Or(r.most, maxLines) {
		return l, false, false, r.tooLong(r.where())
	}
	switch {
	case r.rest.s != "":
		l, r.rest = r.rest, text{}
		return l, false, true, nil
	case len(r.turns) > r.base():
		q := r.turns[len(r.turns)-1]
		l = text{q.rest, q.at}
		if !q.step(r) {
			r.turns = r.turns[:len(r.turns)-1]
		}
		return l, false, true, nil
	case len(r.frames) > 0:
		f := r.frames[len(r.frames)-1]
		l = f.lines[f.next]
		l.at.Via = f.via
		if f.next++; f.next == len(f.lines) {
			r.frames = r.frames[:len(r.frames)-1]
		}
		return l, false, true, nil
	}
	for len(r.open) > 0 {
		s := r.open[len(r.open)-1]
		if s.at < len(s.lines) {
			s.at++
			return text{s.lines[s.at-1], Place{s.shown, s.at, s.via}}, true, true, nil
		}
		r.open = r.open[:len(r.open)-1]
		r.checks = s.checks
		if len(s.more) > 0 {
			if err := r.include(s.more, s.via); err != nil {
				return l, false, false, err
			}
		}
	}
	return l, false, false, nil
}

// where is the place that is read now.
func (r *reader) where() Place {
	if len(r.open) == 0 {
		return Place{}
	}
	s := r.open[len(r.open)-1]
	return Place{s.shown, s.at, s.via}
}

// next gives the next line that is not empty: text without braces, or a brace alone.
func (r *reader) next() (text, bool, error) {
	var defining *definition
	for {
		l, fresh, ok, err := r.take()
		if err != nil || !ok {
			return text{}, false, err
		}
		if fresh {
			raw := strings.TrimRight(l.s, "\r")
			if raw == "" {
				defining = nil // an empty line ends it, one of blanks does not
				continue
			}
			r.odd(raw, l.at)
			if strings.ContainsRune(raw, 0) {
				continue
			}
			if l.s = r.decomment(raw, l.at); l.s == "" {
				continue
			}
		}
		if defining != nil {
			if !defining.add(l) {
				defining = nil
			}
			continue
		}
		if l.s, defining, err = r.expand(l); err != nil {
			return text{}, false, err
		}
		if l.s == "" {
			continue
		}
		included, err := r.included(l, fresh)
		if err != nil {
			return text{}, false, err
		}
		if included {
			continue
		}
		head, rest := splitBraces(l.s)
		r.rest = text{rest, l.at}
		if head == "" {
			continue
		}
		return text{head, l.at}, true, nil
	}
}
