package fsm

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// modes is a configuration: a and b are of one virtual router and group with c, d is of c's virtual router's neighbour group, e is by itself.
func modes(cluster Mode, shadow ...string) Config {
	c := Config{Settings: DefaultSettings(), Groups: map[string]Group{"g": {Name: "g"}}, Routers: map[string]VirtualRouter{"r": {VRID: 1}, "s": {VRID: 2}}, VIPs: map[string]VIP{}}
	c.Settings.Mode = cluster
	for i, v := range []VIP{{Name: "a", Group: "g", Router: "r"}, {Name: "b", Group: "g", Router: "r"}, {Name: "c", Group: "g", Router: "s"}, {Name: "d", VRRP: &VirtualRouter{VRID: 3}}, {Name: "e"}} {
		v.Address = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 24)
		if slices.Contains(shadow, v.Name) {
			v.Mode = ShadowMode
		}
		c.VIPs[v.Name] = v
	}
	return c
}

// TestWithMode: all that is bound together changes its mode, and nothing else does, whichever way the mode was written.
func TestWithMode(t *testing.T) {
	for _, x := range []struct {
		name    string
		c       Config
		vip     string
		to      Mode
		changed string
		shadows string // afterwards
	}{
		{"one of a group", modes(LiveMode, "a", "b", "c", "d", "e"), "b", LiveMode, "abc", "de"},
		{"by itself", modes(LiveMode, "a", "b", "c", "d", "e"), "d", LiveMode, "d", "abce"},
		{"the cluster's mode", modes(ShadowMode), "a", LiveMode, "abc", "de"},
		{"both", modes(ShadowMode, "a", "e"), "e", LiveMode, "e", "abcd"},
		{"back", modes(LiveMode, "e"), "c", ShadowMode, "abc", "abce"},
		{"is so already", modes(LiveMode, "e"), "e", ShadowMode, "", "e"},
		{"some of them are", modes(LiveMode, "a"), "b", ShadowMode, "bc", "abc"},
	} {
		before := x.c
		before.VIPs = maps.Clone(x.c.VIPs)
		got, changed := x.c.WithMode(x.vip, x.to)
		var names, shadows string
		for _, n := range changed {
			names += n
		}
		for _, n := range slices.Sorted(maps.Keys(got.VIPs)) {
			if got.Shadows(got.VIPs[n]) {
				shadows += n
			}
		}
		if names != x.changed || shadows != x.shadows {
			t.Errorf("%s: changed %q, in shadow %q, want %q and %q", x.name, names, shadows, x.changed, x.shadows)
		}
		if d := Diff(before, x.c); len(d) > 0 {
			t.Errorf("%s: what it was made of has changed: %v", x.name, d)
		}
		if ps := got.Validate(); len(ps) > 0 {
			t.Errorf("%s: %v", x.name, ps)
		}
	}
	if names := modes(LiveMode).Bound("none"); names != nil {
		t.Errorf("bound to nothing: %v", names)
	}
	if c := modes(ShadowMode); !c.ShadowsAll() || modes(LiveMode, "a").ShadowsAll() || (Config{}).ShadowsAll() {
		t.Error("not all are in shadow that are, or all that are not")
	}
}

