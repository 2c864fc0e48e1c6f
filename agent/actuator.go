package agent

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"quorate/cluster"
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
	Superseded() bool         // a newer epoch is agreed than the one that was applied
	Changed() <-chan struct{} // a lease was gained or lost
	Alive(p lease.Part)       // that part of the node is not stuck
	Confirm(releases ...lease.Released)
}

// addresses is the part of vip.Actuator that is used here.
type addresses interface {
	Manage([]netip.Addr)
	Reconcile([]vip.Wanted) vip.Status
	Clear() vip.Status
	Keep() bool
}

// lapses are leases that came back after their end, and wait for the actuator before they open anything (lapse).
type lapses interface {
	guard(on bool) error
	lapsed() uint64
	resume(which uint64) error
}

// actuator makes this node's addresses match the agreed state, gated by the lease, and tells the data plane what to carry.
// One goroutine: addresses have one serial writer (design §3 “Kernel-enforced”).
type actuator struct {
	self fsm.NodeID
	// nothing says that this node carries nothing, whatever the state still has it own: it is a witness that was a director before, or lacks
	// the fence that it is to have.
	nothing bool
	view    view
	lease   leaser
	vips    addresses
	plane   *planeWorker
	clock   lease.Clock
	ear     *ear
	grant   func(epoch fsm.Epoch, until lease.Instant) error // tells the gate until when what is held without a quorum is open
	lapses  lapses                                           // nil: there is no gate that could open by itself
	tell    func(holdNews)
	led     func() bool                 // there is a leader
	parents *parents                    // nil: the links below virtual MACs are left as they are
	ready   func([]vip.Virtual)         // keeps links with virtual MACs ready; nil: nobody does
	passed  func()                      // a pass has come to its end; does not block
	heard   <-chan struct{}             // a token when what is heard of virtual routers is another than before
	foreign func(cluster.ForeignReport) // tells the leader of it; does not block
	// unasked is told for which routers this node is silent since it cannot ask, and which it has open; nil: nobody is.
	unasked func(cannot map[string]unasked, can map[string]bool)
	report  func(fsm.Event)            // takes it into the timeline; does not block
	ending  func() bool                // this agent has been asked to end
	others  func() map[fsm.NodeID]bool // the nodes that have a quorum without this one
	orders  chan order
	log     *slog.Logger

	kept    keptNews
	hold    holds
	fall    fallbacks
	granted bool           // the gate was told of a grant to itself
	vote    fallbackOutput // of this pass
	lapsed  uint64         // which lease had come back when this pass looked
	doubted bool           // what was open is not, by this pass: others may have taken it (fallbackOutput.doubt)
	speech  speech
	inherit map[fsm.NodeID]bool      // the last heirs
	asking  map[fsm.AddressKey]asked // what waits until nobody else has answered
	open    lease.Opened
	lingers lingers
	ramps   ramps
	carried []vip.Wanted // what the last pass wanted of the kernel
	managed []netip.Addr
	status  atomic.Pointer[carried]
}

