package keepalived

import (
	"fmt"
	"strings"
)

// Class is what has become of a directive.
type Class string

// In the order of how much they ask of the reader.
const (
	Mistake     Class = "mistake in the source" // keepalived does not do with it what it says
	Unsupported Class = "unsupported"           // it is not in the configuration that was made
	Changed     Class = "changed meaning"       // it is, and does not mean quite the same
	Ignored     Class = "ignored: not needed"
	Mapped      Class = "mapped"
)

// Classes are all classes, what asks most of the reader first.
func Classes() []Class { return []Class{Mistake, Unsupported, Changed, Ignored, Mapped} }

// Place is a line of a file. Via are the places that led there: of the includes, of the line that used a definition, the nearest first.
type Place struct {
	File string  `json:"file"`
	Line int     `json:"line,omitempty"`
	Via  []Place `json:"via,omitempty"`
}

func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Finding is what has become of one directive, or something that is wrong between several.
type Finding struct {
	Place
	Node      string `json:"node,omitempty"`
	Class     Class  `json:"class"`
	Directive string `json:"directive,omitempty"` // as keepalived reads it, shortened, with the names of the blocks around it
	What      string `json:"what"`                // what has become of it, and why
	Do        string `json:"do,omitempty"`        // what to do about it
}

func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: ", f.Place, f.Class)
	if f.Directive != "" {
		fmt.Fprintf(&b, "%s: ", f.Directive)
	}
	b.WriteString(f.What)
	if f.Do != "" {
		b.WriteString("; " + f.Do)
	}
	return b.String()
}

// shown makes text of a file fit for a line of a message: no control characters, and not longer than most bytes.
func shown(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
