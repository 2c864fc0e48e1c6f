package fsm

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

// found commits what a node found by its checks.
func (w *world) found(id NodeID, verdicts map[string]Verdict) {
	w.t.Helper()
	f := map[string]Finding{}
	for name, v := range verdicts {
		f[name] = Finding{Verdict: v, Detail: "no process haproxy"}
	}
	w.must(Command{Actor: string(id), SetNodeHealth: &SetNodeHealth{Node: id, Store: w.s.Nodes[id].Store, Found: f}})
}

// everywhere commits the same finding of all nodes.
func (w *world) everywhere(check string, v Verdict) {
	w.t.Helper()
	for _, id := range []NodeID{"n1", "n2", "n3"} {
		w.found(id, map[string]Verdict{check: v})
	}
}

// checkedWorld has three directors and one VIP, which prefers n1, then n2, with the checks.
func checkedWorld(t *testing.T, preempt bool, checks ...NodeCheck) (*world, AddressKey) {
	w := newWorld(t)
	w.form(1, 1, 1)
	w.pass(0)
	c := vips(1)
	v := c.VIPs["v0000"]
	v.Prefer, v.Preempt = []NodeID{"n1", "n2"}, preempt
	c.VIPs["v0000"] = v
	c.NodeChecks = map[string]NodeCheck{}
	for _, x := range checks {
		c.NodeChecks[x.Name] = x
	}
	w.configure(c)
	return w, v.Key()
}

func (w *world) ownedBy(k AddressKey, want NodeID, code ReasonCode) {
	w.t.Helper()
	w.settle()
	if a := w.s.Assignments[k]; a.Owner != want || code != "" && a.Reason.Code != code {
		w.t.Fatalf("the owner is %q (%v), want %q (%s)", a.Owner, a.Reason, want, code)
	}
}

func TestRequiredCheck(t *testing.T) {
	w, k := checkedWorld(t, false, processCheck("haproxy", 0))
	w.ownedBy(k, "", "")
	if waits := Waiting(w.s, w.hints); len(waits) != 1 || !strings.Contains(waits[0].Reason.Text, "n1 has not said yet whether check haproxy passes") {
		t.Errorf("what waits before anybody has said anything: %+v", waits)
	}
	w.everywhere("haproxy", Up)
	w.ownedBy(k, "n1", ReasonPlaced)

	w.found("n1", map[string]Verdict{"haproxy": Down})
	d, _ := Plan(w.s, w.hints)
	if len(d.Release) != 1 || d.Release[0].To != "n2" || d.Release[0].Reason.Code != ReasonUnhealthy {
		t.Fatalf("the plan after the check failed on the owner: %+v", d)
	}
	if want := "check haproxy fails on n1: no process haproxy; n2 is the most preferred node that is able"; d.Release[0].Reason.Text != want {
		t.Errorf("reason %q, want %q", d.Release[0].Reason.Text, want)
	}
	w.ownedBy(k, "n2", ReasonUnhealthy)

	w.found("n1", map[string]Verdict{"haproxy": Up})
	w.ownedBy(k, "n2", ReasonUnhealthy) // preempt is off

	w.found("n2", map[string]Verdict{"haproxy": Unknown})
	w.ownedBy(k, "n2", ReasonUnhealthy) // it keeps what it has

	w.everywhere("haproxy", Down)
	w.ownedBy(k, "", ReasonUnhealthy)
	x, _ := Explain(w.s, w.hints, k)
	if len(x.Nodes) != 3 || x.Nodes[2].WhyNot != "check haproxy fails on n3: no process haproxy" || x.Nodes[2].Checks[0].Verdict != Down {
		t.Errorf("explained: %+v", x.Nodes)
	}
	w.found("n3", map[string]Verdict{"haproxy": Unknown})
	w.ownedBy(k, "", ReasonUnhealthy) // what is not known gets nothing
	w.found("n3", map[string]Verdict{"haproxy": Up})
	w.ownedBy(k, "n3", ReasonPlaced)

	// A fence takes away what is known of the node.
	w.found("n1", map[string]Verdict{"haproxy": Up})
	w.fence("n3")
	if got := w.s.Nodes["n3"].Checks; got != nil {
		t.Errorf("the fenced node still has %v", got)
	}
	w.ownedBy(k, "n1", ReasonFenced)
}

