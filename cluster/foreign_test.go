package cluster

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"quorate/fsm"
)

// foreignScene is a leader's book and a state with two directors, a witness and one virtual router.
type foreignScene struct {
	t     *testing.T
	book  book
	state *fsm.State
	able  map[fsm.NodeID]bool
	alive map[fsm.NodeID]bool // by gossip, while a new leader waits for them
	seq   uint64
	now   time.Time
}

func newForeignScene(t *testing.T) *foreignScene {
	s := fsm.New()
	peer := netip.MustParseAddr("192.0.2.5")
	v := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), VRRP: &fsm.VirtualRouter{VRID: 51, Peers: []netip.Addr{peer}, NoPreempt: true}}
	s.Config.VIPs = map[string]fsm.VIP{"web": v}
	s.Nodes = map[fsm.NodeID]fsm.Node{"a": {ID: "a", Role: fsm.Director}, "b": {ID: "b", Role: fsm.Director}, "w": {ID: "w", Role: fsm.Witness}}
	x := &foreignScene{t: t, now: time.Unix(1e9, 0), state: s, able: map[fsm.NodeID]bool{"a": true, "b": true, "w": true}}
	x.book.open(3)
	return x
}

func (x *foreignScene) awaited(n fsm.NodeID) bool { return x.alive[n] }

func (x *foreignScene) says(n fsm.NodeID, r ForeignReport) {
	x.t.Helper()
	x.seq++
	if err := x.book.takeForeign(foreignBody{Node: n, Term: 3, ForeignReport: r, mark: mark{Process: "p" + string(n), Seq: x.seq}}); err != nil {
		x.t.Fatal(err)
	}
}

// expect compares what is to be agreed after a long time, and agrees on it.
func (x *foreignScene) expect(what, want string) {
	x.t.Helper()
	x.now = x.now.Add(rowEnds)
	c, ok := x.book.foreignOwner(x.state, x.able, x.awaited, x.now)
	got := "nothing"
	switch {
	case ok && c.Foreign == nil:
		got = "gone"
		x.state.Foreign = nil
	case ok:
		got = fmt.Sprintf("%v %d %t %v", c.Foreign.Source, c.Foreign.Priority, c.Foreign.Better, c.Foreign.Reporters)
		x.state.Foreign = map[string]fsm.ForeignOwner{c.Router: *c.Foreign}
	}
	if got != want {
		x.t.Errorf("%s: %s; want %s", what, got, want)
	}
}

func hears(p uint8, better bool) ForeignReport {
	return ForeignReport{Seen: []ForeignSight{{Router: "web", Source: netip.MustParseAddr("192.0.2.5"), Priority: p, Better: better}}}
}

// TestForeignByAnyWord: any node that has its lease makes it so, and all of them end it; the others are not asked, and what they said is worth nothing.
func TestForeignByAnyWord(t *testing.T) {
	x := newForeignScene(t)
	x.says("a", ForeignReport{})
	x.says("b", hears(220, true))
	x.expect("one hears it", "192.0.2.5 220 true [b]")
	x.says("a", hears(220, true))
	x.expect("another too", "nothing")
	x.says("b", ForeignReport{})
	x.expect("one hears it no more", "nothing")
	x.says("b", hears(230, true))
	x.expect("it has another priority", "192.0.2.5 230 true [b]")
	x.able = map[fsm.NodeID]bool{}
	x.expect("nobody has a lease", "nothing")
	x.able = map[fsm.NodeID]bool{"a": true, "w": true}
	x.expect("who heard that is dead", "192.0.2.5 220 true [a]")
	x.says("a", ForeignReport{Unsure: []string{"web"}})
	x.expect("the other has just begun to listen", "nothing")
	x.says("a", ForeignReport{})
	x.expect("nobody who is alive hears it", "gone")
	x.able["b"] = true
	x.expect("who was dead is back: what it said stands", "192.0.2.5 230 true [b]")
}