// carried is what the last pass wanted and found.
type carried struct {
	index     uint64
	local     fsm.Local
	addresses vip.Status
	held      map[fsm.AddressKey]held   // without a quorum; never changed
	barred    map[fsm.AddressKey]string // that were, or would have been, and why they are not
	asking    map[fsm.AddressKey]asked
	waits     map[fsm.AddressKey]string // left to a router outside the cluster, and why
	loose     map[string]string         // links that answer for what is on virtual MACs over them, and why
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
	a.hold = newHolds(a.clock.Now())
	defer func() { _ = a.grant(a.hold.epoch, lease.Instant{}) }() // after the addresses have gone; it runs out by itself besides
	for {
		changed, leased := a.view.Changed(), a.lease.Changed()
		s := a.view.State()
		nowEpoch := s.Nodes[a.self].Epoch
		now := a.clock.Now()
		nowLive := a.lease.Live(nowEpoch)
		a.heirs(nowLive)
		if nowLive {
			a.hold.leased(now)
			a.fall.leased(now, s.Config.Settings.Profile.Timing().TTL)
		}
		if s.Index != index || nowEpoch != epoch || nowLive != live || !a.allLive() || !waiting.IsZero() || len(a.asking) > 0 || a.speech.timed || a.fall.busy() || a.lapse() != 0 ||
			a.untilLingerEnds() <= 0 || a.ramps.untilNext() <= 0 || time.Since(swept) > sweep || !a.vips.Keep() {
			index, epoch, live, swept = s.Index, nowEpoch, nowLive, time.Now()
			patient := waiting.IsZero() || time.Since(waiting) < planePatience
			switch waits := a.carryOut(s, patient); {
			case !waits:
				waiting = time.Time{}
			case waiting.IsZero():
				waiting = time.Now()
			}
		}
		// Only here, after a pass that came to its end, and where the kernel has answered within one (Agent.progresses): an actuator
		// that hangs in the kernel must lose the lease, one that has many addresses to change must not.
		a.lease.Alive(lease.Actuator)
		// Often enough that the lease never takes a living actuator for a stuck one, and that an address whose lease ran
		// out is gone soon after, even if the news of it were lost.
		timer.Reset(min(lease.UntilTick(a.clock.Now(), s.Config.Settings.Profile.Timing().TTL), a.untilLingerEnds(), a.ramps.untilNext()))
		select {
		case <-ctx.Done():
			s = a.view.State()
			if a.lease.Live(s.Nodes[a.self].Epoch) || a.inherit != nil { // the latter: it may have become known since that there are none
				a.heirs(true)
			}
			last := speechInput{s: s, local: fsm.LocalOf(s, a.self), ending: a.isEnding(), heirs: a.inherit}
			st := a.vips.Clear()
			a.speech.stop(last, st)
			a.fall.fail("this agent was stopped, or its node has left the cluster", time.Now())
			a.hold.fail(errors.New("this agent was stopped, or its node has left the cluster"), time.Now())
			for _, n := range slices.Concat(a.fall.told(), a.hold.told()) {
				a.tell(n)
			}
			return ctx.Err()
		case <-changed:
		case <-leased:
		case <-a.plane.finished:
		case <-a.ear.news:
		case <-a.heard:
			swept = time.Time{}
		case o := <-a.orders:
			a.hold.order(o.key, o.force)
			swept = time.Time{}
		case <-timer.C:
		}
	}
}

// allLive reports whether every address that is open or lingers is still under a live lease.
func (a *actuator) allLive() bool {
	seen := map[fsm.Epoch]bool{}
	dead := func(e fsm.Epoch) bool {
		was := seen[e]
		seen[e] = true
		return !was && !a.lease.Live(e)
	}
	for _, e := range a.open {
		if dead(e) {
			return false
		}
	}
	for _, w := range a.lingers {
		if dead(fsm.Epoch(w.Epoch)) {
			return false
		}
	}
	return true
}

// untilLingerEnds is how long it is to the end of the first linger; very long when nothing lingers.
func (a *actuator) untilLingerEnds() time.Duration {
	if end, any := a.lingers.end(); any {
		return end - a.clock.Now().Boot
	}
	return math.MaxInt64
}

