package agent

import (
	"net/netip"
	"sync"
	"time"

	"quorate/api"
	"quorate/cluster"
	"quorate/fsm"
	"quorate/vip"
)

// stopwatch notes, for what this node becomes the owner of, when it learnt of that, when its kernel had the address, and when it was
// announced. It sits between the actuators and what they use, so that none of them has to know of it. It also keeps the fences that
// this node decided. Its methods may be called from several goroutines.
type stopwatch struct {
	mu     sync.Mutex
	index  uint64 // of the last state that was seen
	laps   map[fsm.AddressKey]*lap
	of     map[netip.Addr][]*lap // the same; of one address there may be several, on networks of different names
	fences []cluster.Fenced      // the latest, oldest first
}

// lap is one address from its assignment on.
type lap struct {
	epoch                     fsm.Epoch
	began, applied, announced time.Time // zero: not yet
}

// keptFences is how many fences are remembered.
const keptFences = 16

// see notes what self owns by a state that is about to be carried out.
func (w *stopwatch) see(s *fsm.State, self fsm.NodeID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.Index == w.index {
		return
	}
	w.index = s.Index
	laps := make(map[fsm.AddressKey]*lap, len(w.laps))
	for k, a := range s.Assignments {
		if a.Owner != self || a.Shadow {
			continue
		}
		if laps[k] = w.laps[k]; laps[k] == nil || laps[k].epoch != a.Epoch {
			laps[k] = &lap{epoch: a.Epoch, began: time.Now()}
		}
	}
	w.laps, w.of = laps, make(map[netip.Addr][]*lap, len(laps))
	for k, l := range laps {
		w.of[k.Addr] = append(w.of[k.Addr], l)
	}
}

// note sets the time of a stage of addr that has none yet.
func (w *stopwatch) note(addr netip.Addr, stage func(*lap) *time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.of[addr] {
		if stage(l).IsZero() {
			*stage(l) = time.Now()
		}
	}
}

// fenced keeps what the leader says of a fence.
func (w *stopwatch) fenced(f cluster.Fenced) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fences = append(w.fences, f)
	w.fences = w.fences[max(0, len(w.fences)-keptFences):]
}

// decisions are the fences for the API.
func (w *stopwatch) decisions() []api.Decision {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []api.Decision
	for _, f := range w.fences {
		out = append(out, api.Decision{Index: f.Index, Node: f.Node, SilentUS: f.Silent.Microseconds(),
			PromisedUS: f.Promised.Microseconds(), CommittedUS: f.Committed.Microseconds()})
	}
	return out
}

// times puts what is known of addresses into their reports.
func (w *stopwatch) times(addrs []api.Address) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range addrs {
		x := &addrs[i]
		l := w.laps[fsm.AddressKey{Network: x.Network, Addr: x.Prefix.Addr()}]
		if l == nil {
			continue
		}
		x.Epoch = l.epoch
		for _, t := range []struct {
			at time.Time
			to *int64
		}{{l.applied, &x.AppliedUS}, {l.announced, &x.AnnouncedUS}} {
			if !t.at.IsZero() {
				*t.to = max(1, t.at.Sub(l.began).Microseconds())
			}
		}
	}
}

// timedView is the view of the actuator.
type timedView struct {
	view
	self  fsm.NodeID
	watch *stopwatch
}

// State implements view.
func (v timedView) State() *fsm.State {
	s := v.view.State()
	v.watch.see(s, v.self)
	return s
}

// timedKernel is the kernel of the addresses.
type timedKernel struct {
	*vip.Netlink
	watch *stopwatch
}

// Put implements vip.Kernel.
func (k timedKernel) Put(w vip.Wanted) error {
	err := k.Netlink.Put(w)
	if err == nil {
		k.watch.note(w.Prefix.Addr(), func(l *lap) *time.Time { return &l.applied })
	}
	return err
}

// PutAll is Put for many.
func (k timedKernel) PutAll(list []vip.Wanted) []error {
	errs := k.Netlink.PutAll(list)
	for i, w := range list {
		if errs[i] == nil {
			k.watch.note(w.Prefix.Addr(), func(l *lap) *time.Time { return &l.applied })
		}
	}
	return errs
}

// timedAnnouncer tells the neighbours.
type timedAnnouncer struct {
	vip.Announcer
	watch *stopwatch
}

// Announce implements vip.Announcer.
func (n timedAnnouncer) Announce(link string, addr netip.Addr) error {
	err := n.Announcer.Announce(link, addr)
	if err == nil {
		n.watch.note(addr, func(l *lap) *time.Time { return &l.announced })
	}
	return err
}
