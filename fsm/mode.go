package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Mode is whether what is decided is done. Since schema 7.
type Mode string

// The modes. The zero value is live, so that a configuration that does not ask for more is written as before.
const (
	LiveMode   Mode = ""
	ShadowMode Mode = "shadow" // it is only recorded what would be done: nothing in any kernel is touched
)

// String is the form used in configuration files and texts.
func (m Mode) String() string { return cmp.Or(string(m), "live") }

// ModeOf is the mode of the VIP: its own or, where that is live, that of the cluster.
func (c Config) ModeOf(v VIP) Mode { return cmp.Or(v.Mode, c.Settings.Mode) }

// Shadows reports whether the VIP is in shadow.
func (c Config) Shadows(v VIP) bool { return c.ModeOf(v) == ShadowMode }

// Matches reports whether v is still what the assignment was made for: the same name, address, prefix length, interface and mode.
func (c Config) Matches(a Assignment, v VIP) bool { return a.made(v) && a.Shadow == c.Shadows(v) }

// wouldHave tells what the owner of a VIP in shadow would have done. That is told when it is decided, as for any other VIP: once, and not more often than VIPs may move.
func (e *entry) wouldHave(a Assignment, done string, why Reason) {
	e.event(Event{Kind: EventShadow, Node: a.Owner, VIP: a.VIP, Reason: why.Code,
		Text: fmt.Sprintf("%s (%v): in shadow: %s would have %s%s", a.VIP, a.Key, a.Owner, done, because(why))})
}

// shadowed says what the new owner would have done, where the record was rec before.
func shadowed(rec Assignment, owner NodeID) string {
	switch {
	case rec.Owner == owner:
		return "kept it"
	case rec.Owner != "":
		return fmt.Sprintf("taken it over from %s", rec.Owner)
	}
	return "taken it over"
}

// ShadowsAll reports whether there are VIPs, and all of them are in shadow: then nothing at all is to be done in any kernel.
func (c Config) ShadowsAll() bool {
	for _, v := range c.VIPs {
		if !c.Shadows(v) {
			return false
		}
	}
	return len(c.VIPs) > 0
}

// WithMode is c with another mode for a VIP and everything that goes together with it: the VIPs of its virtual router and of its group, and of theirs. changed are the
// names of those whose mode is another then, sorted. Where the cluster's mode puts all in shadow and the VIP is to be live, each of the others gets the mode by itself.
func (c Config) WithMode(name string, m Mode) (out Config, changed []string) {
	return c.setMode(c.Bound(name), m)
}

func (c Config) setMode(names []string, m Mode) (out Config, changed []string) {
	out = c
	out.VIPs = maps.Clone(c.VIPs)
	if m == LiveMode && c.Settings.Mode == ShadowMode {
		out.Settings.Mode = LiveMode
		for n, v := range out.VIPs {
			v.Mode = ShadowMode
			out.VIPs[n] = v
		}
	}
	for _, n := range names {
		v := out.VIPs[n]
		if c.ModeOf(v) != m {
			changed = append(changed, n)
		}
		v.Mode = m
		out.VIPs[n] = v
	}
	return out, changed
}

// Modes are the modes as they are written.
type Modes struct {
	Cluster Mode     `json:"cluster,omitempty"`
	Shadows []string `json:"shadows,omitempty"` // VIPs that are in shadow by themselves, sorted
}

// Modes are those of the configuration.
func (c Config) Modes() Modes {
	out := Modes{Cluster: c.Settings.Mode}
	for n, v := range c.VIPs {
		if v.Mode == ShadowMode {
			out.Shadows = append(out.Shadows, n)
		}
	}
	slices.Sort(out.Shadows)
	return out
}

// Equal reports whether both are written alike.
func (m Modes) Equal(o Modes) bool {
	return m.Cluster == o.Cluster && slices.Equal(m.Shadows, o.Shadows)
}

// Written is c with its modes written so.
func (c Config) Written(modes Modes) Config {
	out := c
	out.Settings.Mode = modes.Cluster
	out.VIPs = maps.Clone(c.VIPs)
	shadows := make(map[string]bool, len(modes.Shadows))
	for _, n := range modes.Shadows {
		shadows[n] = true
	}
	for n, v := range out.VIPs {
		v.Mode = LiveMode
		if shadows[n] {
			v.Mode = ShadowMode
		}
		out.VIPs[n] = v
	}
	return out
}

// UndoMode undoes a WithMode: m is the mode that the VIPs it changed had before, and was how all modes were written. Only those VIPs get another mode, with what has got into
// their virtual routers since, as one of those has one mode. All is written as it was, unless something is live by now that would not be then: that came otherwise, and stays.
func (c Config) UndoMode(vips []string, m Mode, was Modes) (out Config, changed []string) {
	with := map[string]bool{}
	for _, n := range vips {
		if r := c.VIPs[n].RouterName(); r != "" {
			with[r] = true
		}
	}
	var names []string
	for n, v := range c.VIPs {
		if with[v.RouterName()] || slices.Contains(vips, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	out, changed = c.setMode(names, m)
	if written := out.Written(was); written.sameModes(out) {
		out = written
	}
	return out, changed
}

// sameModes reports whether all VIPs have the same modes in both, however they are written.
func (c Config) sameModes(o Config) bool {
	for n, v := range c.VIPs {
		if c.ModeOf(v) != o.ModeOf(o.VIPs[n]) {
			return false
		}
	}
	return true
}

// Bound are the names of the VIP and of all that goes together with it, sorted: those of one virtual router have one mode, and those of one group one owner. A group may
// have VIPs of both modes, as where a new one is rehearsed in its place.
func (c Config) Bound(name string) []string {
	if _, ok := c.VIPs[name]; !ok {
		return nil
	}
	in := map[string]bool{name: true}
	for grown := true; grown; {
		grown = false
		for n, v := range c.VIPs {
			if in[n] {
				continue
			}
			for m := range in {
				w := c.VIPs[m]
				if v.Group != "" && v.Group == w.Group || v.RouterName() != "" && v.RouterName() == w.RouterName() {
					in[n], grown = true, true
					break
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(in))
}

// ModeLines say what to write into the configuration files where c was in force and next is: the modes that are others.
func (c Config) ModeLines(next Config) (out []string) {
	switch was, is := c.Settings.Mode, next.Settings.Mode; {
	case was == is:
	case is == ShadowMode:
		out = append(out, fmt.Sprintf("in cluster: mode = %q", is.String()))
	default:
		out = append(out, fmt.Sprintf("in cluster: take mode = %q out", was.String()))
	}
	for _, n := range slices.Sorted(maps.Keys(next.VIPs)) {
		switch was, is := c.VIPs[n].Mode, next.VIPs[n].Mode; {
		case was == is:
		case is == ShadowMode:
			out = append(out, fmt.Sprintf("in vip %q: mode = %q", n, is.String()))
		default:
			out = append(out, fmt.Sprintf("in vip %q: take mode = %q out", n, was.String()))
		}
	}
	return out
}
