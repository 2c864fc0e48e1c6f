package fsm

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// cutFrom reports whether the node has a fault of its path to any VIP of k's unit.
func cutFrom(s *State, k AddressKey, node NodeID) bool {
	if _, configured := s.VIPByKey(k); !configured {
		return false
	}
	return s.Nodes[node].cutFrom(newPlanner(s, Hints{}, "").unitWith(k))
}

// reaching reports whether a node other than the owner could be given all VIPs of k's unit and has a path to all their servers.
func reaching(w *world, k AddressKey) bool {
	p := newPlanner(w.s, w.hints, "")
	u := p.unitWith(k)
	for i, n := range p.nodes {
		unsure := u.standings != nil && u.standings[i].unsure != "" // a check of the node has not said yet whether it may
		if p.ready[i] && u.fit[i] && !unsure && (n.Weight > 0 || slices.Contains(u.prefer, n.ID)) && !n.cutFrom(u) {
			return true
		}
	}
	return false
}

// checkPaths fails when the plan gives something to a node with a fault of its path while another one without is able.
func checkPaths(rt *rapid.T, w *world, d Decide) {
	check := func(k AddressKey, to NodeID, what any) {
		if _, configured := w.s.VIPByKey(k); configured && to != "" && cutFrom(w.s, k, to) && reaching(w, k) {
			rt.Fatalf("to a node that does not reach the servers, and others do: %+v", what)
		}
	}
	for _, a := range d.Assign {
		check(a.Key, a.Owner, a)
	}
	for _, r := range d.Release {
		check(r.Key, r.To, r)
	}
}

// pathWorld is a cluster of so many directors, the VIPs web and back in one group, and the service web on the first.
func pathWorld(t tb, nodes int, change func(*Config)) *world {
	w := newWorld(t)
	w.pass(0)
	w.form(slices.Repeat([]int{1}, nodes)...)
	c := Config{
		VIPs:   map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Group: "g"}, "back": {Name: "back", Address: netip.MustParsePrefix("192.0.2.11/24"), Group: "g"}},
		Groups: map[string]Group{"g": {Name: "g", Prefer: []NodeID{"n1"}, Preempt: true}},
		Services: map[string]Service{"web": {Name: "web", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT,
			Checks:  []Check{{Type: CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1}},
			Servers: []Server{{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}}}},
	}
	if change != nil {
		change(&c)
	}
	w.configure(c)
	w.settle()
	return w
}

// at is the only owner of all VIPs.
func (w *world) at() (owner NodeID) {
	for _, id := range owners(w.s) {
		if owner != "" && owner != id {
			w.t.Fatalf("on %s and %s", owner, id)
		}
		owner = id
	}
	return owner
}

// TestPathFault: a group leaves the node whose path is broken, and comes back for its preference once the path is whole and the hold-down over.
func TestPathFaultOfGroup(t *testing.T) {
	w := pathWorld(t, 3, nil)
	web := netip.MustParseAddr("192.0.2.10")
	is := func(want NodeID) {
		t.Helper()
		w.settle()
		if got := w.at(); got != want {
			t.Fatalf("on %s, want %s: %+v", got, want, w.s.Assignments[AddressKey{Addr: web}].Reason)
		}
	}
	is("n1")
	w.path("n1", "web", true)
	d, _ := Plan(w.s, w.hints)
	if len(d.Release) != 2 || d.Release[0].Reason.Code != ReasonPath || !strings.HasPrefix(d.Release[0].Reason.Text, "n1 does not reach the servers, and other nodes do; ") {
		t.Fatalf("%+v", d)
	}
	w.settle()
	second := w.at()
	third := map[NodeID]NodeID{"n2": "n3", "n3": "n2"}[second]
	if second == "n1" || w.s.Assignments[AddressKey{Addr: web}].Reason.Code != ReasonPath {
		t.Fatalf("on %s: %+v", second, w.s.Assignments[AddressKey{Addr: web}])
	}
	x, _ := Explain(w.s, w.hints, AddressKey{Addr: web})
	if n1 := x.Nodes[0]; n1.Able || n1.WhyNot != "n1 does not reach the servers, and other nodes do" {
		t.Errorf("%+v", n1)
	}
	// Neither a long time, nor a new leader that has heard of nobody yet but itself, nor an operator brings it back.
	w.pass(2 * time.Hour)
	is(second)
	w.able("n1")
	is(second)
	w.able("n1", "n2", "n3")
	k := AddressKey{Addr: web}
	w.must(Command{Decide: &Decide{Release: []StartRelease{{Key: k, Epoch: w.s.Assignments[k].Epoch, To: "n1", Reason: Reason{ReasonRequested, "asked"}}}}})
	is(second)

	// The other one's path breaks too: the third gets it. When all are broken it stays where it is, and nobody else without an able node gets it.
	w.path(second, "web", true)
	is(third)
	w.path(third, "web", true)
	is(third)
	x, _ = Explain(w.s, w.hints, k)
	if !slices.ContainsFunc(x.Movers, func(s string) bool { return strings.Contains(s, "does not reach the servers") }) {
		t.Errorf("explain does not tell: %q", x.Movers)
	}
	// The owner dies: somebody gets it, as nobody is worse.
	w.fence(third)
	w.able("n1", second)
	is("n1")
	// One path is whole again: it goes there, for good.
	w.path(second, "web", false)
	is(second)
	w.path("n1", "web", false)
	is(second) // it was moved just now
	w.pass(2 * time.Hour)
	is("n1")
}

// TestLastNodeKeeps: the last node that is able keeps what it has, and gives it away as soon as there is another one.
func TestLastNodeKeeps(t *testing.T) {
	w := pathWorld(t, 2, nil)
	w.able("n1")
	w.path("n1", "web", true)
	w.settle()
	if got := w.at(); got != "n1" {
		t.Fatalf("on %s", got)
	}
	w.able("n1", "n2")
	w.settle()
	if got := w.at(); got != "n2" {
		t.Fatalf("on %s", got)
	}
	// One that draws near its end is no other one.
	w.must(Command{SetDrain: &SetDrain{Node: "n2", Draining: true}})
	w.settle()
	if got := w.at(); got != "n1" {
		t.Fatalf("on %s", got)
	}
}

// TestPathFaultHasItsWay: it waits neither for a node that does not have the connections yet, nor for the budget.
func TestPathFaultHasItsWay(t *testing.T) {
	w := pathWorld(t, 2, func(c *Config) { c.Settings.MaxMoves = 1 })
	n2 := w.s.Nodes["n2"]
	n2.Facts.Unsynced = true
	w.must(Command{SetFacts: &SetFacts{Node: "n2", Store: n2.Store, Facts: n2.Facts}})
	w.path("n1", "web", true)
	w.settle()
	if got := w.at(); got != "n2" {
		t.Fatalf("on %s", got)
	}
}