// carryOut is one pass. To give up, addresses are closed before services go; to take over, services come before addresses; a
// release is confirmed only when the kernel claims the address no more: its own list does not have it, or it lingers and the
// gate has been told. It reports whether addresses wait for the data plane, for which it has patience or not.
func (a *actuator) carryOut(s *fsm.State, patient bool) (waits bool) {
	local := fsm.LocalOf(s, a.self)
	if m := managed(s); !slices.Equal(m, a.managed) {
		a.managed = m
		a.vips.Manage(m)
	}
	ready := readyLinks(local)
	if a.nothing {
		ready = nil
	}
	if a.ready != nil {
		a.ready(ready)
	}
	keys := make([]fsm.AddressKey, 0, len(local.VIPs))
	for _, v := range local.VIPs {
		keys = append(keys, v.Key)
	}
	if a.nothing {
		keys, local.Services = nil, nil
	}
	timing := s.Config.Settings.Profile.Timing()
	now := a.clock.Now()
	leased := a.lease.Live(local.NodeEpoch)
	a.speech.begin(s, a.self, local.Routers)
	a.elections(s, local, timing, now, leased)
	next := a.open.Next(keys, local.NodeEpoch, a.lease.Live)
	local = a.withoutQuorum(s, local, timing, now, leased, next)
	turn := speechInput{s: s, local: local, now: time.Now(), leased: leased, ending: a.isEnding(), heirs: a.heirs(leased), open: a.open, elect: a.vote.elect,
		deaf: func(x netip.Addr) bool { return a.ear.of(x).deafLong(time.Now()) }}
	a.speech.hold(turn, next)
	if a.unasked != nil {
		a.unasked(a.speech.unasked(local, a.open, func(x netip.Addr) error { return a.ear.of(x).err }))
	}
	stay := a.lingers.next(local, a.open, a.carried, timing, a.clock.Now().Boot, a.lease.Live)
	local = local.WithServices(s, stay.keys())
	wall := time.Now()
	a.ramps.follow(s, wall)
	a.ramps.lower(local.Services, wall)
	a.speech.quiet(turn, next)
	// What leaves, leaves before the table changes.
	life := lifetime(timing)
	had := maps.Clone(a.open) // what may be in the kernel
	if had == nil {
		had = lease.Opened{}
	}
	for k, w := range a.lingers {
		had[k] = fsm.Epoch(w.Epoch)
	}
	staying := both(had, next)
	leaves := a.doubted // and may come back at the end of this pass, when it has been asked for
	for k := range had {
		_, opened := next[k]
		_, lingers := stay[k]
		leaves = leaves || !opened && (!lingers || a.lingers[k].IPUntil == 0)
	}
	switch {
	case leaves && len(staying) == 0 && len(stay) == 0: // as when the lease is lost: not behind a pass that is putting others
		a.vips.Clear()
	case leaves:
		a.vips.Reconcile(wantedAddresses(local, staying, stay, life))
	}
	a.lease.Alive(lease.Actuator)
	a.lingers = stay
	set := s.Config.Settings
	loose := a.parents.follow(ready, set.SetSysctls) // what leaves does not wait for it
	a.plane.allow(set.SetSysctls)
	if !a.nothing && !a.plane.want(wantedTable{set.DataPlane, a.managed, wantedServices(local), wantedTimeouts(set.Timeouts)}) && patient {
		for k := range next {
			if _, was := had[k]; !was {
				delete(next, k)
				waits = true
			}
		}
	}
	a.speech.speak(turn, next)
	a.speech.elect(turn, a.hold.epoch)
	a.ear.forget(a.speech.begun())
	a.asking = a.ask(s, local, timing, next)
	a.carried = wantedAddresses(local, next, stay, life)
	st := a.vips.Reconcile(a.carried)
	a.open = next
	a.speech.end(st)
	a.speech.carry(turn, next, st)
	a.speech.abstain(turn, a.vote.abstain)
	if a.vote.doubt {
		a.looked()
	}
	a.speech.note(s, next)
	if a.foreign != nil {
		a.foreign(a.speech.report(s, local, next, a.asking, st, time.Now()))
	}
	a.status.Store(&carried{index: s.Index, local: local, addresses: st, held: a.hold.on, barred: maps.Clone(a.hold.barred), asking: a.asking, waits: a.speech.waits, loose: loose})
	if a.passed != nil {
		a.passed()
	}
	if a.kept == nil {
		a.kept = keptNews{}
	}
	for _, e := range a.kept.told(s, a.self, a.asking, wall) {
		a.log.Warn(e.Text, "vip", e.VIP, "reason", string(e.Reason))
		a.report(e)
	}
	for _, n := range slices.Concat(a.fall.told(), a.hold.told()) {
		a.tell(n)
	}
	maps.DeleteFunc(a.lingers, func(k fsm.AddressKey, _ vip.Wanted) bool { return st.Absent(k.Addr) })
	var silent []lease.Released
	for _, r := range local.Releases {
		if st.Silent(r.Key.Addr) {
			silent = append(silent, lease.Released{Key: r.Key, Index: r.ReleaseIndex})
		}
	}
	for _, r := range local.ShadowReleases { // nothing of it was here
		silent = append(silent, lease.Released{Key: r.Key, Index: r.ReleaseIndex})
	}
	a.lease.Confirm(silent...)
	return waits
}

// isEnding reports whether this agent has been asked to end.
func (a *actuator) isEnding() bool { return a.ending != nil && a.ending() }

// heirs are the nodes that can take over from this one when it has ended; nil while it does not end, and when the cluster has no quorum. What was known
// last counts where nothing can be asked any more, as the node ends beside the actuator.
func (a *actuator) heirs(leased bool) map[fsm.NodeID]bool {
	switch {
	case !a.isEnding() || a.others == nil:
		return nil
	case !leased && !a.led():
		a.inherit = nil
		return nil
	}
	if now := a.others(); now != nil {
		a.inherit = now
	}
	return a.inherit
}

// waits reports whether an address is not open yet because others may hold it, by the last pass.
func (a *actuator) waits(k fsm.AddressKey) bool {
	c := a.status.Load()
	if c == nil {
		return false
	}
	_, asking := c.asking[k]
	return asking || c.waits[k] != ""
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
