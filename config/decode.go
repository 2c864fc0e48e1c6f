package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// place is where a key or an object stands, and what is written there.
type place struct {
	at    hcl.Range
	text  string
	items map[string]place // of a list of strings, by item
}

// noted are the places of one object by key, "" = the object itself. They are few, and a map of them costs several times as much memory.
type noted []struct {
	key string
	place
}

func (n noted) find(key string) (place, bool) {
	for _, x := range n {
		if x.key == key {
			return x.place, true
		}
	}
	return place{}, false
}

// decoder collects what files say: the faults, and where each object and key stands. Objects have the names that package
// fsm gives them in problems.
type decoder struct {
	files  files
	found  *Diagnostics
	places map[string]noted           // by object
	failed map[string]map[string]bool // object -> key whose value could not be read
	lost   bool                       // a block was dropped, so that others may refer to nothing
}

func newDecoder() *decoder {
	return &decoder{found: new(Diagnostics), files: files{}, places: map[string]noted{}, failed: map[string]map[string]bool{}}
}

// maxFound bounds the faults that are collected; a file with more is not the right file.
const maxFound = 1000

// report adds a diagnostic.
func (d *decoder) report(at hcl.Range, object, key, source string, err error) {
	if len(*d.found) >= maxFound {
		return
	}
	f := faultOf(err)
	*d.found = append(*d.found, Diagnostic{
		Position: d.files.position(at), Source: source,
		Problem: fsm.Problem{Object: object, Key: key, Value: source, What: f.what, Cure: f.cure},
	})
}

// note remembers where a key of an object stands. The first of several counts.
func (d *decoder) note(object, key string, p place) {
	keys := d.places[object]
	if _, known := keys.find(key); known {
		return
	}
	if keys == nil {
		keys = make(noted, 0, 4) // of a server with a weight there are three
	}
	d.places[object] = append(keys, struct {
		key string
		place
	}{key, p})
}

func (d *decoder) fail(object, key string) {
	if d.failed[object] == nil {
		d.failed[object] = map[string]bool{}
	}
	d.failed[object][key] = true
}

// claim notes an object and returns the decoder for what is in it. When the object has been defined before, that is
// reported, and the decoder is one that still finds faults, but takes nothing for defined.
func (d *decoder) claim(c child, object, what, cure string) (inner *decoder, first bool) {
	before, twice := d.places[object].find("")
	if !twice {
		d.note(object, "", place{at: c.at})
		return d, true
	}
	d.report(c.at, object, "", "", faultf(cure, "%s is already defined at %s", what, d.files.position(before.at)))
	aside := newDecoder()
	aside.found, aside.files = d.found, d.files
	return aside, false
}

// keys reads the attributes of a node into dst and fills in the defaults. label is the block's, where keys depend on it.
func (d *decoder) keys(b *block, n node, at hcl.Range, label, object string, dst any) {
	written := map[string]attr{}
	for _, a := range n.attrs {
		k, known := b.key(a.name, label)
		switch {
		case !known:
			d.report(a.at, object, "", "", d.unknownKey(b, a, label))
			if meant := similar(a.name, b.keyNames(label)); meant != "" {
				d.fail(object, meant) // which is then not missing, but misspelt
			}
		case !k.in(label) && !b.takes(label):
			// That the label is wrong is said elsewhere; what the key may be under the right one is not known.
		case !k.in(label):
			d.report(a.at, object, a.name, "", faultf(fmt.Sprintf("use %s, or leave the key out", b.having(k)), "only %s has this key", b.having(k)))
		default:
			if _, twice := written[a.name]; !twice {
				written[a.name] = a
			}
		}
	}
	for _, k := range b.keys {
		if !k.in(label) {
			continue
		}
		if v := k.left(label); v != cty.NilVal {
			if err := k.read(dst, v); err != nil {
				panic("config: default of " + k.name + " is not valid: " + err.Error())
			}
		}
		if a, ok := written[k.name]; ok {
			d.value(k, a, object, dst)
		} else if k.required && !k.instead(written) && !d.failed[object][k.name] {
			d.report(at, object, k.name, "", faultf(fmt.Sprintf("add %s = …, %s", k.name, aOrAn(k.kind)), "it is missing"))
			d.fail(object, k.name)
		}
	}
}

