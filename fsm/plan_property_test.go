package fsm

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestFreshPlacementByWeight: VIPs placed all at once, on nodes that can all have them, are each node's exact share of
// the weights rounded down or up.
func TestFreshPlacementByWeight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		weights := rapid.SliceOfN(rapid.IntRange(0, 10), 1, 12).Draw(rt, "weights")
		total := rapid.IntRange(0, 60).Draw(rt, "vips")
		w.form(weights...)
		w.configure(vips(total))
		w.plan()
		sum := 0
		for _, x := range weights {
			sum += x
		}
		got := counts(w.s)
		for i, x := range weights {
			id := NodeID(fmt.Sprintf("n%d", i+1))
			exact := 0.0
			if sum > 0 {
				exact = float64(total) * float64(x) / float64(sum)
			}
			if n := float64(got[id]); n < math.Floor(exact-1e-9) || n > math.Ceil(exact+1e-9) {
				rt.Fatalf("%s of weight %d of %d has %v of %d VIPs, its share is %.2f", id, x, sum, n, total, exact)
			}
		}
	})
}

// TestFailoverSpreads: what a fenced node leaves is shared by weight over those that remain, and nothing else moves.
func TestFailoverSpreads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		n := rapid.IntRange(2, 8).Draw(rt, "nodes")
		total := rapid.IntRange(1, 60).Draw(rt, "vips")
		w.form(slices.Repeat([]int{1}, n)...)
		w.configure(vips(total))
		w.plan()
		before := owners(w.s)
		victim := NodeID(fmt.Sprintf("n%d", rapid.IntRange(1, n).Draw(rt, "victim")))
		w.fence(victim)
		after := owners(w.s)
		for k, id := range before {
			if id != victim && after[k] != id || after[k] == victim || after[k] == "" {
				rt.Fatalf("%v went from %s to %q when %s was fenced", k, id, after[k], victim)
			}
		}
		c := counts(w.s)
		for _, other := range slices.Sorted(maps.Keys(w.s.Nodes)) {
			if other != victim && (c[other] < total/(n-1) || c[other] > (total+n-2)/(n-1)) {
				rt.Fatalf("%s has %d of %d VIPs on %d nodes", other, c[other], total, n-1)
			}
		}
	})
}

// TestNothingMovesWithoutCause: a node that joins, a weight that changes, a VIP that comes or goes and a server that fails
// move nothing that is placed.
func TestNothingMovesWithoutCause(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		cfg, s := drawCluster(rt, w)
		w.settle()
		before := owners(w.s)
		switch rapid.IntRange(0, 4).Draw(rt, "change") {
		case 0:
			w.must(Command{PutNode: &PutNode{Node: director("n9", 5)}})
			w.hints.Able["n9"] = true
		case 1:
			n := w.s.Nodes["n1"]
			n.Weight = rapid.IntRange(0, 10).Draw(rt, "weight")
			w.must(Command{PutNode: &PutNode{Node: n}})
		case 2:
			cfg.VIPs = maps.Clone(cfg.VIPs)
			cfg.VIPs["more"] = VIP{Name: "more", Address: netip.MustParsePrefix("192.0.2.250/24")}
			w.configure(cfg)
		case 3: // a node is not able for a while: only a fence may take from it
			delete(w.hints.Able, "n1")
		case 4: // everybody is silent towards a new leader
			w.hints.Able = map[NodeID]bool{}
		}
		w.settle()
		for k, id := range before {
			if got := owners(w.s)[k]; got != id {
				rt.Fatalf("%v moved from %s to %q: %v", k, id, got, w.s.Assignments[k].Reason)
			}
		}
		_ = s
	})
}

