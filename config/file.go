package config

import (
	"bytes"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// file is the text that ranges refer to.
type file struct {
	text  []byte
	moved bool  // the parser saw other line ends: only the byte offsets of ranges hold
	lines []int // where each line begins, once it is needed
}

// files holds the texts by name.
type files map[string]*file

// position is where a range begins, in the text as it was given.
func (fs files) position(r hcl.Range) Position {
	f := fs[r.Filename]
	if f == nil || !f.moved || r.Start.Byte > len(f.text) {
		return Position{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column}
	}
	if f.lines == nil {
		f.lines = []int{0}
		for i, b := range f.text {
			if b == '\n' {
				f.lines = append(f.lines, i+1)
			}
		}
	}
	line := sort.SearchInts(f.lines, r.Start.Byte+1)
	return Position{File: r.Filename, Line: line, Column: 1 + utf8.RuneCount(f.text[f.lines[line-1]:r.Start.Byte])}
}

// source is what is written in a range, on one line and shortened.
func (fs files) source(r hcl.Range) string {
	f := fs[r.Filename]
	if f == nil || !r.CanSliceBytes(f.text) {
		return ""
	}
	written := r.SliceBytes(f.text)
	// Far more than is shown, and little enough to look through.
	written = bytes.ToValidUTF8(written[:min(len(written), 1000)], []byte("?"))
	return clip(strings.Join(strings.Fields(string(written)), " "), 60)
}

// clip shortens s to n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string(slices.Concat([]rune(s)[:n-1], []rune("…")))
}
