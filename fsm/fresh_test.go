package fsm

import (
	"strings"
	"testing"
)

// TestFresh: what no owner is known to have opened stays so, whoever gets it in whatever way, until its owner says that it has; and what a router outside the cluster
// had meanwhile is so again, whatever was said before.
func TestFresh(t *testing.T) {
	w := newWorld(t)
	st := &script{world: w}
	run := func(line string, body ...string) {
		t.Helper()
		if out := st.run(strings.Fields(line), body); strings.HasPrefix(out, "error") || strings.Contains(out, "refused") {
			t.Fatal(line, out)
		}
	}
	record := func() Assignment { return w.s.Assignments[w.s.Config.VIPs["web"].Key()] }
	expect := func(what string, owner NodeID, fresh uint64) {
		t.Helper()
		if a := record(); a.Owner != owner || a.Fresh != fresh {
			t.Errorf("%s: %s has it, fresh since %d; want %s, %d", what, a.Owner, a.Fresh, owner, fresh)
		}
	}
	says := func(n NodeID, f FreshVIP) { w.must(Command{SetFresh: &SetFresh{Node: n, VIPs: []FreshVIP{f}}}) }
	of := func(a Assignment) FreshVIP { return FreshVIP{Key: a.Key, Epoch: a.Epoch, Fresh: a.Fresh} }
	run("init n1 schema=7")
	run("node n2")
	run("node n3")
	run("able n1 n2 n3")
	run("config", "router VI_1 vrid=51 peers=192.0.2.5", "vip web 192.0.2.10/24 router=VI_1 prefer=n1")
	run("settle")
	first := record()
	expect("placed", "n1", w.s.Index)
	run("fence n1")
	fenced := record()
	if fenced.Owner == "n1" || fenced.Reason.Code != ReasonFenced || fenced.Fresh != first.Fresh {
		t.Errorf("fenced before it was opened: %+v", fenced)
	}
	says("n1", of(first)) // late
	says("n1", of(fenced))
	says(fenced.Owner, of(first))
	expect("what the last owner said, and what was said of the last assignment", fenced.Owner, first.Fresh)

	to := map[NodeID]string{"n2": "n3", "n3": "n2"}[fenced.Owner]
	run("release web reason=requested to=" + to)
	run("confirm all")
	run("settle")
	moved := record()
	expect("moved before it was opened", NodeID(to), first.Fresh)
	says(moved.Owner, of(moved))
	expect("opened", moved.Owner, 0)
	says(moved.Owner, of(record()))
	again := record()
	expect("another host answers for it", moved.Owner, w.s.Index)
	says(moved.Owner, of(moved)) // of the time before
	expect("what was said before", moved.Owner, again.Fresh)
	says(moved.Owner, of(again))
	run("fence " + to)
	expect("fenced after it was opened", "n1", 0)

	run("foreign VI_1 192.0.2.5 by=n1")
	foreign := record().Fresh
	if foreign != w.s.Index {
		t.Errorf("a router outside the cluster has it: %+v", record())
	}
}