// TestDrainMovesOnlyItsOwn: draining moves what the node owns and nothing else, and resuming moves nothing back but for
// preempt.
func TestDrainMovesOnlyItsOwn(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		drawCluster(rt, w)
		w.settle()
		before := owners(w.s)
		w.must(Command{SetDrain: &SetDrain{Node: "n1", Draining: true}})
		w.settle()
		drained := owners(w.s)
		for k, id := range before {
			switch got := drained[k]; {
			case id != "n1" && got != id:
				rt.Fatalf("%v moved from %s to %s when n1 was drained", k, id, got)
			case id == "n1" && got == "n1" && openElsewhere(w, k):
				rt.Fatalf("%v stayed on the draining n1", k)
			}
		}
		w.must(Command{SetDrain: &SetDrain{Node: "n1"}})
		w.settle()
		for k, id := range drained {
			if got := owners(w.s)[k]; got != id && w.s.Assignments[k].Reason.Code != ReasonPreempted {
				rt.Fatalf("%v moved from %s to %s when n1 was resumed: %v", k, id, got, w.s.Assignments[k].Reason)
			}
		}
	})
}

// openElsewhere reports whether another node could have taken all VIPs of k's unit.
func openElsewhere(w *world, k AddressKey) bool {
	p := newPlanner(w.s, w.hints, "")
	for _, u := range p.units {
		if !slices.ContainsFunc(u.members, func(m member) bool { return m.key == k }) {
			continue
		}
		for i, n := range p.nodes {
			if u.open[i] && (n.Weight > 0 || slices.Contains(u.prefer, n.ID)) {
				return true
			}
		}
	}
	return false
}

// drawCluster makes a cluster of 2 to 5 able directors, a random configuration for it, and applies that.
func drawCluster(rt *rapid.T, w *world) (Config, *State) {
	n := rapid.IntRange(2, 5).Draw(rt, "nodes")
	w.form(rapid.SliceOfN(rapid.IntRange(0, 3), n, n).Draw(rt, "weights")...)
	cfg := drawConfig(rt, n, w.s.Schema)
	w.configure(cfg)
	return cfg, w.s
}

// drawConfig is a valid configuration with groups, preferences and services.
func drawConfig(rt *rapid.T, nodes int, schema Schema) Config {
	c := Config{VIPs: map[string]VIP{}, Groups: map[string]Group{}, Services: map[string]Service{}}
	prefer := rapid.Custom(func(rt *rapid.T) []NodeID {
		all := rapid.Permutation([]NodeID{"n1", "n2", "n3", "n4", "n5"}[:nodes]).Draw(rt, "order")
		return all[:rapid.IntRange(0, nodes).Draw(rt, "listed")]
	})
	for _, g := range []string{"g1", "g2"} {
		c.Groups[g] = Group{Name: g, Prefer: prefer.Draw(rt, "prefer"), Preempt: rapid.Bool().Draw(rt, "preempt")}
	}
	for i := range rapid.IntRange(0, 8).Draw(rt, "vips") {
		// Few names and addresses, so that a second configuration renames and swaps.
		name := fmt.Sprintf("v%d", i)
		host := rapid.IntRange(1, 10).Draw(rt, "host")
		v := VIP{Name: name, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(host)}), rapid.SampledFrom([]int{24, 24, 25}).Draw(rt, "bits"))}
		if schema >= schemaHold {
			v.QuorumLost = rapid.SampledFrom([]QuorumLost{ReleaseVIP, HoldVIP}).Draw(rt, "quorum lost")
		}
		v.Network = rapid.SampledFrom([]string{"", "", "", "dmz"}).Draw(rt, "network")
		if v.Group = rapid.SampledFrom([]string{"", "", "g1", "g2"}).Draw(rt, "group"); v.Group == "" {
			v.Prefer, v.Preempt = prefer.Draw(rt, "prefer"), rapid.Bool().Draw(rt, "preempt")
		}
		if schema >= schemaHold {
			drawVRRP(rt, &v, i)
		}
		if v.VRRP != nil && rapid.Bool().Draw(rt, "fallback") {
			v.QuorumLost, v.VRRP.Priority, v.VRRP.Unicast = VRRPVIP, max(v.VRRP.Priority, leastFallback), false
		}
		taken := false
		for _, other := range c.VIPs {
			taken = taken || other.Key() == v.Key()
		}
		if taken {
			continue
		}
		c.VIPs[name] = v
		if rapid.IntRange(0, 3).Draw(rt, "service") == 0 {
			c.Services["s-"+name] = Service{Name: "s-" + name, VIP: name, Port: 80, Protocol: TCP, Forward: rapid.SampledFrom([]Forward{NAT, NAT, DirectRouting}).Draw(rt, "forward"),
				Scheduler: "rr", Servers: []Server{{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}}}
		}
	}
	if schema >= schemaHold {
		c.Routers = map[string]VirtualRouter{"r1": drawRouter(rt, 50)}
	}
	if schema >= schemaHold && rapid.Bool().Draw(rt, "node checks") {
		c.NodeChecks = drawNodeChecks(rt, c)
	}
	if names := slices.Sorted(maps.Keys(c.VIPs)); schema >= schemaHold && len(names) > 0 && rapid.Bool().Draw(rt, "compound") {
		s := Service{Name: "s", Protocol: TCP, Forward: NAT, Scheduler: "rr", Servers: []Server{{Address: netip.MustParseAddrPort("10.0.0.2:0"), Weight: 1}},
			VIPs:  rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(rt, "on"),
			Ports: []PortRange{{443, 443}, {8000, 8099}}, Addresses: []AddressRange{rangeOf(netip.MustParsePrefix("203.0.113.0/28"))}}
		c.Services[s.Name] = s
	}
	return c
}

