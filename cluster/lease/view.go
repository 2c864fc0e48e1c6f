package lease

import (
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// view is what the cores take from one applied State. Everything in it is of one index (design §3 Holder: "all from one
// applied index").
type view struct {
	state  *fsm.State
	epoch  fsm.Epoch // own node epoch; 0 when the state does not know this node with this store
	set    fsm.GrantorSet
	member bool // this node, with this store, is in the set
	owns   bool // this node owns something; a released address counts until it is assigned on
	ttl    time.Duration
	renew  time.Duration
	nodes  []fsm.NodeID // sorted
	owners []fsm.NodeID // nodes that own something, sorted
}

func viewOf(s *fsm.State, self fsm.Grantor) view {
	timing := s.Config.Settings.Profile.Timing()
	v := view{
		state:  s,
		set:    s.Grantors,
		member: s.Grantors.Has(self),
		ttl:    timing.TTL,
		renew:  timing.Renew,
		nodes:  slices.Sorted(maps.Keys(s.Nodes)),
	}
	if n, ok := s.Nodes[self.Node]; ok && n.Store == self.Store {
		v.epoch = n.Epoch
	}
	owners := make(map[fsm.NodeID]bool)
	for _, a := range s.Assignments {
		if a.Owner != "" {
			owners[a.Owner] = true
		}
	}
	v.owners = slices.Sorted(maps.Keys(owners))
	v.owns = v.epoch > 0 && owners[self.Node]
	return v
}

// known reports whether any state was applied yet.
func (v *view) known() bool { return v.state != nil }

// index of the applied state; 0 before the first.
func (v *view) index() uint64 {
	if v.state == nil {
		return 0
	}
	return v.state.Index
}

// agreed is the node's epoch in the applied state, 0 if it has no such node.
func (v *view) agreed(n fsm.NodeID) fsm.Epoch {
	if v.state == nil {
		return 0
	}
	return v.state.Nodes[n].Epoch
}

// node returns the node if the state has it with that store.
func (v *view) node(g fsm.Grantor) (fsm.Node, bool) {
	if v.state == nil {
		return fsm.Node{}, false
	}
	n, ok := v.state.Nodes[g.Node]
	return n, ok && n.Store == g.Store
}

// ownsAny reports whether n owns something.
func (v *view) ownsAny(n fsm.NodeID) bool {
	_, ok := slices.BinarySearch(v.owners, n)
	return ok
}
