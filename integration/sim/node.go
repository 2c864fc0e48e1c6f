package sim

import (
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// disk is what a node's data directory holds: it survives a crash, unless it is lost.
type disk struct {
	store   fsm.StoreID
	have    int // entries of the log on it
	snap    int // entries that its last snapshot covers: where a restart begins
	durable lease.Durable
}

// node is one machine of the cluster.
type node struct {
	w    *World
	id   fsm.NodeID
	disk *disk

	rawRate, bootRate float64         // of its clocks, relative to real time
	rawOff, bootOff   time.Duration   // what they showed at time 0
	slow              time.Duration   // extra time that a write takes
	failing           map[string]bool // checks that fail on the machine

	// The process.
	up        bool
	frozen    bool
	ending    bool // asked to end, see yield.go
	suspended bool // frozen with the whole machine: RAW stands still, BOOTTIME goes on
	since     time.Duration
	deferred  []event // what it will do when it is thawed
	run       uint64  // counts starts
	m         *lease.Machine
	state     *fsm.State
	applied   int
	armed     time.Duration // when the timer that is set goes off; 0 = none is set
	ready     bool          // past its start barrier
	barrier   int           // the read index, -1 while unknown
	knows     bool          // what its checks find
	told      time.Duration // when it told of that last
	local     fsm.Local     // of localOf
	localOf   *fsm.State

	// Its actuator, and its lease's thread.
	open     lease.Opened
	asked    [maxSlots]fsm.Epoch // of open
	lingers  lease.Lingers
	passing  bool // a pass is under way
	again    bool // another is to follow
	renewals []renewal
	shown    map[fsm.Epoch]bool // the lease, to the actuator
	traps    [points]*trap

	// What the process leaves behind.
	kernel *kernel
	mute   [maxSlots]time.Duration // BOOTTIME since when an address has taken packets and claimed nothing; 0: it does not

	// As a leader.
	lead    uint64 // the term that it believes to lead, 0 = none
	busy    bool   // a decision is under way
	fences  map[fsm.NodeID]lease.FenceReady
	raises  map[fsm.NodeID]lease.RaiseWanted
	allowed lease.GrantorChangeAllowed
	alone   time.Duration // since when it has reached no majority; 0 = it does
}

func (n *node) member() fsm.Grantor { return fsm.Grantor{Node: n.id, Store: n.disk.store} }

// instant reads the node's clocks.
func (n *node) instant() lease.Instant {
	now, raw := n.w.now, n.w.now
	if n.suspended {
		raw = n.since
	}
	return lease.Instant{Raw: n.rawOff + time.Duration(float64(raw)*n.rawRate), Boot: n.bootOff + time.Duration(float64(now)*n.bootRate)}
}

// on makes f happen in the node's present process, d from now; it is void when that process has ended, and late when it
// is frozen.
func (n *node) on(d time.Duration, f func()) { n.w.push(d, event{do: f, of: n, run: n.run}) }

// act does f in the node's process with that number: at once, when it is thawed, or never.
func (n *node) act(run uint64, f func()) {
	switch {
	case !n.up || n.run != run:
	case n.frozen:
		n.deferred = append(n.deferred, event{do: f, of: n, run: run})
	default:
		f()
	}
}

// start begins a process on the node's disk.
func (n *node) start() {
	w := n.w
	n.run++
	n.up, n.frozen, n.ending, n.deferred = true, false, false, nil
	n.applied = n.disk.snap
	n.state = w.states[n.applied]
	n.ready, n.barrier = false, -1
	n.shown = map[fsm.Epoch]bool{}
	n.kernel.sweep(n.instant().Boot)
	n.lead, n.busy = 0, false
	n.armed = 0
	n.m = lease.NewMachine(n.member(), lease.BootID(w.rng.Uint64()), n.disk.durable.Clone(), n.instant())
	w.tracef("%s starts as %s with %d entries, %d applied", n.id, n.disk.store, n.disk.have, n.applied)
	n.step(lease.Log{LastIndex: uint64(n.disk.have)})
	n.step(lease.Applied{State: n.state})
	n.pulse()
	n.askBarrier()
	if w.checked {
		n.tell()
	}
}

// crash ends the process at once. What it left in the kernel stays there, and open as long as its lease.
func (n *node) crash() {
	n.w.tracef("%s crashes", n.id)
	n.w.happened["killed"]++
	n.resume()
	n.up, n.lead = false, 0
	n.m, n.open, n.asked, n.lingers = nil, nil, [maxSlots]fsm.Epoch{}, nil
	n.passing, n.again, n.renewals = false, false, nil
	n.w.dirty = true
	n.disk.snap = n.disk.snap + n.w.rng.Intn(n.applied-n.disk.snap+1)
}

// suspend stops the whole machine; thaw ends that too.
func (n *node) suspend() {
	n.w.happened["suspended"]++
	n.w.dirty = true
	n.frozen, n.suspended, n.since = true, true, n.w.now
}

func (n *node) resume() {
	n.w.dirty = true
	if n.suspended {
		n.rawOff -= time.Duration(float64(n.w.now-n.since) * n.rawRate)
		n.suspended = false
	}
}

// thaw lets a frozen process go on: it does late, one after the other, what it should have done meanwhile.
func (n *node) thaw() {
	n.resume()
	n.frozen = false
	n.w.happened["resumed"]++
	late := n.deferred
	n.deferred = nil
	for i, e := range late {
		n.w.push(time.Duration(i)*time.Microsecond, e)
	}
}

// pulse is the ticking of the actuator and of what applies entries.
func (n *node) pulse() {
	n.step(lease.Alive{Part: lease.FSM})
	n.actuate()
	n.on(n.state.Config.Settings.Profile.Timing().TTL/4, n.pulse)
}

// step drives the Machine and carries out what it wants.
func (n *node) step(in lease.Input) {
	for _, out := range n.m.Step(n.instant(), in) {
		n.carryOut(out)
	}
	n.arm()
}

func (n *node) carryOut(out lease.Output) {
	w := n.w
	switch o := out.(type) {
	case lease.Send:
		w.deliver(n, o)
	case lease.Persist:
		d := o.Durable.Clone()
		n.on(n.fsync(), func() {
			n.disk.durable = d
			n.step(lease.Persisted{Seq: o.Seq})
		})
	case lease.LeaseChanged:
		held := o.Until != lease.Instant{}
		if n.shown[o.Epoch] != held {
			n.shown[o.Epoch] = held
			n.on(w.little(), n.actuate)
		}
		w.dirty = true
		n.renew(o.Epoch, o.Until.Boot)
	case lease.FenceReady:
		n.fences[o.Node] = o
		n.on(0, n.duty)
	case lease.RaiseWanted:
		n.raises[o.Node] = o
		n.on(0, n.duty)
	case lease.GrantorChangeAllowed:
		n.allowed = o
		n.on(0, n.duty)
	case lease.Confirmed, lease.HintsChanged:
		n.on(0, n.duty)
	case lease.BetterLeader:
		w.transfer(n, o.To)
	case lease.LeaderSilent:
		w.succeed(n, o)
	case lease.ShutOut:
		w.fail("%s shuts out %v although no disk went back: %s", n.id, o.Grantor, o.Why)
	}
}

// fsync is how long a durable write takes.
func (n *node) fsync() time.Duration {
	return time.Millisecond + time.Duration(n.w.rng.Int63n(int64(2*time.Millisecond))) + n.slow
}

// arm sets the Machine's timer. One that is set for an earlier moment stays: it finds out that it is too early.
func (n *node) arm() {
	d := max(time.Duration(float64(n.m.NextTimer()-n.instant().Raw)/n.rawRate), 0) + 10*time.Microsecond
	at := n.w.now + d
	if n.armed > n.w.now && n.armed <= at {
		return
	}
	n.armed = at
	n.on(d, func() {
		if n.armed != at {
			return
		}
		n.armed = 0
		if n.m.NextTimer() > n.instant().Raw {
			n.arm()
			return
		}
		n.step(lease.Tick{})
	})
}

// apply brings the node's state forward to the first upTo entries of the log.
func (n *node) apply(upTo int) {
	upTo = min(upTo, n.disk.have)
	if upTo <= n.applied {
		return
	}
	n.applied = upTo
	n.state = n.w.states[upTo]
	n.step(lease.Applied{State: n.state})
	n.passBarrier()
	n.on(n.w.little(), n.actuate)
	n.on(0, n.duty)
}

// askBarrier asks the leader for a read index until it gets one (design §3 “Start”).
func (n *node) askBarrier() {
	if n.barrier >= 0 {
		return
	}
	run := n.run
	for _, l := range n.w.nodes {
		n.w.net.send(n.id, l.id, func() {
			if !l.up || l.frozen || l.lead == 0 || l.lead != n.w.term || !n.w.quorate(l) || l.applied < n.w.elected {
				return
			}
			index := len(n.w.log)
			n.w.net.send(l.id, n.id, func() {
				// The nonce: an answer to an earlier process is worth nothing.
				if n.up && !n.frozen && n.run == run && n.barrier < 0 {
					n.barrier = index
					n.passBarrier()
				}
			})
		})
	}
	n.on(50*time.Millisecond, n.askBarrier)
}

func (n *node) passBarrier() {
	if !n.ready && n.barrier >= 0 && n.applied >= n.barrier {
		n.ready = true
		n.step(lease.BarrierPassed{})
	}
}
