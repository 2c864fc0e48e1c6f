package health

import (
	"context"
	"io"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// expression is a regular expression of RE2. To look through a text takes time in proportion to its length times the steps of the expression, in which every repetition
// is written out: ".{0,999}Z" takes seconds for 256 KiB of somebody else's bytes.
type expression struct {
	*regexp.Regexp
	steps int
}

func newExpression(text string) (*expression, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(text, syntax.Perl) // as regexp does
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	return &expression{re, len(program.Inst)}, nil
}

// quick is how many steps times bytes are looked through without a look at the time: that takes some 30 ms at the most.
const quick = 1 << 21

// slow reports whether a look through so many bytes may take long. No expression takes none.
func (e *expression) slow(bytes int) bool { return e != nil && e.steps*bytes > quick }

// find returns where the text matches first, nil for nowhere. The error is that of ctx, when it ended before this was known.
func (e *expression) find(ctx context.Context, text []byte) ([]int, error) {
	if !e.slow(len(text)) {
		return e.FindIndex(text), nil
	}
	r := &until{ctx: ctx, text: text, every: max(1, quick/e.steps/4)}
	at := e.FindReaderIndex(r)
	return at, r.err
}

// until reads a text while ctx goes on. Where it ends before, what was found means nothing: err is set.
type until struct {
	ctx   context.Context
	text  []byte
	every int // so many characters are read from one look at ctx to the next
	read  int
	err   error
}

func (u *until) ReadRune() (rune, int, error) {
	if u.read++; u.read%u.every == 0 {
		u.err = u.ctx.Err()
	}
	if u.err != nil || len(u.text) == 0 {
		return 0, 0, io.EOF
	}
	r, n := utf8.DecodeRune(u.text)
	u.text = u.text[n:]
	return r, n, nil
}
