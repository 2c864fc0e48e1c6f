package lease

import (
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// reports is what the nodes have told of themselves. A report is good for 2·T; it comes every 2·R.
type reports struct {
	nodes  map[fsm.NodeID]*reported
	able   []fsm.NodeID // as Hints had it at the last tick, sorted
	ending []fsm.NodeID // likewise
	done   int          // confirmed hand-overs then
	leads  uint64       // term of that tick

	spare, spareEnding []fsm.NodeID // storage for the next tick
}

type reported struct {
	boot  BootID
	heard time.Duration
	body  Report
}

func newReports() reports { return reports{nodes: make(map[fsm.NodeID]*reported)} }

// note takes a report. The node must be one of the applied state, with its store.
func (r *reports) note(now Instant, from fsm.Grantor, boot BootID, b Report, v *view) {
	if _, ok := v.node(from); !ok {
		return
	}
	x := r.nodes[from.Node]
	if x == nil {
		x = &reported{}
		r.nodes[from.Node] = x
	} else if x.boot == boot && b.Seq <= x.body.Seq {
		return
	}
	*x = reported{boot: boot, heard: now.Raw, body: b}
}

// applied forgets who is no longer a node.
func (r *reports) applied(v *view) {
	maps.DeleteFunc(r.nodes, func(n fsm.NodeID, _ *reported) bool { return v.agreed(n) == 0 })
}

// fresh calls yield for each report that is still good, sorted by node.
func (r *reports) fresh(now Instant, v *view, yield func(fsm.NodeID, *Report)) {
	for _, n := range v.nodes {
		if x := r.nodes[n]; x != nil && now.Raw-x.heard <= 2*v.ttl {
			yield(n, &x.body)
		}
	}
}

// allApplied reports whether every node that is heard of has applied the current grantor set.
func (r *reports) allApplied(now Instant, v *view) bool {
	all := true
	r.fresh(now, v, func(_ fsm.NodeID, b *Report) { all = all && b.Set >= v.set.Index })
	return all
}

// orphans calls yield for each node of which a promise is reported that reaches or passes its agreed epoch.
func (r *reports) orphans(now Instant, v *view, yield func(fsm.NodeID)) {
	r.fresh(now, v, func(_ fsm.NodeID, b *Report) {
		for _, o := range b.Orphans {
			if e := v.agreed(o.Node); e != 0 && o.Floor >= e {
				yield(o.Node)
			}
		}
	})
}

// ableNodes appends to out those that report themselves ready under their agreed epoch, and that nothing speaks against. A report
// from before a fence names the older epoch and no longer counts.
func (f *fencer) ableNodes(out []fsm.NodeID, now Instant, v *view) []fsm.NodeID {
	f.reports.fresh(now, v, func(n fsm.NodeID, b *Report) {
		if b.Ready && b.Epoch == v.agreed(n) && f.fences[n] == nil && f.tally.count(now, n, v) < v.set.Majority() {
			out = append(out, n)
		}
	})
	return out
}

// endingNodes appends to out those that report that their agent is about to end.
func (r *reports) endingNodes(out []fsm.NodeID, now Instant, v *view) []fsm.NodeID {
	r.fresh(now, v, func(n fsm.NodeID, b *Report) {
		if b.Ending {
			out = append(out, n)
		}
	})
	return out
}

// hints is what the planner should know.
func (f *fencer) hints(now Instant, v *view) fsm.Hints {
	h := fsm.Hints{Able: make(map[fsm.NodeID]bool), Ending: make(map[fsm.NodeID]bool), Confirmed: make(map[fsm.AddressKey]uint64)}
	if !f.active(v) {
		return h
	}
	for _, n := range f.ableNodes(nil, now, v) {
		h.Able[n] = true
	}
	for _, n := range f.reports.endingNodes(nil, now, v) {
		h.Ending[n] = true
	}
	for _, x := range f.handovers.list {
		if x.confirmed {
			h.Confirmed[x.key] = x.index
		}
	}
	return h
}

// tick says when the hints have changed.
func (r *reports) tick(now Instant, v *view, f *fencer, p port) {
	able := f.ableNodes(r.spare[:0], now, v)
	r.spare = able
	ending := r.endingNodes(r.spareEnding[:0], now, v)
	r.spareEnding = ending
	done := 0
	for _, x := range f.handovers.list {
		if x.confirmed {
			done++
		}
	}
	if r.leads == f.term && done == r.done && slices.Equal(able, r.able) && slices.Equal(ending, r.ending) {
		return
	}
	r.able, r.spare, r.done, r.leads = able, r.able, done, f.term
	r.ending, r.spareEnding = ending, r.ending
	p.emit(HintsChanged{Term: f.term})
}

// reaching compares how many grantors the leader reaches with what others reach: design §3 Detection, "A node that only the
// leader cannot reach is reported, not fenced; leadership moves to a voter that reaches more".
type reaching struct {
	worse     time.Duration // RAW since when another reaches more, 0 = none does
	say       time.Duration
	unreached map[fsm.NodeID]*alone
}

// alone is a node that the leader's own grantor suspects and the majority does not.
type alone struct {
	since time.Duration
	said  bool
}

// tick is given the leader's own reach, −1 when it does not ask for leases at present.
func (r *reaching) tick(now Instant, own int, v *view, f *fencer, p port) {
	if !f.active(v) {
		return
	}
	if r.unreached == nil {
		r.unreached = make(map[fsm.NodeID]*alone)
	}
	maps.DeleteFunc(r.unreached, func(n fsm.NodeID, _ *alone) bool { return !f.tally.says(now, n, f.self, v) })
	for _, n := range v.owners {
		if !f.tally.says(now, n, f.self, v) || f.tally.count(now, n, v) >= v.set.Majority() {
			continue
		}
		a := r.unreached[n]
		if a == nil {
			a = &alone{since: now.Raw}
			r.unreached[n] = a
		}
		if !a.said && now.Raw-a.since >= 2*v.ttl {
			a.said = true
			p.emit(Unreached{Node: n, Term: f.term})
		}
	}

	best, reach := fsm.NodeID(""), own
	f.reports.fresh(now, v, func(n fsm.NodeID, b *Report) {
		voter := slices.ContainsFunc(v.set.Members, func(g fsm.Grantor) bool { return g.Node == n })
		if n != f.self.Node && voter && b.Ready && int(b.Reach) > reach {
			best, reach = n, int(b.Reach)
		}
	})
	if own < 0 || best == "" && own >= v.set.Majority() {
		r.worse = 0
		return
	}
	if r.worse == 0 {
		r.worse = now.Raw
	}
	if now.Raw-max(r.worse, f.since) >= 2*v.ttl && now.Raw >= r.say {
		r.say = now.Raw + repeat
		p.emit(BetterLeader{To: best, Reach: reach, Own: own, Term: f.term})
	}
}
