package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/zclconf/go-cty/cty"
)

// block describes one kind of block, or a whole file. It is what decoder, Format and Reference share.
type block struct {
	name     string
	label    string // what its label is, as the reference page shows it; "" = it has none
	labelKey string // the key under which package fsm speaks of the label
	doc      string
	once     bool   // at most one in all files
	refused  string // not "": why this version, which knows the block, cannot do it
	keys     []key
	blocks   []*block
}

// key describes one setting of a block. The any of read and write is a pointer to the block's value.
type key struct {
	name     string
	kind     string // of its value, as the reference page shows it
	doc      string
	required bool
	unless   []string   // the keys in whose presence it is not required
	fallback cty.Value  // what it is when it is left out; NilVal = nothing
	byLabel  []labelled // of blocks with which it is another
	values   []string   // what it may be; nil = see span
	span     string     // its range, for a person
	only     []string   // the block's labels with which the key exists; nil = any

	hidden bool // its value is a secret, and is shown in no message

	read  func(dst any, v cty.Value) error // errors are faults
	write func(src any) cty.Value
	item  func(cty.Value) string // of a list: how package fsm calls an item
}

// labelled is the default of a key in blocks with the labels.
type labelled struct {
	labels   []string
	fallback cty.Value
}

// orWith gives the key another default in blocks with the labels.
func (k key) orWith(v cty.Value, labels ...string) key {
	k.byLabel = append(k.byLabel, labelled{labels, v})
	return k
}

// left is what the key is where it is left out of a block with the label.
func (k key) left(label string) cty.Value {
	for _, x := range k.byLabel {
		if slices.Contains(x.labels, label) {
			return x.fallback
		}
	}
	return k.fallback
}

// must makes the key required.
func (k key) must() key {
	k.required = true
	return k
}

// but makes the key required where none of the others is written.
func (k key) but(others ...string) key {
	k.required, k.unless = true, others
	return k
}

// or gives the key a default.
func (k key) or(v cty.Value) key {
	k.fallback = v
	return k
}

// silent has Format leave the key out when nothing is set, although it has a default.
func (k key) silent() key {
	write := k.write
	k.write = func(src any) cty.Value {
		v := write(src)
		if v == cty.NilVal || isEmpty(v) {
			return cty.NilVal
		}
		return v
	}
	return k
}

// notZero refuses 0, by which a value says that the key was left out.
func (k key) notZero(what, cure string) key {
	read := k.read
	k.read = func(dst any, v cty.Value) error {
		if v.Type() == cty.Number && v.Equals(cty.Zero).True() {
			return faultf(cure, "%s", what)
		}
		return read(dst, v)
	}
	return k
}

// oneOf documents the values; that they are refused otherwise is for Validate.
func (k key) oneOf(values ...string) key {
	k.values = values
	return k
}

// within documents the range; that it is kept is for Validate.
func (k key) within(span string) key {
	k.span = span
	return k
}

// in reports whether the key exists in a block with the label.
func (k key) in(label string) bool { return k.only == nil || slices.Contains(k.only, label) }

// omitted reports whether Format leaves the key out: it says nothing that its absence does not say.
func (k key) omitted(v cty.Value) bool {
	if v == cty.NilVal {
		return true
	}
	if k.fallback != cty.NilVal && !isEmpty(k.fallback) {
		return false
	}
	return isEmpty(v)
}

// isEmpty reports whether v is "", 0, false or a list of nothing.
func isEmpty(v cty.Value) bool {
	switch t := v.Type(); {
	case t == cty.String:
		return v.AsString() == ""
	case t == cty.Number:
		return v.RawEquals(cty.Zero)
	case t == cty.Bool:
		return v.False()
	default:
		return v.LengthInt() == 0
	}
}

// takes reports whether the label is one of those that the block may have, where they are few ("tcp|http").
func (b *block) takes(label string) bool {
	return !strings.Contains(b.label, "|") || slices.Contains(strings.Split(b.label, "|"), label)
}

// having are the blocks that have the key, where its label decides that: check "http" or "https".
func (b *block) having(k key) string {
	quoted := make([]string, len(k.only))
	for i, label := range k.only {
		quoted[i] = strconv.Quote(label)
	}
	last := len(quoted) - 1
	if last == 0 {
		return b.name + " " + quoted[0]
	}
	return b.name + " " + strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// key is the one of that name that blocks with the label have, or else any of that name.
func (b *block) key(name, label string) (key, bool) {
	i := slices.IndexFunc(b.keys, func(k key) bool { return k.name == name && k.in(label) })
	if i < 0 {
		i = slices.IndexFunc(b.keys, func(k key) bool { return k.name == name })
	}
	if i < 0 {
		return key{}, false
	}
	return b.keys[i], true
}

func (b *block) block(name string) *block {
	i := slices.IndexFunc(b.blocks, func(x *block) bool { return x.name == name })
	if i < 0 {
		return nil
	}
	return b.blocks[i]
}

// header is how the block begins in a file: service "NAME".
func (b *block) header() string {
	if b.label == "" {
		return b.name
	}
	return b.name + ` "` + b.label + `"`
}

// suggest is the cure for a name that is not known: the known one that looks like it, or all of them.
func suggest(name string, known []string) string {
	if k := similar(name, known); k != "" {
		return "did you mean " + k + "?"
	}
	switch len(known) {
	case 0:
		return "leave it out"
	case 1:
		return "leave it out, or use " + known[0]
	default:
		return "use one of " + strings.Join(known, ", ")
	}
}

// similar is the known name that the given one looks like, or "".
func similar(name string, known []string) string {
	for _, k := range known {
		if len(name) < 2*len(k) && levenshtein.Distance(strings.ToLower(name), k, nil) <= max(1, len(k)/3) {
			return k
		}
	}
	return ""
}

func (b *block) keyNames(label string) []string {
	var names []string
	for _, k := range b.keys {
		if k.in(label) {
			names = append(names, k.name)
		}
	}
	return names
}

func (b *block) blockNames() []string {
	var names []string
	for _, x := range b.blocks {
		if x.refused == "" {
			names = append(names, x.name)
		}
	}
	return names
}