// TestUndoMode: what a change of modes has changed is as it was, and written so; what others have changed since stays.
func TestUndoMode(t *testing.T) {
	mode := func(name string, m Mode) func(c Config) Config {
		return func(c Config) Config { c, _ = c.WithMode(name, m); return c }
	}
	nothing := func(c Config) Config { return c }
	for _, x := range []struct {
		name    string
		c       Config
		vip     string
		to      Mode
		since   func(c Config) Config
		shadows string // afterwards
		write   string // what differs from how it was written
	}{
		{"the cluster's mode", modes(ShadowMode), "a", LiveMode, nothing, "abcde", ""},
		{"both", modes(ShadowMode, "a", "e"), "e", LiveMode, nothing, "abcde", ""},
		{"each by itself", modes(LiveMode, "a", "b", "c", "d"), "d", LiveMode, nothing, "abcd", ""},
		{"a mixed group", modes(LiveMode, "c"), "c", LiveMode, nothing, "c", ""},
		{"a mixed group, asked for by another", modes(LiveMode, "c"), "a", LiveMode, nothing, "c", ""},
		{"back of all", modes(LiveMode), "a", ShadowMode, nothing, "", ""},
		{"back of a mixed group", modes(LiveMode, "c", "e"), "a", ShadowMode, nothing, "ce", ""},
		{"another was taken over since", modes(ShadowMode), "a", LiveMode, mode("d", LiveMode), "abce",
			`in cluster: take mode = "shadow" out; in vip "a": mode = "shadow"; in vip "b": mode = "shadow"; in vip "c": mode = "shadow"; in vip "e": mode = "shadow"`},
		{"it is undone already", modes(ShadowMode), "a", LiveMode, mode("a", ShadowMode), "abcde", ""},
		{"one is new in the virtual router", modes(ShadowMode), "a", LiveMode, func(c Config) Config {
			c.VIPs["f"] = VIP{Name: "f", Address: netip.MustParsePrefix("192.0.2.20/24"), Group: "g", Router: "r"}
			return c
		}, "abcdef", ""},
		{"one is new, and live", modes(ShadowMode), "d", LiveMode, func(c Config) Config {
			c.VIPs["f"] = VIP{Name: "f", Address: netip.MustParsePrefix("192.0.2.20/24")}
			return c
		}, "abcde", `in cluster: take mode = "shadow" out; in vip "a": mode = "shadow"; in vip "b": mode = "shadow"; in vip "c": mode = "shadow"; in vip "d": mode = "shadow"; in vip "e": mode = "shadow"`},
		{"one is there no more", modes(ShadowMode), "a", LiveMode, func(c Config) Config { delete(c.VIPs, "b"); return c }, "acde", ""},
	} {
		was := x.c.Modes()
		done, changed := x.c.WithMode(x.vip, x.to)
		back := ShadowMode
		if x.to == ShadowMode {
			back = LiveMode
		}
		got, _ := x.since(done).UndoMode(changed, back, was)
		var shadows string
		for _, n := range slices.Sorted(maps.Keys(got.VIPs)) {
			if got.Shadows(got.VIPs[n]) {
				shadows += n
			}
		}
		write := strings.Join(got.Written(was).ModeLines(got), "; ")
		if shadows != x.shadows || write != x.write || (write == "") != got.Modes().Equal(got.Written(was).Modes()) {
			t.Errorf("%s: in shadow %q, want %q; written otherwise: %s; want %s", x.name, shadows, x.shadows, write, x.write)
		}
		if ps := got.Validate(); len(ps) > 0 {
			t.Errorf("%s: %v", x.name, ps)
		}
	}
	if lines := modes(LiveMode).ModeLines(modes(ShadowMode)); !slices.Equal(lines, []string{`in cluster: mode = "shadow"`}) {
		t.Errorf("to write: %q", lines)
	}
}

// TestPartInShadow: a VIP in shadow is spoken for by nobody, and the owner of one that goes into shadow resigns, so that the routers outside the cluster need not wait.
func TestPartInShadow(t *testing.T) {
	w := newWorld(t)
	st := &script{world: w}
	run := func(line string, body ...string) {
		t.Helper()
		if out := st.run(strings.Fields(line), body); len(out) > 5 && out[:5] == "error" {
			t.Fatal(out)
		}
	}
	part := func() LocalRouter {
		t.Helper()
		l := LocalOf(w.s, "n1").Routers
		if len(l) != 1 {
			t.Fatalf("routers %+v", l)
		}
		return l[0]
	}
	const router = "router VI_1 vrid=51 peers=192.0.2.5"
	run("init n1 schema=7")
	run("able n1")
	run("config", router, "vip a 192.0.2.10/24 router=VI_1 mode=shadow")
	run("settle")
	if p := part(); !p.Shadow || p.Owner != "n1" {
		t.Errorf("in shadow: %+v", p)
	}
	run("config", router, "vip a 192.0.2.10/24 router=VI_1")
	if p := part(); p.Part != RouterListens {
		t.Errorf("before it is its owner's: %+v", p)
	}
	run("settle")
	if p := part(); p.Part != RouterSpeaks || p.Shadow {
		t.Errorf("live: %+v", p)
	}
	run("config", router, "vip a 192.0.2.10/24 router=VI_1 mode=shadow")
	if p := part(); p.Part != RouterResigns || p.Shadow {
		t.Errorf("on its way into shadow: %+v", p)
	}
	if l := LocalOf(w.s, "n1"); len(l.Releases) != 1 || len(l.ShadowReleases) != 0 || l.Releases[0].HandsOver {
		t.Errorf("what is to be given up: %+v, %+v", l.Releases, l.ShadowReleases)
	}
	run("settle")
	if p := part(); !p.Shadow {
		t.Errorf("in shadow again: %+v", p)
	}
}
