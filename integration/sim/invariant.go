package sim

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// check is what must hold after every step: at most one holder of an address, whatever network's name it goes by.
func (w *World) check() {
	w.steps++
	var holders [maxSlots]*node
	held := false
	for _, n := range w.nodes {
		now := n.instant()
		for _, c := range n.claims {
			o := holders[c.slot]
			if o == n || !c.m.Live(c.epoch, now) || n.suspended {
				continue
			}
			if o != nil {
				who := []fsm.NodeID{o.id, n.id}
				w.fail("%v has two holders: %v\n    %s", c.key, who, w.explain(who))
				return
			}
			holders[c.slot], held = n, true
		}
	}
	if held {
		w.holds++
	}
}

// maxSlots is how many addresses a schedule plays with, at most.
const maxSlots = 8

// claim is an address that a process has opened, perhaps an earlier process of the node.
type claim struct {
	key   fsm.AddressKey
	slot  int
	epoch fsm.Epoch
	m     *lease.Machine
}

// reclaim takes down anew what a node has open.
func (n *node) reclaim() {
	n.claims = n.claims[:0]
	add := func(m *lease.Machine, open lease.Opened) {
		for k, e := range open {
			slot, ok := n.w.slots[k.Addr]
			if !ok {
				slot = len(n.w.slots)
				n.w.slots[k.Addr] = slot
			}
			n.claims = append(n.claims, claim{key: k, slot: slot, epoch: e, m: m})
		}
	}
	add(n.m, n.open)
	for _, g := range n.ghosts {
		add(g.m, g.open)
	}
	slices.SortFunc(n.claims, func(a, b claim) int { return a.key.Compare(b.key) })
}

func (w *World) explain(who []fsm.NodeID) string {
	var b bytes.Buffer
	for _, id := range who {
		n := w.byID[id]
		if n.up {
			fmt.Fprintf(&b, "%s: applied %d of %d, epoch %d, open %v, owns %v; ", id, n.applied, len(w.log), n.state.Nodes[id].Epoch, n.open, n.state.Owned(id))
		}
	}
	return b.String()
}

// checkEpochs is what must hold between an entry's state and the next: epochs only grow.
func (w *World) checkEpochs(old, s *fsm.State) {
	if s.Index != old.Index+1 {
		w.fail("entry %d: the index went from %d to %d", len(w.log), old.Index, s.Index)
	}
	for id, nd := range s.Nodes {
		if o, ok := old.Nodes[id]; ok && o.Store == nd.Store && nd.Epoch < o.Epoch || nd.Epoch > fsm.Epoch(s.Index) {
			w.fail("entry %d: node epoch of %s went from %d to %d", len(w.log), id, o.Epoch, nd.Epoch)
		}
	}
	for k, a := range s.Assignments {
		if o, ok := old.Assignments[k]; ok && (a.Epoch < o.Epoch || a.Owner != o.Owner && a.Epoch == o.Epoch) {
			w.fail("entry %d: %v went from %s at epoch %d to %s at %d", len(w.log), k, o.Owner, o.Epoch, a.Owner, a.Epoch)
		}
	}
	if s.Grantors.Index < old.Grantors.Index {
		w.fail("entry %d: the grantor set went back from %d to %d", len(w.log), old.Grantors.Index, s.Grantors.Index)
	}
}

// checkServed is what must hold some time after the faults have stopped: every VIP is held by the node that owns it.
func (w *World) checkServed() {
	s := w.states[len(w.log)]
	able := 0
	for _, nd := range s.Nodes {
		if !nd.Draining && !nd.Leaving {
			able++
		}
	}
	if able == 0 {
		return
	}
	for name, v := range s.Config.VIPs {
		a := s.Assignments[v.Key()]
		if n := w.byID[a.Owner]; n == nil || !n.holds(v.Key()) {
			w.fail("%v after the last fault nobody holds VIP %s (agreed: %+v, leader %v, grantors %+v)%s", w.opt.Heal, name, a, w.leader() != nil, s.Grantors, w.census())
			return
		}
	}
}

func (w *World) census() string {
	var b bytes.Buffer
	for _, n := range w.nodes {
		fmt.Fprintf(&b, "\n    %s up %v store %s voter %v lead %d ready %v have %d applied %d of %d", n.id, n.up, n.disk.store, w.isVoter(n.member()), n.lead, n.ready, n.disk.have, n.applied, len(w.log))
		if n.up {
			fmt.Fprintf(&b, " epoch %d live %v open %v", n.state.Nodes[n.id].Epoch, n.m.Live(n.state.Nodes[n.id].Epoch, n.instant()), n.open)
			if n.lead != 0 {
				fmt.Fprintf(&b, " hints %+v busy %v allowed %+v", n.m.Hints(n.instant()), n.busy, n.allowed)
			}
		}
	}
	return b.String()
}

// checkReplay is what makes a replicated state machine one: the same entries give the same state again, also by way of a
// snapshot in the middle.
func (w *World) checkReplay() {
	s := fsm.New()
	half := len(w.log) / 2
	for i, c := range w.log {
		s, _ = s.Apply(uint64(i+1), c)
		if i == half {
			var b bytes.Buffer
			if err := s.Snapshot(&b); err != nil {
				w.fail("snapshot: %v", err)
				return
			}
			r, err := fsm.Restore(&b)
			if err != nil {
				w.fail("restore: %v", err)
				return
			}
			s = r
		}
	}
	if want := w.states[len(w.log)]; !reflect.DeepEqual(encoded(s), encoded(want)) {
		w.fail("replaying the log through a snapshot gives another state")
	}
}

func encoded(s *fsm.State) string {
	var b bytes.Buffer
	_ = s.Snapshot(&b)
	return b.String()
}
