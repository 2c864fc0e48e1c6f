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

	rawRate, bootRate float64       // of its clocks, relative to real time
	rawOff, bootOff   time.Duration // what they showed at time 0
	slow              time.Duration // extra time that a write takes

	// The process.
	up        bool
	frozen    bool
	suspended bool // frozen with the whole machine: RAW stands still, BOOTTIME goes on
	since     time.Duration
	deferred  []func() // what it will do when it is thawed
	run       uint64   // counts starts
	m         *lease.Machine
	state     *fsm.State
	applied   int
	armed     time.Duration // when the timer that is set goes off; 0 = none is set
	ready     bool          // past its start barrier
	barrier   int           // the read index, -1 while unknown
	local     fsm.Local     // of localOf
	localOf   *fsm.State
	open      lease.Opened
	ghosts    []ghost
	claims    []claim // of open and ghosts

	// As a leader.
	lead    uint64 // the term that it believes to lead, 0 = none
	busy    bool   // a decision is under way
	fences  map[fsm.NodeID]lease.FenceReady
	raises  map[fsm.NodeID]lease.RaiseWanted
	allowed lease.GrantorChangeAllowed
	alone   time.Duration // since when it has reached no majority; 0 = it does
}

// ghost is what a killed process left in the kernel: open addresses, which its lease ends.
type ghost struct {
	m    *lease.Machine
	open lease.Opened
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
func (n *node) on(d time.Duration, f func()) {
	run := n.run
	n.w.after(d, func() {
		if !n.up || n.run != run {
			return
		}
		if n.frozen {
			n.deferred = append(n.deferred, func() {
				if n.up && n.run == run {
					f()
				}
			})
			return
		}
		f()
	})
}

// start begins a process on the node's disk.
func (n *node) start() {
	w := n.w
	n.run++
	n.up, n.frozen, n.deferred = true, false, nil
	n.applied = n.disk.snap
	n.state = w.states[n.applied]
	n.ready, n.barrier, n.open = false, -1, nil
	n.lead, n.busy = 0, false
	n.armed = 0
	n.m = lease.NewMachine(n.member(), lease.BootID(w.rng.Uint64()), n.disk.durable.Clone(), n.instant())
	w.tracef("%s starts as %s with %d entries, %d applied", n.id, n.disk.store, n.disk.have, n.applied)
	n.step(lease.Log{LastIndex: uint64(n.disk.have)})
	n.step(lease.Applied{State: n.state})
	n.pulse()
	n.askBarrier()
}

// crash ends the process at once. What it opened in the kernel stays open as long as its lease.
func (n *node) crash() {
	n.w.tracef("%s crashes", n.id)
	n.ghosts = append(n.ghosts, ghost{n.m, n.open})
	n.resume()
	n.up, n.lead = false, 0
	n.m, n.open = nil, nil
	n.reclaim()
	n.disk.snap = n.disk.snap + n.w.rng.Intn(n.applied-n.disk.snap+1)
}

// suspend stops the whole machine; thaw ends that too.
func (n *node) suspend() {
	n.frozen, n.suspended, n.since = true, true, n.w.now
}

func (n *node) resume() {
	if n.suspended {
		n.rawOff -= time.Duration(float64(n.w.now-n.since) * n.rawRate)
		n.suspended = false
	}
}

// thaw lets a frozen process go on: it does late what it should have done meanwhile.
func (n *node) thaw() {
	n.resume()
	n.frozen = false
	late := n.deferred
	n.deferred = nil
	for _, f := range late {
		f()
	}
}

// holds reports whether the node claims an address now: opened, under a lease that is live by its own clocks.
func (n *node) holds(k fsm.AddressKey) bool {
	now := n.instant()
	for _, c := range n.claims {
		if c.key == k && c.m.Live(c.epoch, now) {
			return !n.suspended
		}
	}
	return false
}

// pulse is the ticking of the actuator and of what applies entries.
func (n *node) pulse() {
	n.step(lease.Alive{Part: lease.Actuator})
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
		n.on(n.write(), func() {
			n.disk.durable = d
			n.step(lease.Persisted{Seq: o.Seq})
		})
	case lease.LeaseChanged:
		n.on(w.little(), n.actuate)
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
	case lease.ShutOut:
		w.fail("%s shuts out %v although no disk went back: %s", n.id, o.Grantor, o.Why)
	}
}

// write is how long a durable write takes.
func (n *node) write() time.Duration {
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

// actuate opens and closes addresses by the applied state and the lease, and confirms releases of what is closed.
func (n *node) actuate() {
	if n.localOf != n.state {
		n.local, n.localOf = fsm.LocalOf(n.state, n.id), n.state
	}
	local := &n.local
	keys := make([]fsm.AddressKey, 0, len(local.VIPs))
	for _, v := range local.VIPs {
		keys = append(keys, v.Key)
	}
	now := n.instant()
	n.open = n.open.Next(keys, n.state.Nodes[n.id].Epoch, func(e fsm.Epoch) bool { return n.m.Live(e, now) })
	defer n.reclaim()
	if !n.ready {
		return // before the barrier a node acts on nothing; only its lease keeps it from opening anything here
	}
	n.ghosts = nil // the kernel's list shows what an earlier process left: it is closed, or opened again above
	for _, r := range local.Releases {
		if _, open := n.open[r.Key]; !open {
			n.step(lease.Confirm{Key: r.Key, ReleaseIndex: r.ReleaseIndex})
		}
	}
}
