package agent

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
)

// view is where the actuator reads what it has to carry out.
type view interface {
	State() *fsm.State
	Changed() <-chan struct{} // closed at the next change; get it before State
}

// leaser is the part of the lease that gates addresses.
type leaser interface {
	Live(e fsm.Epoch) bool
	Changed() <-chan struct{} // a lease was gained or lost
	Alive(p lease.Part)       // that part of the node is not stuck
	Confirm(key fsm.AddressKey, release uint64)
}

// addresses is the part of vip.Actuator that is used here.
type addresses interface {
	Manage([]netip.Addr)
	Reconcile([]vip.Wanted) vip.Status
	Clear() vip.Status
	Keep() bool
}

// actuator makes this node's addresses match the agreed state, gated by the lease, and tells the data plane what to carry.
// One goroutine: addresses have one serial writer (design §3 “Kernel-enforced”).
type actuator struct {
	self fsm.NodeID
	// witness says that this node carries nothing, whatever the state still has it own: it was a director before.
	witness bool
	view    view
	lease   leaser
	vips    addresses
	plane   *planeWorker
	log     *slog.Logger

	open    lease.Opened
	managed []netip.Addr
	status  atomic.Pointer[carried]
}

// carried is what the last pass wanted and found.
type carried struct {
	index     uint64
	local     fsm.Local
	addresses vip.Status
}

// sweep is how often everything is compared with the kernel even though nothing changed.
const sweep = 5 * time.Second

// planePatience is how long a new address waits for its services: longer, and clients are better served by an address
// that refuses some of them than by none.
const planePatience = 2 * time.Second

// run carries out states until ctx ends, then gives up all addresses at once: what ends it ends the lease too, and others
// may own them before the rest of the node has come to its end. It is started only after the start barrier: before that a
// node acts on nothing (design §3 “Start”).
func (a *actuator) run(ctx context.Context) error {
	var (
		index   uint64
		epoch   fsm.Epoch
		live    bool
		swept   time.Time
		waiting time.Time // since when addresses wait for their services; zero = none does
		timer   = time.NewTimer(0)
	)
	defer timer.Stop()
	for {
		changed, leased := a.view.Changed(), a.lease.Changed()
		s := a.view.State()
		nowEpoch := s.Nodes[a.self].Epoch
		nowLive := a.lease.Live(nowEpoch)
		if s.Index != index || nowEpoch != epoch || nowLive != live || !a.allLive() || !waiting.IsZero() ||
			time.Since(swept) > sweep || !a.vips.Keep() {
			index, epoch, live, swept = s.Index, nowEpoch, nowLive, time.Now()
			patient := waiting.IsZero() || time.Since(waiting) < planePatience
			switch waits := a.carryOut(s, patient); {
			case !waits:
				waiting = time.Time{}
			case waiting.IsZero():
				waiting = time.Now()
			}
		}
		// Only here, after a pass that came to its end: an actuator that hangs in the kernel must lose the lease.
		a.lease.Alive(lease.Actuator)
		// Often enough that the lease never takes a living actuator for a stuck one, and that an address whose lease ran
		// out is gone soon after, even if the news of it were lost.
		timer.Reset(s.Config.Settings.Profile.Timing().TTL * 2 / 5)
		select {
		case <-ctx.Done():
			a.vips.Clear()
			return ctx.Err()
		case <-changed:
		case <-leased:
		case <-a.plane.done:
		case <-timer.C:
		}
	}
}

// allLive reports whether every open address is still under a live lease.
func (a *actuator) allLive() bool {
	seen := map[fsm.Epoch]bool{}
	for _, e := range a.open {
		if !seen[e] && !a.lease.Live(e) {
			return false
		}
		seen[e] = true
	}
	return true
}

// carryOut is one pass. To give up, addresses go before services; to take over, services come before addresses; a release
// is confirmed only when the kernel's own list no longer has the address. It reports whether addresses wait for the data
// plane, for which it has patience or not.
func (a *actuator) carryOut(s *fsm.State, patient bool) (waits bool) {
	local := fsm.LocalOf(s, a.self)
	if m := managed(s); !slices.Equal(m, a.managed) {
		a.managed = m
		a.vips.Manage(m)
	}
	keys := make([]fsm.AddressKey, 0, len(local.VIPs))
	for _, v := range local.VIPs {
		keys = append(keys, v.Key)
	}
	if a.witness {
		keys, local.Services = nil, nil
	}
	next := a.open.Next(keys, local.NodeEpoch, a.lease.Live)
	// What leaves, leaves before the table changes.
	life := lifetime(s.Config.Settings.Profile.Timing())
	switch staying := both(a.open, next); {
	case len(a.open) > 0 && len(staying) == 0: // as when the lease is lost: not behind a pass that is putting others
		a.vips.Clear()
	case len(staying) < len(a.open):
		a.vips.Reconcile(wantedAddresses(local, staying, life))
	}
	if !a.witness && !a.plane.want(s.Config.Settings.DataPlane, a.managed, wantedServices(local)) && patient {
		for k := range next {
			if _, was := a.open[k]; !was {
				delete(next, k)
				waits = true
			}
		}
	}
	st := a.vips.Reconcile(wantedAddresses(local, next, life))
	a.open = next
	a.status.Store(&carried{index: s.Index, local: local, addresses: st})
	for _, r := range local.Releases {
		if st.Absent(r.Key.Addr) {
			a.lease.Confirm(r.Key, r.ReleaseIndex)
		}
	}
	return waits
}

// both are the entries of next whose address is open already.
func both(open, next lease.Opened) lease.Opened {
	out := lease.Opened{}
	for k, e := range next {
		if _, was := open[k]; was {
			out[k] = e
		}
	}
	return out
}
