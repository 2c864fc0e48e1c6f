package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxOperators bounds the tokens that only expressions have. None is ever right in a configuration; up to here the decoder
// says of each what is wrong, beyond it the file is refused before the parser, which recurses over them, sees it.
const maxOperators = 256

// tooDeep finds the first place where text goes beyond what the parsers, which are recursive, may be given.
func tooDeep(s Source) (at hcl.Range, f *fault) {
	if s.isJSON() {
		return tooDeepJSON(s)
	}
	return tooDeepHCL(s)
}

func tooDeepHCL(s Source) (hcl.Range, *fault) {
	// Faults of the scanner come up again when the file is parsed.
	tokens, _ := hclsyntax.LexConfig(s.Text, s.Name, hcl.InitialPos)
	depth, operators := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth = max(0, depth-1)
		case hclsyntax.TokenIdent, hclsyntax.TokenNumberLit, hclsyntax.TokenEqual, hclsyntax.TokenComma, hclsyntax.TokenColon,
			hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenCHeredoc, hclsyntax.TokenComment, hclsyntax.TokenNewline, hclsyntax.TokenEOF:
		default:
			operators++
		}
		if f := beyond(depth, operators); f != nil {
			return t.Range, f
		}
	}
	return hcl.Range{}, nil
}

func tooDeepJSON(s Source) (hcl.Range, *fault) {
	pos := hcl.InitialPos
	depth, quoted, escaped := 0, false, false
	for i, b := range s.Text {
		switch {
		case escaped:
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			depth = max(0, depth-1)
		}
		pos.Byte = i
		if f := beyond(depth, 0); f != nil {
			return hcl.Range{Filename: s.Name, Start: pos, End: pos}, f
		}
		pos.Column++
		if b == '\n' {
			pos.Line, pos.Column = pos.Line+1, 1
		}
	}
	return hcl.Range{}, nil
}

func beyond(depth, operators int) *fault {
	switch {
	case depth > MaxDepth:
		return &fault{"brackets are nested too deeply", "nothing in a configuration needs more than 16 levels"}
	case operators > maxOperators:
		return &fault{"this is full of operators, and expressions are not supported", "write the values themselves"}
	default:
		return nil
	}
}
