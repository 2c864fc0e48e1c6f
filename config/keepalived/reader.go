package keepalived

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
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

// source is a file that is being read.
type source struct {
	name, shown string
	lines       []string
	at          int
	via         []Place
	more        []string // that the same include has matched
	checks      string   // to go back to
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

// push begins to read a file.
func (r *reader) push(name string, via []Place, more []string) error {
	if len(r.open) >= maxDepth {
		return &limitError{via[0], fmt.Sprintf("there are more than %d includes in one another", maxDepth), "include fewer files in one another"}
	}
	if r.count++; r.count > maxFiles {
		return &limitError{place(via, name), fmt.Sprintf("more than %d files are read", maxFiles), "include fewer files, or import in parts"}
	}
	full := r.full(name)
	for _, s := range r.open {
		if s.name == full {
			return &limitError{place(via, name), fmt.Sprintf("%s includes itself, which never ends", name), "take the include out"}
		}
	}
	data, err := readFile(r.files, full)
	if err != nil {
		return err
	}
	if r.bytes += len(data); r.bytes > maxBytes {
		return r.tooLong(Place{File: name, Via: via})
	}
	r.open = append(r.open, &source{name: full, shown: name, lines: strings.Split(data, "\n"), via: via, more: more, checks: r.checks})
	return nil
}

func place(via []Place, name string) Place {
	if len(via) > 0 {
		return via[0]
	}
	return Place{File: name}
}

func (r *reader) tooLong(at Place) error {
	return &limitError{at, fmt.Sprintf("the configuration has more than %d lines or %d MiB when its definitions and sequences are written out", maxLines, maxBytes>>20),
		"make the sequences shorter, or import in parts: a cluster has at most some thousand addresses"}
}

// full is the name under which the file system knows a file.
func (r *reader) full(name string) string {
	if !path.IsAbs(name) {
		name = path.Join("/", r.dir, name)
	}
	return strings.TrimPrefix(path.Clean(name), "/")
}

func readFile(files fs.FS, name string) (string, error) {
	f, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", &fs.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxFileSize {
		return "", fmt.Errorf("%s has more than %d MiB: import it in parts", name, maxFileSize>>20)
	}
	return string(data), nil
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