// drawVRRP has the VIP in shadow, or in a virtual router: of the group g1 the same, of others its own.
func drawVRRP(rt *rapid.T, v *VIP, i int) {
	switch own := rapid.SampledFrom([]string{"router", "", "shadow", "router"}).Draw(rt, "vrrp"); {
	case own == "shadow":
		v.Mode = ShadowMode
	case own == "router" && v.Group == "g1" && v.Network == "":
		v.Router = "r1"
	case own == "router":
		r := drawRouter(rt, uint8(60+i))
		v.VRRP, v.Mode = &r, rapid.SampledFrom([]Mode{LiveMode, LiveMode, ShadowMode}).Draw(rt, "mode")
	}
}

func drawRouter(rt *rapid.T, vrid uint8) VirtualRouter {
	return VirtualRouter{VRID: vrid, Peers: legacies[:rapid.IntRange(1, 2).Draw(rt, "peers")], NoPreempt: rapid.Bool().Draw(rt, "no preempt"), NoYield: rapid.IntRange(0, 3).Draw(rt, "yields") == 0}
}

var legacies = []netip.Addr{netip.MustParseAddr("192.0.2.200"), netip.MustParseAddr("192.0.2.201")}

// drawNodeChecks are up to four checks, of few names, so that a second configuration changes them.
func drawNodeChecks(rt *rapid.T, c Config) map[string]NodeCheck {
	out := map[string]NodeCheck{}
	for i := range rapid.IntRange(0, 4).Draw(rt, "checks") {
		x := processCheck(fmt.Sprintf("c%d", i), 0)
		if x.Required = rapid.Bool().Draw(rt, "required"); !x.Required {
			x.Weight = -rapid.IntRange(1, 3).Draw(rt, "loses")
		}
		if names := slices.Sorted(maps.Keys(c.VIPs)); len(names) > 0 && rapid.Bool().Draw(rt, "some vips") {
			x.VIPs = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, len(names), rapid.ID).Draw(rt, "about")
		}
		if rapid.IntRange(0, 3).Draw(rt, "some groups") == 0 {
			x.Groups = []string{"g1"}
		}
		if rapid.IntRange(0, 3).Draw(rt, "some nodes") == 0 {
			x.Nodes = []NodeID{"n1", "n2"}
		}
		out[x.Name] = x
	}
	return out
}

// processCheck is a check of nodes; with weight 0 a required one.
func processCheck(name string, weight int) NodeCheck {
	c := NewCheck(CheckProcess)
	c.Interval, c.Timeout, c.Rise, c.Fall = 2*time.Second, time.Second, 1, 1
	c.Process.Process, c.Process.Least = "haproxy", 1
	return NodeCheck{Name: name, Checks: []Check{c}, Required: weight == 0, Weight: weight}
}

