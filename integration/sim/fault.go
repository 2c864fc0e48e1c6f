package sim

import (
	"time"

	"quorate/fsm"
)

// faults breaks something now and then, and mends something now and then.
func (w *World) faults() {
	w.after(time.Duration(w.rng.Int63n(int64(400*time.Millisecond))), func() {
		if w.now >= w.opt.Faults {
			return
		}
		w.fault()
		w.faults()
	})
}

func (w *World) fault() {
	n := w.nodes[w.rng.Intn(len(w.nodes))]
	o := w.nodes[w.rng.Intn(len(w.nodes))]
	switch w.rng.Intn(22) {
	case 0, 1:
		if n.up {
			n.crash()
			w.after(time.Duration(w.rng.Int63n(int64(2*time.Second))), func() { w.revive(n) })
		}
	case 2: // a quick restart: the state on disk is old, its leases are not
		if n.up {
			n.crash()
			w.after(time.Duration(w.rng.Int63n(int64(20*time.Millisecond))), func() { w.revive(n) })
		}
	case 3:
		w.tracef("cut %s -> %s", n.id, o.id)
		w.net.cut[[2]fsm.NodeID{n.id, o.id}] = true
	case 4:
		w.tracef("cut %s -- %s", n.id, o.id)
		w.cutBoth(n.id, o.id)
	case 5:
		w.isolate(n, w.rng.Intn(3) > 0, w.rng.Intn(3) > 0)
	case 6, 7, 8:
		w.tracef("mend the network")
		clear(w.net.cut)
		w.net.loss, w.net.spread, w.net.dup = 0, 0, 0
	case 9:
		w.net.loss, w.net.dup = w.rng.Float64()*0.3, w.rng.Float64()*0.2
		w.tracef("lose %.2f of the packets, double %.2f", w.net.loss, w.net.dup)
	case 10:
		w.net.spread = time.Duration(w.rng.Int63n(int64(300 * time.Millisecond)))
		w.tracef("delay packets by up to %v", w.net.spread)
	case 11:
		n.slow = time.Duration(w.rng.Int63n(int64(400 * time.Millisecond)))
		w.tracef("the disk of %s takes %v", n.id, n.slow)
	case 12:
		n.slow = 0
	case 13, 16:
		n.freeze(w.rng.Intn(2) == 0, time.Duration(w.rng.Int63n(int64(time.Second))))
	case 14:
		w.wallShift[n.id] = time.Duration(w.rng.Int63n(int64(2*time.Hour))) - time.Hour
	case 15:
		w.loseDisk(n)
	case 17, 18: // caught in the middle of a write
		d := time.Duration(w.rng.Int63n(int64(400 * time.Millisecond)))
		then := func() {}
		switch w.rng.Intn(3) {
		case 0:
			then = func() { n.freeze(false, d) }
		case 1:
			then = func() {
				if n.up {
					n.crash()
					w.after(d, func() { w.revive(n) })
				}
			}
		}
		n.traps[w.rng.Intn(int(points))] = &trap{d, then}
	case 20, 21:
		n.yield(time.Duration(w.rng.Int63n(int64(time.Second))))
	case 19:
		if n.up {
			n.reboot()
			w.after(time.Duration(w.rng.Int63n(int64(time.Second))), func() { w.revive(n) })
		}
	}
}

// freeze stops the process, or the whole machine, for some time.
func (n *node) freeze(machine bool, d time.Duration) {
	w := n.w
	if !n.up || n.frozen {
		return
	}
	w.tracef("freeze %s", n.id)
	w.happened["frozen"]++
	n.frozen = true
	if machine {
		w.tracef("the machine too")
		n.suspend()
	}
	run := n.run
	w.after(d, func() {
		if n.up && n.run == run && n.frozen {
			w.tracef("thaw %s", n.id)
			n.thaw()
		}
	})
}

// isolate cuts a node from all others, in the directions that are true.
func (w *World) isolate(n *node, in, out bool) {
	w.tracef("isolate %s (in %v, out %v)", n.id, in, out)
	for _, x := range w.nodes {
		w.net.cut[[2]fsm.NodeID{x.id, n.id}] = in
		w.net.cut[[2]fsm.NodeID{n.id, x.id}] = out
	}
}

func (w *World) cutBoth(a, b fsm.NodeID) {
	w.net.cut[[2]fsm.NodeID{a, b}] = true
	w.net.cut[[2]fsm.NodeID{b, a}] = true
}

// revive starts a node that is down, unless its store was removed from the cluster.
func (w *World) revive(n *node) {
	if !n.up {
		n.start()
	}
}

// loseDisk replaces a node's data directory by an empty one, while the others can do without it. The operator removes the
// old store; the new one joins after that.
func (w *World) loseDisk(n *node) {
	g, set := n.member(), w.states[len(w.log)].Grantors
	if len(set.Members) < 3 || len(w.voters) < 3 || len(w.removing) > 0 || !w.isVoter(g) || !set.Has(g) {
		return
	}
	if n.up {
		n.crash()
	}
	w.tracef("%s loses its disk", n.id)
	w.removing[g.Store] = true
	n.disk = w.newDisk()
	w.joining[n.disk.store] = true
	w.after(500*time.Millisecond, func() { w.revive(n) })
}

// heal ends all faults.
func (w *World) heal() {
	w.tracef("heal")
	clear(w.net.cut)
	w.net.loss, w.net.spread, w.net.dup = 0, 0, 0
	if w.checked {
		w.someFail()
	}
	for _, n := range w.nodes {
		n.slow = 0
		n.clearTraps()
		if n.frozen {
			n.thaw()
		}
		w.revive(n)
	}
}
