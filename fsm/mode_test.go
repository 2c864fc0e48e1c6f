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