// TestRandomHistory drives clusters through random commands, plans, confirmations, fences and configurations. checkStep
// looks at every state; this test at every plan, and at the end of the history once the faults stop.
func TestRandomHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.encode = false
		w.schema = rapid.SampledFrom([]Schema{schemaFirst, MaxSchema, MaxSchema}).Draw(rt, "schema")
		w.pass(0)
		drawCluster(rt, w)
		steps := rapid.IntRange(5, 60).Draw(rt, "steps")
		for range steps {
			randomStep(rt, w)
			before := snapshotOf(rt, w.s)
			checkPlan(rt, w)
			checkLocal(rt, w)
			checkShares(rt, w)
			if !slices.Equal(before, snapshotOf(rt, w.s)) {
				rt.Fatal("planning changed the state")
			}
		}
		restored, err := Restore(bytes.NewReader(snapshotOf(rt, w.s)))
		if err != nil {
			rt.Fatal(err)
		}
		if !slices.Equal(snapshotOf(rt, restored), snapshotOf(rt, w.s)) {
			rt.Fatal("the state is another one after a snapshot")
		}
		calm(rt, w)
	})
}

func randomStep(rt *rapid.T, w *world) {
	ids := slices.Sorted(maps.Keys(w.s.Nodes))
	id := rapid.SampledFrom(ids).Draw(rt, "node")
	keys := sortedKeys(w.s.Assignments)
	before := snapshotOf(w.t, w.s)
	old := w.s
	switch rapid.IntRange(0, 23).Draw(rt, "step") {
	case 22, 23: // an owner has found something of what it has, or of what it had
		if w.s.Schema >= schemaVRRP && len(keys) > 0 {
			a := w.s.Assignments[rapid.SampledFrom(keys).Draw(rt, "found")]
			node := rapid.SampledFrom([]NodeID{a.Owner, a.Owner, a.Owner, id}).Draw(rt, "finder")
			w.apply(Command{SetFresh: &SetFresh{Node: node, VIPs: []FreshVIP{{Key: a.Key, Epoch: a.Epoch, Fresh: rapid.SampledFrom([]uint64{a.Fresh, a.Fresh, 0, w.s.Index}).Draw(rt, "fresh")}}}})
		}
	case 19, 20, 21:
		if w.s.Schema >= schemaVRRP {
			drawForeign(rt, w, id)
		}
	case 18:
		if names := slices.Sorted(maps.Keys(w.s.Config.VIPs)); w.s.believes() && len(names) > 0 {
			w.apply(Command{SetPaths: &SetPaths{[]PathEdge{{Node: id, VIP: rapid.SampledFrom(names).Draw(rt, "path"), Cut: rapid.Bool().Draw(rt, "cut")}}}})
		}
	case 0:
		c := drawConfig(rt, 5, w.s.Schema)
		c.Settings = drawSettings(rt, w.s.Schema)
		w.configure(c)
	case 14:
		if w.s.Schema >= schemaHold {
			w.apply(Command{HoldOff: &HoldOff{Node: id, Epoch: w.s.Nodes[id].Epoch, Index: rapid.Uint64Range(0, w.s.Index).Draw(rt, "index")}})
		}
	case 15, 16, 17:
		if w.s.Schema >= schemaHealth {
			found := map[string]Finding{}
			for i := range 4 {
				v := rapid.SampledFrom([]Verdict{Up, Up, Down, Unknown}).Draw(rt, "found")
				found[fmt.Sprintf("c%d", i)] = Finding{Verdict: v, Detail: "seen"}
			}
			w.apply(Command{SetNodeHealth: &SetNodeHealth{Node: id, Store: w.s.Nodes[id].Store, Found: found}})
		}
	case 13:
		w.pass(time.Duration(rapid.IntRange(0, 100).Draw(rt, "seconds")) * time.Second)
	case 1:
		w.apply(Command{SetDrain: &SetDrain{Node: id, Draining: rapid.Bool().Draw(rt, "draining")}})
	case 2:
		if rapid.IntRange(0, 3).Draw(rt, "leave") == 0 {
			w.apply(Command{SetDrain: &SetDrain{Node: id, Draining: true, Leaving: true}})
		}
	case 3:
		w.hints.Able[id] = rapid.Bool().Draw(rt, "able")
		w.hints.Ending[id] = rapid.IntRange(0, 3).Draw(rt, "ending") == 0
	case 4, 5:
		w.plan()
	case 6:
		if len(keys) > 0 {
			k := rapid.SampledFrom(keys).Draw(rt, "confirm")
			if rel := w.s.Assignments[k].Release; rel != nil {
				w.hints.Confirmed[k] = rel.Index
			}
		}
	case 7:
		w.fence(id)
		w.hints.Able[id] = false
	case 8:
		w.apply(Command{RemoveNode: &RemoveNode{Node: id, Store: w.s.Nodes[id].Store}})
	case 9:
		n := director(NodeID(fmt.Sprintf("n%d", rapid.IntRange(1, 6).Draw(rt, "joins"))), rapid.IntRange(0, 3).Draw(rt, "weight"))
		if rapid.IntRange(0, 3).Draw(rt, "other") == 0 {
			n.Facts.Links = nil
		}
		if rapid.Bool().Draw(rt, "ipvs") {
			n.Facts.DataPlane, n.Facts.Forwards = "ipvs", []Forward{NAT, DirectRouting}
		}
		n.Facts.Schema, n.Facts.Unsynced = MaxSchema, rapid.IntRange(0, 3).Draw(rt, "unsynced") == 0
		for _, name := range slices.Sorted(maps.Keys(w.s.Config.VIPs)) {
			if r := cmp.Or(w.s.Config.VIPs[name].Router, name); rapid.IntRange(0, 4).Draw(rt, "deaf") == 0 {
				n.Facts.NoVRRP = append(n.Facts.NoVRRP, DeafRouter{r, "no socket"})
			}
		}
		w.apply(Command{PutNode: &PutNode{Node: n}})
	case 10: // an operator
		if len(keys) > 0 {
			k := rapid.SampledFrom(keys).Draw(rt, "move")
			to := id
			if rapid.IntRange(0, 4).Draw(rt, "anywhere") == 0 {
				to = ""
			}
			w.apply(Command{Decide: &Decide{Release: []StartRelease{{Key: k, Epoch: w.s.Assignments[k].Epoch, To: to, Reason: Reason{rapid.SampledFrom([]ReasonCode{ReasonRequested, ReasonUnheard}).Draw(rt, "code"), "asked for"}}}}})
		}
	case 11: // stale and false decisions
		if len(keys) > 0 {
			k := rapid.SampledFrom(keys).Draw(rt, "stale")
			a := w.s.Assignments[k]
			x := Assign{Key: k, VIP: a.VIP, Owner: id, OwnerEpoch: w.s.Nodes[id].Epoch, Epoch: a.Epoch}
			switch rapid.IntRange(0, 2).Draw(rt, "how") {
			case 0:
				x.Epoch--
			case 1:
				x.OwnerEpoch--
			case 2:
				x.ReleaseIndex = rapid.Uint64Range(0, w.s.Index).Draw(rt, "index")
			}
			w.apply(Command{Decide: &Decide{Assign: []Assign{x}}})
		}
	case 12:
		w.apply(Command{Raise: &Raise{Node: id, Epoch: w.s.Nodes[id].Epoch}})
	}
	if !slices.Equal(before, snapshotOf(w.t, old)) {
		rt.Fatal("a published state was changed")
	}
}

