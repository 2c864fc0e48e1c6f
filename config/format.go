package config

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"quorate/fsm"
)

// Format writes a configuration as HCL, with comments. The same configuration always gives the same bytes, and Parse reads
// them back to the same configuration, provided that it is valid. Settings that are off or empty are left out; those with
// a default are written out, so that a file goes on meaning the same when a default changes.
func Format(c fsm.Config) []byte {
	w := &writer{}
	w.line("# Configuration of a quorate cluster.")
	w.line("# quorate plan FILE shows what would change, quorate apply FILE changes it.")
	w.block(clusterBlock, "", &c.Settings, func() {
		if c.Settings.Sync != (fsm.Sync{}) {
			w.block(syncBlock, "", &c.Settings.Sync, nil)
		}
		if c.Settings.Timeouts != (fsm.Timeouts{}) {
			w.block(timeoutsBlock, "", &c.Settings.Timeouts, nil)
		}
	})
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		g := c.Groups[name]
		w.block(groupBlock, name, &g, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Routers)) {
		r := c.Routers[name]
		w.block(routerBlock, name, &r, nil)
	}
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		v := c.VIPs[name]
		var vrrp func()
		if v.VRRP != nil {
			vrrp = func() { w.block(vrrpBlock, "", v.VRRP, nil) }
		}
		w.block(vipBlock, name, &v, vrrp)
	}
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		n := c.NodeChecks[name]
		w.block(nodeCheckBlock, name, &n, func() { w.checks(n.Checks) })
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		w.block(serviceBlock, name, &s, func() {
			if s.Health != (fsm.Health{}) {
				w.block(healthBlock, "", &s.Health, nil)
			}
			w.checks(s.Checks)
			for _, server := range s.Servers {
				w.block(serverBlock, server.Address.String(), &server, nil)
			}
			if s.Sorry != nil {
				w.block(sorryBlock, s.Sorry.Address.String(), s.Sorry, nil)
			}
		})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Notifiers)) {
		n := c.Notifiers[name]
		w.block(notifyBlock, name, &n, func() { w.channel(n) })
	}
	return hclwrite.Format(w.Bytes())
}

// writer lays out blocks; hclwrite.Format indents and aligns them.
type writer struct {
	bytes.Buffer
	depth     int
	explained []*block // whose meaning has been written already
	before    *block   // the last block inside the one that is being written; nil = none yet
}

func (w *writer) checks(checks []fsm.Check) {
	for _, check := range checks {
		check = check.Whole() // what an invalid one lacks is not shown
		var urls func()
		if len(check.HTTP.URLs) > 0 {
			urls = func() {
				for _, u := range check.HTTP.URLs {
					w.block(urlBlock, u.Path, &u, nil)
				}
			}
		}
		w.block(checkBlock, string(check.Type), &check, urls)
	}
}

func (w *writer) line(s string) { fmt.Fprintln(w, s) }

// block writes a block with its keys, and what inner writes into it. Inner blocks of one kind stand together, and those
// with a single key on one line.
func (w *writer) block(b *block, label string, src any, inner func()) {
	if w.depth == 0 || w.before != b {
		w.line("")
	}
	if w.depth == 0 && !slices.Contains(w.explained, b) {
		w.explained = append(w.explained, b)
		w.line("# " + b.doc)
	}
	header := b.name
	if b.label != "" {
		header += " " + literalText(cty.StringVal(label))
	}
	keys := b.written(label, src)
	if w.depth > 0 && len(keys) == 1 && inner == nil {
		w.line(header + " { " + keys[0] + " }")
	} else {
		w.line(header + " {")
		for _, k := range keys {
			w.line(k)
		}
		if inner != nil {
			w.depth, w.before = w.depth+1, nil
			inner()
			w.depth--
		}
		w.line("}")
	}
	w.before = b
}

// written lists the keys of a block that say something, as lines.
func (b *block) written(label string, src any) (lines []string) {
	for _, k := range b.keys {
		if !k.in(label) {
			continue
		}
		if v := k.write(src); !k.omitted(v) || len(k.unless) > 0 && !b.saysOne(k.unless, src) {
			lines = append(lines, k.name+" = "+literalText(v))
		}
	}
	return lines
}

// saysOne reports whether the block has one of the keys in writing.
func (b *block) saysOne(names []string, src any) bool {
	return slices.ContainsFunc(b.keys, func(k key) bool { return slices.Contains(names, k.name) && !k.omitted(k.write(src)) })
}

// literalText is a value as it is written in HCL.
func literalText(v cty.Value) string {
	return string(hclwrite.TokensForValue(v).Bytes())
}