// instead reports whether a key is written in whose presence k is not required.
func (k key) instead(written map[string]attr) bool {
	return slices.ContainsFunc(k.unless, func(name string) bool { _, is := written[name]; return is })
}

// value reads one attribute.
func (d *decoder) value(k key, a attr, object string, dst any) {
	at := a.expr.Range()
	p := place{at: at, text: d.files.source(at)}
	if k.hidden {
		p.text = ""
	}
	v, err := literal(a.expr)
	if err == nil {
		p.items = d.items(k, a.expr)
		err = k.read(dst, v)
	}
	d.note(object, k.name, p)
	if err == nil {
		return
	}
	f := *faultOf(err)
	switch {
	case k.hidden && f.what == bareWord: // the cure has the word
		f.cure = "write it in quotes"
	case f.cure == "":
		f.cure = "use " + k.span
	}
	d.report(at, object, k.name, p.text, &f)
	d.fail(object, k.name)
}

// items finds the places of the items of a list.
func (d *decoder) items(k key, expr hcl.Expression) map[string]place {
	if k.item == nil || k.hidden {
		return nil
	}
	exprs, found := hcl.ExprList(expr)
	if found.HasErrors() {
		return nil
	}
	items := map[string]place{}
	for _, x := range exprs {
		if v, err := literal(x); err == nil {
			items[k.item(v)] = place{at: x.Range(), text: d.files.source(x.Range())}
		}
	}
	return items
}

func (d *decoder) unknownKey(b *block, a attr, label string) error {
	if inner := b.block(a.name); inner != nil {
		return faultf(fmt.Sprintf("write %s { … }", inner.header()), "%s is a block, not a key", a.name)
	}
	if len(b.keys) == 0 {
		return faultf("put it into one of the blocks "+strings.Join(b.blockNames(), ", "), "there is no key %q here", clip(a.name, 40))
	}
	return faultf(suggest(a.name, b.keyNames(label)), "there is no key %q here", clip(a.name, 40))
}

// children checks the blocks of a node and returns those that can be read, with what they are. owner is the object that
// they stand in.
func (d *decoder) children(b *block, n node, owner string) []known {
	var out []known
	for _, c := range n.blocks {
		inner := b.block(c.name)
		switch {
		case inner == nil:
			d.report(c.at, owner, "", "", d.unknownBlock(b, c))
			d.lost = true
		case inner.refused != "":
			d.report(c.at, owner, "", "", faultf("leave the "+inner.name+" block out", "%s", inner.refused))
		case inner.label == "" && len(c.labels) > 0:
			d.report(c.names[0], owner, "", "", faultf(fmt.Sprintf("write %s { … }", inner.name), "%s has no name", inner.name))
		case inner.label != "" && len(c.labels) != 1:
			d.report(c.at, owner, "", "", faultf(fmt.Sprintf("write %s { … }", inner.header()), "%s has %d names in quotes, not one", inner.name, len(c.labels)))
			d.lost = true
		default:
			out = append(out, known{child: c, schema: inner})
		}
	}
	return out
}

// known is a child whose kind is known and whose labels are as many as they should be.
type known struct {
	child
	schema *block
}

func (k known) label() string {
	if len(k.labels) == 0 {
		return ""
	}
	return k.labels[0]
}

func (d *decoder) unknownBlock(b *block, c child) error {
	if k, ok := b.key(c.name, ""); ok {
		return faultf(fmt.Sprintf("write %s = …, %s", k.name, aOrAn(k.kind)), "%s is a key, not a block", c.name)
	}
	return faultf(suggest(c.name, b.blockNames()), "there is no block %q here", clip(c.name, 40))
}

func aOrAn(kind string) string {
	if strings.HasPrefix(kind, "true") {
		return kind
	}
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}
