package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// node is the content of a file or block in the form that both syntaxes share: what is written, known or not.
type node struct {
	attrs  []attr
	blocks []child
}

// attr is key = value.
type attr struct {
	name string
	at   hcl.Range // of the name
	expr hcl.Expression
}

// child is a block inside a node.
type child struct {
	name   string
	labels []string
	at     hcl.Range // of the header
	names  []hcl.Range
	body   hcl.Body
}

// parse hands the body of a text over. It returns false, and hands none over, when the syntax is broken, so that what the body holds says little.
func (d *decoder) parse(s Source, each func(hcl.Body)) (ok bool) {
	if at, f := tooDeep(s); f != nil {
		d.report(at, "", "", "", f)
		return false
	}
	text := withoutMark(s.Text)
	d.files[s.Name] = &file{text: text}
	var parsed *hcl.File
	var found hcl.Diagnostics
	if s.isJSON() {
		parsed, found = json.Parse(text, s.Name)
	} else if parsed, found = hclsyntax.ParseConfig(text, s.Name, hcl.InitialPos); found.HasErrors() {
		if broken := breakLines(text, s.Name); !bytes.Equal(broken, text) {
			d.files[s.Name].moved = true
			parsed, found = hclsyntax.ParseConfig(broken, s.Name, hcl.InitialPos)
		}
	}
	d.syntax(s.Name, found)
	// A key that is set twice breaks nothing else.
	broken := slices.ContainsFunc(found, func(x *hcl.Diagnostic) bool { return x.Summary != attributeTwice })
	if broken || parsed == nil || parsed.Body == nil {
		return false
	}
	each(parsed.Body)
	return true
}

// withoutMark cuts off the byte order mark that some editors write.
func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

// What the HCL library says of some faults.
const (
	attributeTwice     = "Attribute redefined"
	attributeTwiceJSON = "Duplicate argument"
	stringBroken       = "Invalid multi-line string"
	stringOpen         = "Unterminated template string"
)

// syntax reports what the HCL library found, in its words but for what operators write most often. Of several faults at one
// place only the first is worth reading, and of strings that are not closed the first in the file.
func (d *decoder) syntax(file string, found hcl.Diagnostics) {
	seen := map[int]bool{}
	openString := false
	for _, x := range found {
		if x.Subject != nil {
			if seen[x.Subject.Start.Byte] {
				continue
			}
			seen[x.Subject.Start.Byte] = true
		}
		if x.Summary == stringBroken || x.Summary == stringOpen {
			if openString {
				continue
			}
			openString = true
		}
		at := hcl.Range{Filename: file}
		if x.Subject != nil {
			at = *x.Subject
		}
		f := &fault{what: sentence(x.Summary), cure: sentence(x.Detail)}
		switch x.Summary {
		case "Invalid single-argument block definition":
			f = &fault{"a block that is written on one line can hold one key only", "put each key on a line of its own"}
		case "Missing newline after argument":
			f = &fault{"there is more on this line after the value", "put each key on a line of its own"}
		case "Missing newline after block definition":
			f = &fault{"there is more on this line after the block", "begin the next block on a line of its own"}
		case "Argument or block definition required":
			f = &fault{"this is neither a key with a value nor a block", `write it like key = "value", or name "label" { and }`}
		case "Unclosed configuration block":
			f = &fault{"the block is not closed", "add the missing }"}
		case stringBroken, stringOpen:
			f = &fault{"the string is not closed on its line", `add the missing "`}
		case attributeTwice, attributeTwiceJSON:
			what, _, _ := strings.Cut(x.Detail, ". ")
			f = &fault{sentence(what), "remove one of them"}
		}
		d.report(at, "", "", "", f)
	}
}

// sentence puts a text of the HCL library into the form of ours: one line, no capital at the start, no stop at the end.
func sentence(s string) string {
	s = strings.TrimSuffix(strings.Join(strings.Fields(s), " "), ".")
	s = hclPosition.ReplaceAllString(s, "$1:$2")
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' || strings.HasPrefix(s, "A ") {
		s = strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// hclPosition is a range as the HCL library prints it: 2,3-10 or 2,3-4,1.
var hclPosition = regexp.MustCompile(`\b(\d+),(\d+)-\d+(?:,\d+)?\b`)

// open lists what a body holds. b says which names are blocks, which the JSON form does not show by itself.
func (d *decoder) open(b *block, body hcl.Body) node {
	if native, ok := body.(*hclsyntax.Body); ok {
		return openHCL(native)
	}
	return d.openJSON(b, body)
}

func openHCL(body *hclsyntax.Body) node {
	var n node
	for _, a := range body.Attributes {
		n.attrs = append(n.attrs, attr{name: a.Name, at: a.NameRange, expr: a.Expr})
	}
	n.sort()
	for _, b := range body.Blocks {
		n.blocks = append(n.blocks, child{name: b.Type, labels: b.Labels, at: b.DefRange(), names: b.LabelRanges, body: b.Body})
	}
	return n
}

func (d *decoder) openJSON(b *block, body hcl.Body) node {
	schema := &hcl.BodySchema{}
	for _, k := range b.keys {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: k.name})
	}
	for _, inner := range b.blocks {
		header := hcl.BlockHeaderSchema{Type: inner.name}
		if inner.label != "" {
			header.LabelNames = []string{inner.label}
		}
		schema.Blocks = append(schema.Blocks, header)
	}
	content, rest, found := body.PartialContent(schema)
	others, more := rest.JustAttributes()
	// PartialContent has said already what is wrong with the shape of the body as a whole.
	if !found.HasErrors() {
		found = append(found, more...)
	}
	d.syntax(body.MissingItemRange().Filename, found)

	var n node
	for _, attrs := range []hcl.Attributes{content.Attributes, others} {
		for _, a := range attrs {
			n.attrs = append(n.attrs, attr{name: a.Name, at: a.NameRange, expr: a.Expr})
		}
	}
	n.sort()
	for _, x := range content.Blocks {
		at := x.DefRange
		if len(x.LabelRanges) > 0 {
			at = x.LabelRanges[0]
		}
		n.blocks = append(n.blocks, child{name: x.Type, labels: x.Labels, at: at, names: x.LabelRanges, body: x.Body})
	}
	return n
}

// sort puts attributes, which come from maps, into the order of the file.
func (n *node) sort() {
	slices.SortFunc(n.attrs, func(a, b attr) int { return a.at.Start.Byte - b.at.Start.Byte })
}
