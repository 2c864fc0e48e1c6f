package sim

import (
	"slices"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// duty is what a leader does when anything changed: one decision at a time, the most urgent first.
func (n *node) duty() {
	w := n.w
	if n.lead == 0 || n.busy || !n.ready || n.applied < w.elected {
		return
	}
	c, ok := n.decide()
	if !ok {
		return
	}
	n.busy = true
	w.propose(n, c, func(fsm.Result, bool) {
		n.busy = false
		n.duty()
	})
}

// decide is the next command that the leader should commit by the state it has applied.
func (n *node) decide() (fsm.Command, bool) {
	s := n.state
	now := n.instant()
	hints := n.m.Hints(now)
	hints.Now = n.w.wall(n)
	for _, id := range nodeIDs(s) {
		f, ok := n.fences[id]
		if !ok {
			continue
		}
		delete(n.fences, id)
		if f.Term == n.lead && f.Epoch == s.Nodes[id].Epoch && f.GrantorIndex == s.Grantors.Index {
			c := fsm.PlanFence(s, hints, f.Node, f.Epoch, f.GrantorIndex, f.Text)
			return fsm.Command{Fenced: &c}, true
		}
	}
	for _, id := range nodeIDs(s) {
		r, ok := n.raises[id]
		if !ok {
			continue
		}
		delete(n.raises, id)
		if r.Term == n.lead && r.Epoch == s.Nodes[id].Epoch {
			return fsm.Command{Raise: &fsm.Raise{Node: r.Node, Epoch: r.Epoch}}, true
		}
	}
	if c, ok := n.membership(); ok {
		return c, true
	}
	if d, ok := fsm.Plan(s, hints); ok {
		n.w.checkGiven(hints, s, d)
		return fsm.Command{Actor: "planner", Decide: &d}, true
	}
	return fsm.Command{}, false
}

// membership lets the grantor set follow the voters, one member per entry and only when the lease's rule allows it, and
// finishes what leaves: out of the grantors, out of the voters, out of the state.
func (n *node) membership() (fsm.Command, bool) {
	w, s := n.w, n.state
	mayChange := n.allowed == lease.GrantorChangeAllowed{Index: s.Grantors.Index, Term: n.lead}
	for _, id := range nodeIDs(s) {
		nd := s.Nodes[id]
		g := fsm.Grantor{Node: id, Store: nd.Store}
		gone := nd.Leaving || w.removing[nd.Store]
		switch {
		case gone && len(s.Owned(id)) > 0:
			// The planner or a fence takes what it owns.
		case gone && s.Grantors.Has(g):
			if mayChange && len(s.Grantors.Members) > 1 {
				return fsm.Command{SetGrantors: &fsm.SetGrantors{Prev: s.Grantors.Index, Members: without(s.Grantors.Members, g)}}, true
			}
		case gone && w.isVoter(g):
			if len(w.voters) > 1 && w.quorate(n) && id != n.id {
				w.tracef("%s removes voter %v", n.id, g)
				w.voters = without(w.voters, g)
				w.happened["voters changed"]++
			} else if id == n.id {
				for _, o := range w.nodes {
					w.transfer(n, o.id)
				}
			}
		case gone && id != n.id:
			return fsm.Command{RemoveNode: &fsm.RemoveNode{Node: id, Store: nd.Store}}, true
		case gone:
		case !w.isVoter(g):
			if x := w.byID[id]; x.up && x.disk.store == nd.Store && x.disk.have == len(w.log) && w.quorate(n) {
				w.tracef("%s adds voter %v", n.id, g)
				w.voters = append(slices.Clone(w.voters), g)
				w.happened["voters changed"]++
			}
		case !s.Grantors.Has(g) && mayChange:
			m := append(slices.Clone(s.Grantors.Members), g)
			return fsm.Command{SetGrantors: &fsm.SetGrantors{Prev: s.Grantors.Index, Members: m}}, true
		}
	}
	for _, x := range w.nodes {
		// A node with an empty directory asks to be let in.
		if nd, known := s.Nodes[x.id]; x.up && w.joining[x.disk.store] && (!known || nd.Store == x.disk.store) && w.net.both(n.id, x.id) {
			if known {
				delete(w.joining, x.disk.store)
				continue
			}
			return fsm.Command{PutNode: &fsm.PutNode{Node: w.describeNode(x)}}, true
		}
	}
	return fsm.Command{}, false
}

func without(gs []fsm.Grantor, g fsm.Grantor) []fsm.Grantor {
	return slices.DeleteFunc(slices.Clone(gs), func(x fsm.Grantor) bool { return x == g })
}

func nodeIDs(s *fsm.State) []fsm.NodeID {
	ids := make([]fsm.NodeID, 0, len(s.Nodes))
	for id := range s.Nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
