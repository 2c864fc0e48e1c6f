package agent

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
)

// However a server's checks came out, an observation says up only when enough passed, down only when they cannot any more, and asks for the least that those
// which pass ask for; and one result more never turns up into down but by a check that passed before.
func TestCombine(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(rt, "checks")
		o := newObserver("n1", nil, nil)
		a := probing{need: rapid.IntRange(1, n).Draw(rt, "need"), weight: 100}
		up, down, least := 0, 0, 101
		for i := range n {
			id := string(rune('a' + i))
			a.ids, a.checks = append(a.ids, id), append(a.checks, i)
			switch rapid.SampledFrom([]string{"up", "down", "open"}).Draw(rt, "result") {
			case "up":
				r := health.Transition{ID: id, Up: true}
				if up++; rapid.Bool().Draw(rt, "asks") {
					r.Weight = health.Weight{Asked: true, Percent: true, Value: rapid.IntRange(0, 100).Draw(rt, "percent")}
					least = min(least, r.Weight.Value)
				}
				o.results[id] = r
			case "down":
				o.results[id] = health.Transition{ID: id, Detail: "refused"}
				down++
			}
		}
		obs, known := o.combine(fsm.ServerKey{}, a)
		switch {
		case up >= a.need:
			if !known || !obs.Up || obs.Asked.Is != (least <= 100) || obs.Asked.Is && obs.Asked.Value != least || obs.Detail != "" {
				rt.Fatalf("%d of %d up, need %d: %+v, %v", up, n, a.need, obs, known)
			}
		case n-down < a.need:
			if !known || obs.Up || obs.Asked.Is || obs.Detail != "refused" {
				rt.Fatalf("%d of %d down, need %d: %+v, %v", down, n, a.need, obs, known)
			}
		case known:
			rt.Fatalf("%d up, %d down of %d, need %d: %+v", up, down, n, a.need, obs)
		}
	})
}

// The owner of the VIP probes too, whoever the observers are, and so does a node whose path to the servers is cut, until it is well.
func TestOwnerWatches(t *testing.T) {
	w := newWorld()
	w.apply(t, fsm.Command{Init: &fsm.Init{ClusterID: "c", Settings: fsm.DefaultSettings(), Node: fsm.Node{ID: "n1", Store: "s1", Role: fsm.Director, Weight: 1, Facts: fsm.Facts{Schema: fsm.MaxSchema}}}, Schema: fsm.MaxSchema})
	for _, n := range []fsm.NodeID{"n2", "n3"} {
		w.apply(t, fsm.Command{PutNode: &fsm.PutNode{Node: fsm.Node{ID: n, Store: fsm.StoreID("s" + n), Role: fsm.Director, Weight: 1, Facts: fsm.Facts{Schema: fsm.MaxSchema}}}})
	}
	vip := fsm.VIP{Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}
	settings := fsm.DefaultSettings()
	settings.Observers = 1
	key := fsm.ServerKey{Service: "a", Address: netip.MustParseAddrPort("10.0.0.1:80")}
	s := w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: settings, VIPs: map[string]fsm.VIP{"web": vip}, Services: map[string]fsm.Service{
		"a": {Name: "a", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "wrr", Forward: fsm.NAT, Checks: []fsm.Check{check(fsm.CheckTCP)}, Servers: []fsm.Server{{Address: key.Address, Weight: 1}}},
	}}}})
	var other fsm.NodeID
	for id := range s.Nodes {
		if !slices.Contains(fsm.Observers(s, key), id) {
			other = id
		}
	}
	o := newObserver(other, func([]cluster.Observation) {}, func([]fsm.ServerKey) {})
	probes := func(what string, want int) {
		t.Helper()
		if what != "it is no observer" && o.stands(s) {
			t.Errorf("%s: that is not seen as a reason to look anew", what)
		}
		if got := len(o.targets(s)); got != want {
			t.Fatalf("%s: %d probes, want %d", what, got, want)
		}
		if !o.stands(s) {
			t.Errorf("%s: there is a reason to look anew without end", what)
		}
	}
	probes("it is no observer", 0)
	s = w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: vip.Key(), VIP: "web", Owner: other, OwnerEpoch: s.Nodes[other].Epoch}}}})
	probes("it owns the VIP", 1)
	s = w.apply(t, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{{Node: other, VIP: "web", Cut: true}}}})
	rel := s.Assignments[vip.Key()]
	s = w.apply(t, fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: vip.Key(), Epoch: rel.Epoch, Reason: fsm.Reason{Code: fsm.ReasonPath}}}}})
	s = w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: vip.Key(), VIP: "web", Epoch: rel.Epoch, ReleaseIndex: s.Assignments[vip.Key()].Release.Index}}}})
	if !o.stands(s) {
		t.Error("it probes as before, as its path is cut")
	}
	s = w.apply(t, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{{Node: other, VIP: "web"}}}})
	probes("its path is well", 0)
	third := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Nodes)), func(n fsm.NodeID) bool { return n == other })[0]
	s = w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: vip.Key(), VIP: "web", Owner: third, OwnerEpoch: s.Nodes[third].Epoch, Epoch: s.Assignments[vip.Key()].Epoch}}}})
	if !o.stands(s) {
		t.Error("a VIP that goes to another node has all servers gone through")
	}
}