// drawForeign has a router outside the cluster heard, or heard no more.
func drawForeign(rt *rapid.T, w *world, by NodeID) {
	names := []string{"none"}
	for _, r := range w.s.Config.VirtualRouters() {
		names = append(names, r.Name)
	}
	c := SetForeign{Router: rapid.SampledFrom(names).Draw(rt, "router")}
	if rapid.IntRange(0, 2).Draw(rt, "gone") > 0 {
		c.Foreign = &ForeignOwner{Source: rapid.SampledFrom(legacies).Draw(rt, "legacy"), Priority: uint8(rapid.IntRange(1, 255).Draw(rt, "priority")),
			Better: rapid.Bool().Draw(rt, "better"), Reporters: []NodeID{by}}
	}
	w.apply(Command{SetForeign: &c})
}

// checkShares fails unless what is in shadow, and only that, is kept apart from what the node carries, and unless at most one node speaks for a virtual router, which is
// the owner of its VIPs.
func checkShares(rt *rapid.T, w *world) {
	speaks := map[string]NodeID{}
	for id := range w.s.Nodes {
		l := LocalOf(w.s, id)
		had := map[AddressKey]int{}
		each := func(shadow bool, keys ...AddressKey) {
			for _, k := range keys {
				if a := w.s.Assignments[k]; a.Owner != id || a.Shadow != shadow {
					rt.Fatalf("%s has %v, in shadow: %v: %+v", id, k, shadow, a)
				}
				had[k]++
			}
		}
		for _, v := range l.VIPs {
			each(false, v.Key)
		}
		for _, v := range l.Shadow {
			each(true, v.Key)
		}
		for _, r := range l.Releases {
			each(false, r.Key)
			if v, ok := w.s.VIPByKey(r.Key); r.HandsOver && ok && w.s.foreignUnits()[v.unit()] != "" {
				rt.Fatalf("%s is to linger with %v, and a router outside the cluster has it", id, r.Key)
			}
		}
		for _, r := range l.ShadowReleases {
			each(true, r.Key)
		}
		for _, k := range w.s.Owned(id) {
			if had[k] != 1 {
				rt.Fatalf("%s owns %v, and is told of it %d times", id, k, had[k])
			}
		}
		for _, r := range l.Routers {
			if r.Part != RouterSpeaks {
				continue
			}
			if other := speaks[r.Router.Name]; other != "" || r.Owner != id || r.Foreign != nil {
				rt.Fatalf("%s speaks for %+v, and so does %q", id, r, other)
			}
			speaks[r.Router.Name] = id
		}
	}
	for _, r := range w.s.Config.VirtualRouters() {
		owners, leaves := map[NodeID]bool{}, false
		for _, v := range r.VIPs {
			a := w.s.Assignments[v.Key()]
			if owners[a.Owner] = true; a.Owner != "" {
				leaves = leaves || a.Release != nil && a.Release.To != a.Owner && a.VIP == v.Name || a.Shadow != w.s.Config.Shadows(v)
			}
		}
		delete(owners, "")
		_, foreign := w.s.Foreign[r.Name]
		if open := len(owners) == 1 && !leaves && !foreign; open && speaks[r.Name] == "" || len(owners) != 1 && speaks[r.Name] != "" {
			rt.Fatalf("%v own virtual router %s, and %q speaks", owners, r.Name, speaks[r.Name])
		}
	}
}

