package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// print writes v as JSON, or calls text.
func (a *app) print(v any, text func(w io.Writer)) error {
	if a.output != "json" {
		var b strings.Builder
		text(&b)
		_, err := io.WriteString(a.out, b.String())
		return err
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write the answer as JSON: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%s\n", b)
	return err
}

// tone is how a cell is shown on a terminal; the words say the same without it.
type tone string

const (
	plain tone = ""
	good  tone = "32" // green
	warn  tone = "33" // yellow
	bad   tone = "31" // red
	faint tone = "2"
	head  tone = "1"
)

// wantsColor is true for a terminal, unless NO_COLOR is set (no-color.org) or it is a dumb one.
func wantsColor(f *os.File, getenv func(string) string) bool {
	if getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" || getenv("TERM") == "" {
		return false
	}
	fi, err := f.Stat()
	return err == nil && fi.Mode()&os.ModeCharDevice != 0
}

func (a *app) paint(t tone, s string) string {
	if !a.color || t == plain || s == "" {
		return s
	}
	return "\x1b[" + string(t) + "m" + s + "\x1b[0m"
}

// cell is one field of a table.
type cell struct {
	text string
	tone tone
}

// table aligns its columns by the widest cell of each. Empty cells show as "-".
type table struct {
	app  *app
	rows [][]cell
}

func (a *app) table(heads ...string) *table {
	t := &table{app: a}
	row := make([]cell, len(heads))
	for i, h := range heads {
		row[i] = cell{h, head}
	}
	t.rows = append(t.rows, row)
	return t
}

// row adds a row of strings, cells or anything that prints.
func (t *table) row(fields ...any) {
	row := make([]cell, len(fields))
	for i, f := range fields {
		switch f := f.(type) {
		case cell:
			row[i] = f
		default:
			row[i] = cell{text: fmt.Sprint(f)}
		}
		if row[i].text == "" {
			row[i].text = "-"
		}
		// One line each, and nothing from outside may reach the terminal as a command to it.
		row[i].text = oneLine(row[i].text)
	}
	t.rows = append(t.rows, row)
}

// write prints the table, each line begun with indent; nothing when there is no row below the heads.
func (t *table) write(w io.Writer, indent string) {
	if len(t.rows) < 2 {
		return
	}
	width := make([]int, len(t.rows[0]))
	for _, r := range t.rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c.text))
		}
	}
	for _, r := range t.rows {
		var b strings.Builder
		b.WriteString(indent)
		for i, c := range r {
			b.WriteString(t.app.paint(c.tone, c.text))
			if i < len(r)-1 {
				b.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// oneLine replaces control characters by spaces.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// plural is "1 VIP", "2 VIPs".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some are the first of a list, for a cell of a table.
func some[T any](all []T) string {
	const most = 5
	if len(all) == 0 {
		return "-"
	}
	var out []string
	for _, x := range all[:min(len(all), most)] {
		out = append(out, fmt.Sprint(x))
	}
	if n := len(all) - most; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(out, ", "), n)
	}
	return strings.Join(out, ", ")
}

// join lists names, "-" for none.
func join[S ~string](names []S) string {
	if len(names) == 0 {
		return "-"
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return strings.Join(out, ", ")
}
