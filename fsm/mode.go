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

// WithMode is c with another mode for a VIP and everything that has to have the same: the VIPs of its virtual router and of its group, and of theirs. changed are the
// names of those whose mode is another then, sorted. Where the cluster's mode puts all in shadow and the VIP is to be live, each of the others gets the mode by itself.
func (c Config) WithMode(name string, m Mode) (out Config, changed []string) {
	out = c
	out.VIPs = maps.Clone(c.VIPs)
	bound := c.Bound(name)
	if m == LiveMode && c.Settings.Mode == ShadowMode {
		out.Settings.Mode = LiveMode
		for n, v := range out.VIPs {
			v.Mode = ShadowMode
			out.VIPs[n] = v
		}
	}
	for _, n := range bound {
		v := out.VIPs[n]
		if c.ModeOf(v) != m {
			changed = append(changed, n)
		}
		v.Mode = m
		out.VIPs[n] = v
	}
	return out, changed
}

// Bound are the names of the VIP and of all that can only go with it, sorted: those of one virtual router have one mode, and those of one group one owner.
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
	if c.Settings.Mode != next.Settings.Mode {
		out = append(out, fmt.Sprintf("in cluster: take mode = %q out", c.Settings.Mode.String()))
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