// TestForeignOutlivesTheLeader: a new leader clears nothing before all directors with a lease have spoken.
func TestForeignOutlivesTheLeader(t *testing.T) {
	x := newForeignScene(t)
	x.says("a", hears(220, true))
	x.expect("heard", "192.0.2.5 220 true [a]")
	x.book.open(4)
	x.expect("a new term", "nothing")
	err := x.book.takeForeign(foreignBody{Node: "a", Term: 3, ForeignReport: hears(220, true), mark: mark{Process: "p", Seq: 100}})
	if !errors.Is(err, errNotLeader) {
		t.Errorf("a report for the term before: %v", err)
	}
	for i, n := range []fsm.NodeID{"b", "a"} {
		if err := x.book.takeForeign(foreignBody{Node: n, Term: 4, mark: mark{Process: "p", Seq: 7}}); err != nil {
			t.Fatal(err)
		}
		x.expect(fmt.Sprintf("%s has spoken", n), []string{"nothing", "gone"}[i])
	}
	x.book.open(0)
	if err := x.book.takeForeign(foreignBody{Node: "a", Term: 4}); !errors.Is(err, errNotLeader) {
		t.Errorf("a report to one that does not lead: %v", err)
	}
}

// TestForeignOfASlowNode: a new leader that does not hear the router itself clears nothing before the others have their leases by its reports, nor before those have spoken that
// are alive; one that hangs is waited for no longer than a leader waits for anybody.
func TestForeignOfASlowNode(t *testing.T) {
	x := newForeignScene(t)
	x.says("a", ForeignReport{})
	x.says("b", hears(220, true))
	x.expect("heard", "192.0.2.5 220 true [b]")
	x.able, x.alive = map[fsm.NodeID]bool{"a": true}, map[fsm.NodeID]bool{"a": true, "b": true, "w": true}
	x.book.open(3)
	x.says("a", ForeignReport{})
	x.expect("a new leader has heard itself alone", "nothing")
	x.says("b", hears(220, true))
	x.expect("the other's word is there before its lease", "nothing")
	x.able["b"] = true
	x.expect("and its lease", "nothing")
	delete(x.able, "b")
	x.book.open(3)
	x.says("a", ForeignReport{})
	x.expect("the other hangs, and lives by gossip", "nothing")
	x.alive = nil
	x.expect("which is waited for no longer", "gone")
}

// TestForeignLastWordCounts: a report that was overtaken, or is of a process that is gone, is not heard.
func TestForeignLastWordCounts(t *testing.T) {
	x := newForeignScene(t)
	say := func(process string, seq uint64, r ForeignReport) {
		if err := x.book.takeForeign(foreignBody{Node: "a", Term: 3, ForeignReport: r, mark: mark{Process: process, Seq: seq}}); err != nil {
			t.Fatal(err)
		}
	}
	say("p", 2, ForeignReport{})
	say("p", 1, hears(220, true))
	x.expect("overtaken", "nothing")
	say("q", 1, ForeignReport{})
	say("p", 3, hears(220, true))
	x.expect("of a process before", "nothing")
	say("q", 2, hears(220, true))
	x.expect("of this one", "192.0.2.5 220 true [a]")
}

// TestForeignOfLowerPriority: that one of lower priority is to be left what it has is for the owner to say, if there is one with a lease: another node may just not hear it.
func TestForeignOfLowerPriority(t *testing.T) {
	x := newForeignScene(t)
	v := x.state.Config.VIPs["web"]
	x.says("a", ForeignReport{})
	x.says("b", hears(100, false))
	x.state.Assignments = map[fsm.AddressKey]fsm.Assignment{v.Key(): {Key: v.Key(), VIP: "web", Owner: "a"}}
	x.expect("the owner does not say so", "nothing")
	x.able["a"] = false
	x.expect("the owner is dead", "192.0.2.5 100 false [b]")
	x.state.Foreign, x.able["a"] = nil, true
	x.says("a", hears(100, false))
	x.expect("the owner says so", "192.0.2.5 100 false [a]")
	v.VRRP.NoPreempt = false
	x.state.Foreign = nil
	x.expect("it is configured otherwise here", "nothing")
	x.says("a", hears(220, true))
	x.says("b", hears(100, false))
	x.expect("a better claim", "192.0.2.5 220 true [a]")
	v.VRRP.Peers = nil
	x.expect("it is listed no more", "gone")
}

