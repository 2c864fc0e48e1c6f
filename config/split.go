package config

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// pieceBytes is how much of a file is parsed at a time, and the rest of the block that ends it. The parser of HCL makes a list of all tokens, each
// fifty times as large as what it stands for: of a small piece it is garbage before the next one is made.
const pieceBytes = 2 << 10

// parsePieces is parse for a plain file without a fault: it hands the bodies of one piece after the other over. Of any other file it returns false, or
// hands something over that has a fault.
func (d *decoder) parsePieces(s Source, each func(hcl.Body)) (ok bool) {
	if s.isJSON() {
		return d.parse(s, each)
	}
	text := withoutMark(s.Text)
	pieces, ok := split(text)
	if !ok {
		return false
	}
	f := &file{text: text}
	d.files[s.Name] = f
	at := hcl.InitialPos
	for _, piece := range pieces {
		parsed, found := hclsyntax.ParseConfig(piece, s.Name, at)
		if found.HasErrors() {
			f.moved = true
			// The same as of the whole, because a piece begins on a line of its own.
			parsed, found = hclsyntax.ParseConfig(breakLines(piece, s.Name), s.Name, at)
		}
		if len(found) > 0 {
			return false
		}
		each(parsed.Body)
		at.Byte += len(piece)
		at.Line += bytes.Count(piece, []byte("\n"))
	}
	return true
}

// split cuts a plain file between blocks. ok is false when it holds what only the scanner of HCL takes apart (templates, heredocs, anything
// outside of strings and comments that is not ASCII), or may be beyond the limits of tooDeep.
func split(text []byte) (pieces [][]byte, ok bool) {
	from, depth, operators := 0, 0, 0
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch b := text[i]; {
		case b == '\n':
			if depth == 0 && i+1-from >= pieceBytes {
				pieces, from = append(pieces, text[from:i+1]), i+1
			}
		case b == '"':
			n := plainString(rest)
			if n < 0 {
				return nil, false
			}
			i += n - 1
		case b == '#' || bytes.HasPrefix(rest, []byte("//")):
			n := bytes.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			i += n - 1
		case bytes.HasPrefix(rest, []byte("/*")):
			n := bytes.Index(rest[2:], []byte("*/"))
			if n < 0 {
				return nil, false
			}
			i += n + 3
		case b == '{' || b == '[' || b == '(':
			depth++
		case b == '}' || b == ']' || b == ')':
			depth--
		case b == '<' || b >= 0x80 || b == '\r' && !bytes.HasPrefix(rest, []byte("\r\n")):
			return nil, false
		case !harmless[b]:
			operators++
		}
		if depth < 0 || depth > MaxDepth || operators > maxOperators {
			return nil, false
		}
	}
	return append(pieces, text[from:]), depth == 0
}

// harmless are the characters that make no operator. A point and a dash may stand inside a number and a name; they are counted, which is on the safe side.
var harmless = func() (is [256]bool) {
	for _, b := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=,: \t\r") {
		is[b] = true
	}
	return is
}()

// plainString is the length of the quoted string at the start of text, with its quotes; -1 when it is not closed on its line or may hold
// a template.
func plainString(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
			if i < len(text) && text[i] == '\n' {
				return -1
			}
		case '\n', '\r':
			return -1
		case '$', '%':
			if i+1 < len(text) && text[i+1] == '{' {
				return -1
			}
		}
	}
	return -1
}
