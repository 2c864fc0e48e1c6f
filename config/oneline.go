package config

import (
	"bytes"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// HCL wants each key on a line of its own, but for a block with a single key. People who come from keepalived.conf write
//
//	check "http" { path = "/healthz"  interval = "2s" }
//
// and mean nothing else by it. breakLines turns text of that kind into HCL: it overwrites a blank before each key, block
// and closing brace that should have begun a line with a line feed. The text keeps its length, so a byte stays where it
// was, and positions can be told from the original. Where there is no blank to overwrite, the text is left as it is, and the
// parser complains.
func breakLines(text []byte, name string) []byte {
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos)
	b := breaker{frames: []frame{{body: true}}}
	for i, t := range tokens {
		b.token(tokens, i, t.Type)
	}
	out := slices.Clone(text)
	for _, i := range b.before {
		if at := tokens[i].Range.Start.Byte - 1; at >= 0 && (out[at] == ' ' || out[at] == '\t') {
			out[at] = '\n'
		}
	}
	return out
}

// breaker walks over tokens and finds those before which a line should end.
type breaker struct {
	frames []frame
	last   hclsyntax.TokenType // the last token that is no comment inside a line
	before []int
}

// frame is a pair of brackets, or the file. Only bodies have items; other brackets stand in expressions.
type frame struct {
	body   bool
	open   int  // the bracket's token
	inline bool // a body that begins on the line of its bracket
	items  int
	blocks int // items that are blocks
	at     where
}

// where in an item of a body the walk is.
type where int

const (
	betweenItems where = iota // at the start of a line, or of the body
	inHeader                  // after a key, or a block's name and labels
	inValue                   // after the equals sign
	afterBlock                // after a block's closing brace
)

func (b *breaker) token(tokens hclsyntax.Tokens, i int, t hclsyntax.TokenType) {
	top := &b.frames[len(b.frames)-1]
	switch t {
	case hclsyntax.TokenComment:
		if !bytes.HasSuffix(tokens[i].Bytes, []byte("\n")) {
			return
		}
		t = hclsyntax.TokenNewline
		top.at = betweenItems
	case hclsyntax.TokenNewline:
		top.at = betweenItems
	case hclsyntax.TokenIdent:
		b.ident(top, i)
	case hclsyntax.TokenEqual:
		if top.at == inHeader {
			top.at = inValue
		}
	case hclsyntax.TokenOBrace:
		f := frame{open: i, body: top.body && top.at == inHeader}
		if f.body {
			top.blocks++
			f.inline = i+1 < len(tokens) && !endsLine(tokens[i+1])
		}
		b.frames = append(b.frames, f)
	case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		b.frames = append(b.frames, frame{open: i})
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		if len(b.frames) > 1 {
			b.frames = b.frames[:len(b.frames)-1]
			b.closed(*top, &b.frames[len(b.frames)-1], i)
		}
	}
	b.last = t
}

// ident may begin an item: at the start of a line, or where a value or block has ended, because nothing in HCL goes on
// with a word there.
func (b *breaker) ident(top *frame, i int) {
	switch {
	case !top.body:
		return
	case top.at == betweenItems:
	case top.at == afterBlock, top.at == inValue && endsValue(b.last):
		b.before = append(b.before, i)
	default:
		return
	}
	top.items++
	top.at = inHeader
}

// closed looks at a body whose closing brace is token i.
func (b *breaker) closed(f frame, outer *frame, i int) {
	if !f.body {
		return
	}
	outer.at = afterBlock
	single := f.inline && f.items <= 1 && f.blocks == 0
	if single || b.last == hclsyntax.TokenOBrace {
		return
	}
	if f.inline {
		b.before = append(b.before, f.open+1)
	}
	if b.last != hclsyntax.TokenNewline {
		b.before = append(b.before, i)
	}
}

func endsLine(t hclsyntax.Token) bool {
	return t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment && bytes.HasSuffix(t.Bytes, []byte("\n"))
}

func endsValue(t hclsyntax.TokenType) bool {
	switch t {
	case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
		hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen:
		return true
	default:
		return false
	}
}
