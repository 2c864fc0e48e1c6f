package sim

import (
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// This file is the model of a process that is asked to end (agent.yield): it says so in its reports, waits for others to take over what it
// owns, takes the last packets for it, and then gives up what is left and goes.

const (
	yieldLimit  = 10 * time.Second
	yieldNotice = time.Second // without any progress
	yieldPoll   = 20 * time.Millisecond
)

// yield asks the process to end, and starts it again some time after it has.
func (n *node) yield(down time.Duration) {
	n.on(0, func() {
		if n.ending {
			return
		}
		n.w.tracef("%s is asked to end", n.id)
		n.ending = true
		n.step(lease.Ending(true))
		n.awaitYielded(n.w.now, n.w.now, down)
	})
}

func (n *node) awaitYielded(began, progress, down time.Duration) {
	owned := n.state.Owned(n.id)
	moving := false
	for _, k := range owned {
		moving = moving || n.state.Assignments[k].Release != nil
	}
	now := n.w.now
	busy := moving || len(n.lingers) > 0
	if busy {
		progress = now
	}
	if !busy && len(owned) == 0 || now-progress > yieldNotice || now-began > yieldLimit {
		n.end(len(owned), down)
		return
	}
	n.on(yieldPoll, func() { n.awaitYielded(began, progress, down) })
}

// end gives up everything and is gone.
func (n *node) end(owned int, down time.Duration) {
	w := n.w
	w.tracef("%s ends and owns %d", n.id, owned)
	switch {
	case owned == 0:
		w.happened["yielded"]++
	case w.calmYield:
		w.fail("%s is gone with %d VIPs that others could have had", n.id, owned)
	}
	for s := range w.slots.used() {
		n.kernel.expires[s] = 0
	}
	n.crash()
	w.after(down, func() { w.revive(n) })
}

// checkGiven is what must hold for what a leader decides: nothing is given to a node that is about to end, or on which a required check fails or is not known.
func (w *World) checkGiven(h fsm.Hints, st *fsm.State, d fsm.Decide) {
	given := func(k fsm.AddressKey, to fsm.NodeID) {
		// One that keeps what it has for want of another is not given it.
		if h.Ending[to] && st.Assignments[k].Owner != to {
			w.fail("%v is given to %s, which is about to end", k, to)
		}
		v, _ := st.VIPByKey(k)
		if why := barred(st, v.Name, to); to != "" && st.Assignments[k].Owner != to && why != "" {
			w.fail("%v is given to %s, although %s", k, to, why)
		}
	}
	for _, a := range d.Assign {
		given(a.Key, a.Owner)
	}
	for _, r := range d.Release {
		given(r.Key, r.To)
	}
}

// checkEnding is what must hold long after the last fault: nobody is taken for a process that is about to end.
func (w *World) checkEnding() {
	if l := w.leader(); l != nil {
		for id := range l.m.Hints(l.instant()).Ending {
			if w.byID[id].ending {
				continue
			}
			w.fail("%s is still said to be about to end, after its process was followed by another", id)
			return
		}
	}
}

// askedToEnd: h's process is asked to end while all is well, with one address or two, and comes back after a while. What it owned is
// with others before it goes.
func askedToEnd(s *stage) []step {
	h := s.h
	return []step{
		wait(s.upTo(100 * time.Millisecond)),
		then(func() {
			s.calmYield = true
			h.yield(s.upTo(600 * time.Millisecond))
		}, 6*time.Second, func() bool { return !h.up }),
		then(func() { s.calmYield = false }, 2*time.Second, func() bool { return h.up && s.settled() }),
		// The process that follows can have it again: it does not end.
		then(func() { s.move(h) }, time.Second, func() bool { return h.holds(s.x) }),
		wait(100 * time.Millisecond),
	}
}
