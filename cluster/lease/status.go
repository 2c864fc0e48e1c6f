package lease

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// Status is what the lease of one node looks like, for operators.
type Status struct {
	Epoch   fsm.Epoch // own node epoch, as applied; 0 = not a member
	Live    bool      // holds the lease under Epoch
	Remains time.Duration
	Set     uint64 // index of the applied grantor set
	Members int
	Reach   int // members whose grant is still good
	Asking  bool
	// Priority of the thread that renews, and the most by which one of its rounds was late so far.
	Priority Priority
	Late     time.Duration
	// Grantor's part.
	Promises uint64
	SetFloor uint64
	Cap      time.Duration
	Floors   map[fsm.NodeID]fsm.Epoch
	Suspects []fsm.NodeID  // that this node's grantor suspects
	Promise  time.Duration // smoothed time to make a promise durable; 0 before the first
	ShutOut  []fsm.Grantor
	// Leader's part.
	Leader  fsm.NodeID
	Fencing []fsm.NodeID
}

// Status of the machine at now.
func (m *Machine) Status(now Instant) Status {
	v := &m.view
	s := Status{
		Epoch:    v.epoch,
		Live:     v.epoch != 0 && m.holder.live(v.epoch, now),
		Set:      v.set.Index,
		Members:  len(v.set.Members),
		Reach:    m.holder.reach(now, v),
		Asking:   m.holder.mayRenew(now, v),
		Promises: m.grantor.disk.Promises,
		SetFloor: m.grantor.disk.SetFloor,
		Cap:      m.grantor.disk.Cap,
		Floors:   maps.Clone(m.grantor.disk.Floors),
		Promise:  max(0, m.grantor.promise),
		Leader:   m.leader,
		Fencing:  slices.Sorted(maps.Keys(m.fencer.fences)),
	}
	for _, l := range m.holder.leases {
		if s.Live && l.epoch == v.epoch {
			s.Remains = min(l.until.Raw-now.Raw, l.until.Boot-now.Boot)
		}
	}
	for _, n := range v.owners {
		if o := m.watch.owners[n]; o != nil && o.suspected {
			s.Suspects = append(s.Suspects, n)
		}
	}
	for g, x := range m.peers.stores {
		if x.out {
			s.ShutOut = append(s.ShutOut, g)
		}
	}
	slices.SortFunc(s.ShutOut, func(a, b fsm.Grantor) int {
		if a.Node != b.Node {
			return cmp.Compare(a.Node, b.Node)
		}
		return cmp.Compare(a.Store, b.Store)
	})
	return s
}