// checkLocal fails unless each VIP that somebody is to serve has all of its services at its owner, by the mark that they have everywhere, and nowhere
// else unless it is on its way.
func checkLocal(rt *rapid.T, w *world) {
	serves := map[string][]NodeID{} // by service and VIP
	for id := range w.s.Nodes {
		for _, l := range LocalOf(w.s, id).Services {
			for i, name := range l.On {
				if l.Addrs[i] != w.s.Config.VIPs[name].Address.Addr() || l.Mark != w.s.Marks[l.Service.Name] || !slices.Contains(l.Service.On(), name) {
					rt.Fatalf("%s has %+v", id, l)
				}
				serves[l.Service.Name+"/"+name] = append(serves[l.Service.Name+"/"+name], id)
			}
		}
	}
	for _, s := range w.s.Config.Services {
		for _, name := range s.On() {
			v := w.s.Config.VIPs[name]
			a := w.s.Assignments[v.Key()]
			here := serves[s.Name+"/"+name]
			if owned := a.Owner != "" && w.s.Config.Matches(a, v) && !a.Shadow; a.Release == nil && (owned && !slices.Equal(here, []NodeID{a.Owner}) || !owned && len(here) > 0) {
				rt.Fatalf("service %s on vip %s is at %v, and its owner is %q", s.Name, name, here, a.Owner)
			}
		}
	}
}