// TestRequiredCheckIsNotHeldBack: neither hold-down, nor budget, nor connections that are not there yet keep a VIP where it must not be.
func TestRequiredCheckIsNotHeldBack(t *testing.T) {
	w, k := checkedWorld(t, true, processCheck("haproxy", 0))
	w.everywhere("haproxy", Up)
	w.ownedBy(k, "n1", "")
	for _, id := range []NodeID{"n2", "n3"} {
		n := w.s.Nodes[id]
		n.Facts.Unsynced = true
		w.must(Command{SetFacts: &SetFacts{Node: id, Store: n.Store, Facts: n.Facts}})
	}
	w.found("n1", map[string]Verdict{"haproxy": Down})
	w.ownedBy(k, "n2", ReasonUnhealthy)
	// Back at n1 all is well, but the VIP has just failed over: preemption waits for its hold-down.
	w.found("n1", map[string]Verdict{"haproxy": Up})
	w.ownedBy(k, "n2", ReasonUnhealthy)
	w.found("n2", map[string]Verdict{"haproxy": Down}) // what has to be does not wait
	w.ownedBy(k, "n1", ReasonUnhealthy)
}

func TestWeightedCheck(t *testing.T) {
	w, k := checkedWorld(t, true, processCheck("uplink", -20), processCheck("disk", -5))
	w.everywhere("uplink", Up)
	w.ownedBy(k, "n1", "")
	w.found("n1", map[string]Verdict{"disk": Down})
	w.ownedBy(k, "n2", ReasonUnhealthy)
	if text := w.s.Assignments[k].Reason.Text; text != "n1 has a score of -5 (disk); n2 is the most preferred node that is able" {
		t.Errorf("reason %q", text)
	}
	// The unit is held down after that.
	w.found("n2", map[string]Verdict{"uplink": Down})
	w.ownedBy(k, "n2", ReasonUnhealthy)
	x, _ := Explain(w.s, w.hints, k)
	if len(x.Holds) == 0 || x.Nodes[1].Score != -20 || !strings.Contains(strings.Join(x.Movers, "; "), "n2 has a score of -20 (uplink)") {
		t.Errorf("explained: %+v", x)
	}
	w.pass(DefaultHoldDown)
	w.ownedBy(k, "n3", ReasonUnhealthy) // 0, where n1 has -5
	w.pass(time.Hour)
	w.found("n1", map[string]Verdict{"disk": Unknown}) // as good as not down
	w.ownedBy(k, "n1", ReasonPreempted)
	// A node of a lower score is better than none.
	w.found("n1", map[string]Verdict{"uplink": Down, "disk": Down})
	w.fence("n3")
	w.hints.Able["n3"] = false
	w.fence("n2")
	w.hints.Able["n2"] = false
	w.ownedBy(k, "n1", "")
}

// TestWeightLosesToRequest: what an operator asked for stays.
func TestWeightLosesToRequest(t *testing.T) {
	w, k := checkedWorld(t, false, processCheck("uplink", -20))
	w.ownedBy(k, "n1", "")
	w.found("n3", map[string]Verdict{"uplink": Down})
	w.must(Command{Decide: &Decide{Release: []StartRelease{{Key: k, Epoch: w.s.Assignments[k].Epoch, To: "n3", Reason: Reason{ReasonRequested, "asked"}}}}})
	w.ownedBy(k, "n3", ReasonRequested)
}