// TestForeignReportIsBounded: what one node can say.
func TestForeignReportIsBounded(t *testing.T) {
	x := newForeignScene(t)
	r := ForeignReport{Unsure: slices.Repeat([]string{"x"}, fsm.MaxRouters+1)}
	if err := x.book.takeForeign(foreignBody{Node: "a", Term: 3, ForeignReport: r}); err == nil {
		t.Error("a report without bounds is taken")
	}
}

// TestFreshByItsOwner: what a node has found of its own VIPs is agreed once, and what it says of others' or of an assignment that is over is not.
func TestFreshByItsOwner(t *testing.T) {
	x := newForeignScene(t)
	k := x.state.Config.VIPs["web"].Key()
	x.state.Assignments[k] = fsm.Assignment{Key: k, VIP: "web", Owner: "a", Epoch: 7, Fresh: 7}
	found := func(epoch fsm.Epoch, fresh uint64) ForeignReport {
		return ForeignReport{Fresh: []fsm.FreshVIP{{Key: k, Epoch: epoch, Fresh: fresh}}}
	}
	expect := func(what string, want bool) {
		t.Helper()
		c, ok := x.book.ofRouters(x.state, x.able, x.awaited, x.now)
		if ok != want || ok && (c.SetFresh == nil || c.SetFresh.Node != "a" || len(c.SetFresh.VIPs) != 1) {
			t.Errorf("%s: %t, %+v", what, ok, c)
		}
	}
	x.says("b", found(7, 7))
	expect("of another's", false)
	x.says("a", found(6, 6))
	expect("of an assignment that is over", false)
	x.says("a", found(7, 7))
	x.able = map[fsm.NodeID]bool{"b": true}
	expect("it has opened it", true)
	x.state.Assignments[k] = fsm.Assignment{Key: k, VIP: "web", Owner: "a", Epoch: 7}
	expect("which is agreed", false)
	x.says("a", found(7, 0))
	expect("another host answers", true)
	if err := x.book.takeForeign(foreignBody{Node: "a", Term: 3, ForeignReport: ForeignReport{Fresh: make([]fsm.FreshVIP, fsm.MaxVIPs+1)}}); err == nil {
		t.Error("a report of more VIPs than there may be was taken")
	}
}

// TestForeignFlood: whatever adverts somebody forges for ten minutes, each of them different, there are few entries and fewer events. What is claimed is agreed at once, and
// in the end the last word is.
func TestForeignFlood(t *testing.T) {
	other := netip.MustParseAddr("192.0.2.6")
	claim := func(i int, source netip.Addr, better bool) ForeignReport {
		return ForeignReport{Seen: []ForeignSight{{Router: "web", Source: source, Priority: uint8(201 + i%50), Better: better}}}
	}
	first := netip.MustParseAddr("192.0.2.5")
	for name, c := range map[string]struct {
		say             func(i int) ForeignReport
		entries, events int
	}{
		"the same":                 {func(int) ForeignReport { return claim(0, first, true) }, 1, 1},
		"another priority in each": {func(i int) ForeignReport { return claim(i, first, true) }, 11, 1},
		"two in turns":             {func(i int) ForeignReport { return claim(i, []netip.Addr{first, other}[i%2], true) }, 25, 15},
		"now better, now worse":    {func(i int) ForeignReport { return claim(i, first, i%2 == 0) }, 25, 15},
		"claims, and ends": {func(i int) ForeignReport {
			if i%2 == 1 {
				return ForeignReport{}
			}
			return claim(i, first, true)
		}, 40, 30},
	} {
		x := newForeignScene(t)
		r := x.state.Config.VIPs["web"].VRRP
		r.Peers = append(r.Peers, other)
		x.state.ClusterID, x.state.Schema = "c", fsm.MaxSchema
		x.says("b", ForeignReport{})
		entries, events := 0, 0
		step := func() {
			for range 3 { // a leader goes on until nothing is left
				c, ok := x.book.foreignOwner(x.state, x.able, x.awaited, x.now)
				if !ok {
					break
				}
				next, res := x.state.Apply(x.state.Index+1, fsm.Command{Schema: fsm.MaxSchema, SetForeign: &c})
				if res.Err != nil {
					t.Fatal(name, res.Err)
				}
				entries, events = entries+1, events+len(next.Events)-len(x.state.Events)
				x.state = next
			}
		}
		for i := range 10 * 60 * 20 {
			x.now = x.now.Add(50 * time.Millisecond)
			said := c.say(i)
			x.says("a", said)
			step()
			if _, has := x.state.Foreign["web"]; !has && len(said.Seen) > 0 {
				t.Fatalf("%s: a claim is not agreed at once", name)
			}
		}
		x.says("a", ForeignReport{})
		for range int(lastHold/time.Second) + 1 {
			x.now = x.now.Add(time.Second)
			step()
		}
		if entries > c.entries+1 || events > c.events+1 || len(x.state.Foreign) > 0 {
			t.Errorf("%s: %d entries, %d events, and in the end %v; want at most %d and %d, and nobody", name, entries, events, x.state.Foreign, c.entries+1, c.events+1)
		}
		t.Logf("%s: %d entries, %d events", name, entries, events)
	}
}