// checkPlan checks the plan that would be made now, without carrying it out in w.
func checkPlan(rt *rapid.T, w *world) {
	d, ok := Plan(w.s, w.hints)
	if again, _ := Plan(w.s, w.hints); !reflect.DeepEqual(d, again) {
		rt.Fatalf("two plans for the same state:\n%+v\n%+v", d, again)
	}
	if !ok {
		return
	}
	for _, a := range d.Assign {
		n := w.s.Nodes[a.Owner]
		back := w.s.Assignments[a.Key].Owner == a.Owner // keep serving rather than drop
		if a.Owner != "" && (!w.hints.Able[a.Owner] || (n.Draining || n.Leaving || w.hints.Ending[a.Owner]) && !back) {
			rt.Fatalf("assigned to a node that is not able: %+v", a)
		}
		if a.Owner != "" {
			if why := n.misfit(w.s.Config.needsOf()[a.VIP]); why != "" {
				rt.Fatalf("assigned to a node that does not fit: %s: %+v", why, a)
			}
			if why, unsure := unhealthy(w.s, a.VIP, n); why || unsure && !back {
				rt.Fatalf("assigned to a node on which a required check fails or is not known: %+v", a)
			}
		}
		if a.Reason.Code == "" || a.Reason.Text == "" {
			rt.Fatalf("no reason: %+v", a)
		}
	}
	for _, r := range d.Release {
		if r.Reason.Code == "" || r.Reason.Text == "" || r.To != "" && (!w.hints.Able[r.To] || w.hints.Ending[r.To]) {
			rt.Fatalf("release: %+v", r)
		}
		vip, _ := w.s.VIPByKey(r.Key)
		if down, unsure := unhealthy(w.s, vip.Name, w.s.Nodes[r.To]); r.To != "" && vip.Name != "" && (down || unsure) {
			rt.Fatalf("to a node on which a required check fails or is not known: %+v", r)
		}
		if owner := w.s.Assignments[r.Key].Owner; r.To != "" && r.Reason.Code != ReasonUnhealthy && r.Reason.Code != ReasonPath && w.hints.Able[owner] && w.s.Nodes[r.To].Facts.Unsynced {
			rt.Fatalf("%s serves, and is to hand over to a node that lacks its connections: %+v", owner, r)
		}
	}
	checkPaths(rt, w, d)
	s, first := w.s, d
	for round := 0; ; round++ {
		next, res := s.Apply(s.Index+1, Command{At: w.hints.Now, Decide: &d})
		if len(res.Refused) > 0 {
			rt.Fatalf("Apply refused the plan: %+v", res.Refused)
		}
		checkStep(w.t, s, next, Command{Decide: &d}, res)
		s = next
		if d, ok = Plan(s, w.hints); !ok {
			return
		}
		// An address that waits for itself on another network needs a second round, and so does what was bound to its release and,
		// now that this has ended, is moved for balance.
		if round > 0 || !sameAddressTwice(s) && !(endsRelease(first) && forBalance(d)) {
			rt.Fatalf("the plan is not a fixpoint: after %+v\ncomes %+v", first, d)
		}
	}
}

// unhealthy reports whether a required check that concerns the VIP, or another one of its group, is down on the node, or not known there.
func unhealthy(s *State, vip string, n Node) (down, unsure bool) {
	v := s.Config.VIPs[vip]
	for _, c := range s.Config.NodeChecks {
		for _, other := range s.Config.VIPs {
			if same := other.Name == vip || v.Group != "" && other.Group == v.Group; same && c.Required && c.On(n) && c.Concerns(other) {
				down, unsure = down || n.Found(c.Name).Verdict == Down, unsure || n.Found(c.Name).Verdict != Up
			}
		}
	}
	return down, unsure
}