// TestChecksOfGroupsAndNodes: a check may be about some VIPs and some nodes.
func TestChecksOfGroupsAndNodes(t *testing.T) {
	some := processCheck("haproxy", 0)
	some.VIPs, some.Nodes = []string{"v0000"}, []NodeID{"n1"}
	w, k := checkedWorld(t, false, some)
	w.found("n2", map[string]Verdict{"haproxy": Down}) // it is not asked
	if got := w.s.Nodes["n2"].Checks; got != nil {
		t.Errorf("n2, which does not carry the check out, has %v", got)
	}
	w.ownedBy(k, "n2", "") // n1 has not said anything yet
	some.VIPs, some.Nodes, some.Groups = nil, nil, []string{"g"}
	c := w.s.Config
	c.VIPs = maps.Clone(c.VIPs)
	c.Groups = map[string]Group{"g": {Name: "g"}}
	c.VIPs["w"] = VIP{Name: "w", Address: vips(2).VIPs["v0001"].Address, Group: "g"}
	c.NodeChecks = map[string]NodeCheck{"haproxy": some}
	w.configure(c)
	w.everywhere("haproxy", Down)
	w.settle()
	if a := w.s.Assignments[c.VIPs["w"].Key()]; a.Owner != "" {
		t.Errorf("the group's VIP is on %s", a.Owner)
	}
	w.ownedBy(k, "n2", "")
	c.NodeChecks = nil
	w.configure(c)
	for id, n := range w.s.Nodes {
		if n.Checks != nil {
			t.Errorf("%s still has %v of a check that is gone", id, n.Checks)
		}
	}
	w.settle()
	if a := w.s.Assignments[c.VIPs["w"].Key()]; a.Owner == "" {
		t.Error("the check is gone, and the VIP of the group has no owner")
	}
}

func TestNodeHealthIsOfTheStore(t *testing.T) {
	w, _ := checkedWorld(t, false, processCheck("haproxy", 0))
	res := w.apply(Command{SetNodeHealth: &SetNodeHealth{Node: "n1", Store: "another", Found: map[string]Finding{"haproxy": {Up, ""}}}})
	if !errors.Is(res.Err, ErrStale) || w.s.Nodes["n1"].Checks != nil {
		t.Errorf("another store's word: %v, %v", res.Err, w.s.Nodes["n1"].Checks)
	}
	events := len(w.s.Events)
	w.found("n1", map[string]Verdict{"haproxy": Down})
	w.found("n1", map[string]Verdict{"haproxy": Down})
	if got := w.s.Events[events:]; len(got) != 1 || got[0].Text != "check haproxy on n1: unknown → down: no process haproxy" {
		t.Errorf("events %v", got)
	}
	// What it says anew of itself leaves them alone.
	n := w.s.Nodes["n1"]
	n.Weight, n.Checks = 7, nil
	w.must(Command{PutNode: &PutNode{Node: n}})
	if w.s.Nodes["n1"].Found("haproxy").Verdict != Down {
		t.Error("forgotten when the node said its weight")
	}
}

// TestNodeChecksNeedTheirSchema: an older cluster takes neither the configuration nor the word of a node.
func TestNodeChecksNeedTheirSchema(t *testing.T) {
	w := newWorld(t)
	w.schema = schemaLVS
	w.form(1)
	c := vips(1)
	c.NodeChecks = map[string]NodeCheck{"haproxy": processCheck("haproxy", 0)}
	for _, cmd := range []Command{
		{Configure: &Configure{Config: c}}, {SetNodeHealth: &SetNodeHealth{Node: "n1", Store: w.s.Nodes["n1"].Store}},
	} {
		for _, w.encode = range []bool{true, false} {
			if res := w.apply(cmd); !errors.Is(res.Err, ErrSchema) {
				t.Errorf("%s at schema %d: %v", cmd.Kind(), schemaLVS, res.Err)
			}
		}
	}
}

// What is refused is refused with the same words everywhere, however many mistakes there are in it.
func TestSetNodeHealthIsRefusedAlike(t *testing.T) {
	w := newWorld(t)
	w.form(100)
	c := SetNodeHealth{Node: "n1", Store: "store-n1", Found: map[string]Finding{}}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		c.Found[name] = Finding{Verdict: "odd"}
	}
	for range 20 {
		if res := w.apply(Command{SetNodeHealth: &c}); res.Err == nil || !strings.Contains(res.Err.Error(), "of check a:") {
			t.Fatal(res.Err)
		}
	}
}
