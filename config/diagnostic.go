package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quorate/fsm"
)

// Position is a place in a file. Lines and columns count from 1, columns in characters; Line 0 means the file as a whole.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String is "file:line:column".
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Diagnostic is one thing that is wrong with a file: where, and a problem in the words of package fsm.
type Diagnostic struct {
	Position
	fsm.Problem
	// Source is the value as it is written in the file, shortened; "" when the problem is not about one value.
	Source string `json:"source,omitempty"`
}

// String is one line: file:line:column: object: key = value: what; cure.
func (d Diagnostic) String() string {
	var b strings.Builder
	b.WriteString(d.Position.String())
	if d.Object != "" {
		b.WriteString(": " + d.Object)
	}
	if d.Key != "" {
		b.WriteString(": " + d.Key)
		if d.Source != "" {
			b.WriteString(" = " + d.Source)
		}
	}
	b.WriteString(": " + d.What)
	if d.Cure != "" {
		b.WriteString("; " + d.Cure)
	}
	return b.String()
}

// Diagnostics are all that is wrong, in the order of the files, lines and columns. They match fsm.ErrInvalid.
type Diagnostics []Diagnostic

// maxShown bounds how many diagnostics an error text lists.
const maxShown = 100

// Error has one line for each diagnostic; beyond a hundred it says how many more there are.
func (ds Diagnostics) Error() string {
	var lines []string
	for i, d := range ds {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more problems", len(ds)-maxShown))
			break
		}
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}

// Is makes errors.Is(ds, fsm.ErrInvalid) true.
func (ds Diagnostics) Is(target error) bool { return target == fsm.ErrInvalid }

// sort orders by file, in the order that rank gives, then by position.
func (ds Diagnostics) sort(rank map[string]int) {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(rank[a.File], rank[b.File]), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// orNil is nil for no diagnostics, so that a nil error is really nil.
func (ds Diagnostics) orNil() error {
	if len(ds) == 0 {
		return nil
	}
	return ds
}

// fault is what is wrong with one value, before it is known where the value stands.
type fault struct{ what, cure string }

func (f *fault) Error() string { return f.what + "; " + f.cure }

func faultf(cure, what string, args ...any) error {
	return &fault{what: fmt.Sprintf(what, args...), cure: cure}
}

// faultOf takes any error as a fault.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	return &fault{what: err.Error()}
}