// endsRelease reports whether the plan hands something over that was released, or keeps it after all.
func endsRelease(d Decide) bool {
	return len(d.Cancel) > 0 || slices.ContainsFunc(d.Assign, func(a Assign) bool { return a.ReleaseIndex > 0 })
}

// forBalance reports whether the plan does nothing but begin moves for balance.
func forBalance(d Decide) bool {
	return len(d.Assign)+len(d.Cancel)+len(d.Back) == 0 &&
		!slices.ContainsFunc(d.Release, func(r StartRelease) bool { return r.Reason.Code != ReasonRebalanced })
}

func sameAddressTwice(s *State) bool {
	seen := map[netip.Addr]bool{}
	for k := range s.Assignments {
		if seen[k.Addr] {
			return true
		}
		seen[k.Addr] = true
	}
	for _, v := range s.Config.VIPs {
		if v.Network != "" {
			return true
		}
	}
	return false
}

// calm ends all faults: every VIP that some node can have gets an owner, groups are together, drained nodes are empty.
func calm(rt *rapid.T, w *world) {
	for id, n := range w.s.Nodes {
		w.hints.Able[id] = true
		n.Facts.Unsynced = false
		w.apply(Command{SetFacts: &SetFacts{Node: id, Store: n.Store, Facts: n.Facts}})
	}
	w.settle()
	for k, a := range w.s.Assignments {
		if v, ok := w.s.VIPByKey(k); ok && a.Owner != "" && w.s.foreignUnits()[v.unit()] != "" {
			rt.Fatalf("%v is on %s, and a router outside the cluster has it", k, a.Owner)
		}
	}
	for name := range w.s.Foreign {
		w.must(Command{SetForeign: &SetForeign{Router: name}})
	}
	w.settle()
	p := newPlanner(w.s, w.hints, "")
	for _, u := range p.units {
		can := false
		for i, n := range p.nodes {
			can = can || u.open[i] && (n.Weight > 0 || slices.Contains(u.prefer, n.ID))
		}
		// The rest of a group waits for its home while that has not said yet whether its checks pass: it keeps what it has, and is given nothing.
		waits := slices.ContainsFunc(u.members, func(m member) bool { i := p.owner(m); return i >= 0 && p.unsure(u, i) })
		for _, m := range u.members {
			a := w.s.Assignments[m.key]
			n := w.s.Nodes[a.Owner]
			switch {
			case can && a.Owner == "" && !waits:
				rt.Fatalf("%v has no owner", m.key)
			case a.Owner != "" && p.failing(u, p.index[a.Owner]) != "":
				rt.Fatalf("%v is on %s: %s", m.key, a.Owner, p.failing(u, p.index[a.Owner]))
			case can && (n.Draining || n.Leaving):
				rt.Fatalf("%v is still on %s", m.key, a.Owner)
			case can && !waits && a.Owner != w.s.Assignments[u.members[0].key].Owner:
				rt.Fatalf("group %s is split", u.group)
			case a.Release != nil:
				rt.Fatalf("the release of %v is still pending", m.key)
			case w.s.Tombstone(a):
				rt.Fatalf("%v is still a tombstone", m.key)
			}
		}
	}
	for id, n := range w.s.Nodes {
		if w.s.Schema >= schemaHold {
			w.apply(Command{HoldOff: &HoldOff{Node: id, Epoch: n.Epoch, Index: w.s.Index}})
		}
		if w.s.HoldsEnded(id) > 0 {
			rt.Fatalf("what %s said was not heard", id)
		}
	}
	for k := range w.s.Assignments {
		if _, ok := w.s.VIPByKey(k); !ok {
			rt.Fatalf("the record of %v was not forgotten", k)
		}
	}
}