// TestForeignPace: one that comes and goes slowly is followed at once; the faster it does so, the longer its last claim stands.
func TestForeignPace(t *testing.T) {
	x := newForeignScene(t)
	x.says("b", ForeignReport{})
	turn := func() time.Duration {
		agree := func(want bool) time.Duration {
			for waited := time.Duration(0); ; waited += time.Second {
				if c, ok := x.book.foreignOwner(x.state, x.able, x.awaited, x.now); ok != (c.Router != "") || ok && (c.Foreign != nil) != want {
					t.Fatalf("to be agreed: %+v", c)
				} else if ok {
					if x.state.Foreign = nil; want {
						x.state.Foreign = map[string]fsm.ForeignOwner{c.Router: *c.Foreign}
					}
					return waited
				}
				x.now = x.now.Add(time.Second)
			}
		}
		x.says("a", hears(220, true))
		if d := agree(true); d > 0 {
			t.Fatalf("a claim waited for %v", d)
		}
		x.says("a", ForeignReport{})
		return agree(false)
	}
	var waited []time.Duration
	for range 8 {
		waited = append(waited, turn()/time.Second)
	}
	if want := []time.Duration{0, 2, 4, 8, 16, 32, 64, 64}; !slices.Equal(waited, want) {
		t.Errorf("waited for %v s", waited)
	}
	x.now = x.now.Add(rowEnds)
	if d := turn(); d > 0 {
		t.Errorf("after a quiet time it waited for %v", d)
	}
}

// TestAlikeReports: what differs in a router's priority alone may wait, and nothing else may.
func TestAlikeReports(t *testing.T) {
	whole := func() ForeignReport {
		r := hears(220, true)
		r.Unsure, r.Fresh = []string{"db"}, []fsm.FreshVIP{{Epoch: 7}}
		return r
	}
	for name, c := range map[string]struct {
		change       func(*ForeignReport)
		alike, equal bool
	}{
		"nothing":              {func(*ForeignReport) {}, true, true},
		"its priority":         {func(r *ForeignReport) { r.Seen[0].Priority = 221 }, true, false},
		"it outranks no more":  {func(r *ForeignReport) { r.Seen[0].Better = false }, false, false},
		"another one":          {func(r *ForeignReport) { r.Seen[0].Source = netip.MustParseAddr("192.0.2.6") }, false, false},
		"of another":           {func(r *ForeignReport) { r.Seen[0].Router = "api" }, false, false},
		"one more":             {func(r *ForeignReport) { r.Seen = append(r.Seen, r.Seen[0]) }, false, false},
		"none":                 {func(r *ForeignReport) { r.Seen = nil }, false, false},
		"it is sure":           {func(r *ForeignReport) { r.Unsure = nil }, false, false},
		"it has opened a VIP":  {func(r *ForeignReport) { r.Fresh[0].Fresh = 7 }, false, false},
		"it has found nothing": {func(r *ForeignReport) { r.Fresh = nil }, false, false},
	} {
		r, o := whole(), whole()
		c.change(&o)
		if r.alike(o) != c.alike || o.alike(r) != c.alike || r.equal(o) != c.equal {
			t.Errorf("%s: alike %t, equal %t", name, r.alike(o), r.equal(o))
		}
		if whole().Seen[0] != r.Seen[0] {
			t.Errorf("%s: a comparison has changed it", name)
		}
	}
}
