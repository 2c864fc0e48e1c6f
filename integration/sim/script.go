package sim

import (
	"maps"
	"slices"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// situation is how a schedule may begin: a few faults that follow each other in the one order in which a certain rule is
// all that stands between two nodes and the same address. Faults at random get there once in thousands of schedules. Each
// is a fault that the model allows, played on the same code, and any faults go on from where it ends.
type situation struct {
	nodes int  // that the cluster has
	drift bool // with the worst clocks
	steps func(*stage) []step
}

// Situations are the names of the beginnings that a schedule can have, sorted.
func Situations() []string { return slices.Sorted(maps.Keys(situations)) }

// step is one act of a situation and what it waits for afterwards. Where that does not come about, the situation ends.
type step struct {
	do     func()
	until  func() bool
	within time.Duration
}

func do(f func()) step                                   { return step{do: f} }
func until(within time.Duration, cond func() bool) step  { return step{until: cond, within: within} }
func wait(d time.Duration) step                          { return step{within: -d} }
func then(f func(), d time.Duration, c func() bool) step { return step{do: f, until: c, within: d} }

// play begins with the named situation, once the cluster has settled, and calls done when it is over.
func (w *World) play(name string, done func()) {
	s := &stage{World: w, h: w.nodes[w.rng.Intn(len(w.nodes))]}
	for _, n := range w.nodes {
		if n.rawRate < s.h.rawRate {
			s.h = n // one that has the slowest clock is the most interesting
		}
	}
	w.tracef("situation %s of %s", name, s.h.id)
	w.act([]step{
		until(3*time.Second, s.settled),
		then(s.abdicate, time.Second, func() bool { return s.settled() && s.leader() != s.h }),
		then(s.equip, time.Second, func() bool { return s.settled() && s.h.holds(s.x) && s.leader() != s.h }),
	}, func(whole bool) {
		if !whole {
			done()
			return
		}
		s.cast()
		w.act(situations[name].steps(s), func(whole bool) {
			w.played = whole
			w.net.treat = nil
			w.tracef("end of the situation")
			done()
		})
	})
}

// act plays the steps one after the other, and says whether it came to the end.
func (w *World) act(steps []step, done func(whole bool)) {
	if len(steps) == 0 {
		done(true)
		return
	}
	s, end := steps[0], w.now+steps[0].within
	if s.do != nil {
		s.do()
	}
	var poll func()
	poll = func() {
		switch {
		case s.until == nil || s.until():
			w.act(steps[1:], done)
		case w.now >= end:
			w.tracef("given up, %d steps before the end", len(steps))
			done(false)
		default:
			w.after(time.Millisecond, poll)
		}
	}
	w.after(max(0, -s.within), poll)
}

// stage is the cluster as a situation sees it.
type stage struct {
	*World
	h      *node   // holds x and does not lead
	l      *node   // leads
	others []*node // the rest
	x      fsm.AddressKey
	epoch  fsm.Epoch // of h
}

// newest is the state after the last committed entry.
func (s *stage) newest() *fsm.State { return s.states[len(s.log)] }

// abdicate sees to it that h does not lead.
func (s *stage) abdicate() {
	if s.leader() == s.h {
		for _, n := range s.nodes {
			s.transfer(s.h, n.id)
		}
	}
}

// equip gives h an address.
func (s *stage) equip() {
	s.x = s.newest().Config.VIPs["a"].Key()
	s.move(s.h)
	if s.rng.Intn(2) == 0 {
		s.moveOf(s.newest().Config.VIPs["b"].Key(), s.h)
	}
}

// cast says who plays what.
func (s *stage) cast() {
	s.l, s.epoch = s.leader(), s.newest().Nodes[s.h.id].Epoch
	for _, n := range s.nodes {
		if n != s.h && n != s.l {
			s.others = append(s.others, n)
		}
	}
	s.tracef("%s leads", s.l.id)
}

// upTo is a random time of at most d.
func (s *stage) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int63n(int64(d))) }

// between is a random time.
func (s *stage) between(a, b time.Duration) time.Duration { return a + s.upTo(b-a) }

// bounce restarts a node within a few milliseconds. It begins with all that it had applied.
func (s *stage) bounce(n *node) { s.bounceFrom(n, n.applied) }

// bounceFrom restarts a node that begins with a snapshot of the first entries.
func (s *stage) bounceFrom(n *node, snap int) {
	snap = min(snap, n.applied)
	n.crash()
	n.disk.snap = snap
	s.after(s.between(time.Millisecond, 8*time.Millisecond), func() { s.revive(n) })
}

// join mends the network between two nodes.
func (s *stage) join(a, b *node) {
	delete(s.net.cut, [2]fsm.NodeID{a.id, b.id})
	delete(s.net.cut, [2]fsm.NodeID{b.id, a.id})
}

// part cuts two nodes from each other.
func (s *stage) part(a, b *node) {
	s.tracef("cut %s -- %s", a.id, b.id)
	s.cutBoth(a.id, b.id)
}

func (s *stage) mend() {
	s.tracef("mend the network")
	clear(s.net.cut)
}

// wants proposes something for an operator, through the leader.
func (s *stage) wants(c fsm.Command) {
	if l := s.leader(); l != nil && !l.frozen {
		s.propose(l, c, func(fsm.Result, bool) { l.on(0, l.duty) })
	}
}

// profile changes the cluster's timing.
func (s *stage) profile(p fsm.Profile) func() {
	return func() {
		c := cloneConfig(s.newest().Config)
		c.Settings.Profile = p
		s.wants(fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
	}
}

// move asks for x to go to another node.
func (s *stage) move(to *node) { s.moveOf(s.x, to) }

func (s *stage) moveOf(k fsm.AddressKey, to *node) {
	a := s.newest().Assignments[k]
	if a.Owner == to.id {
		return
	}
	s.wants(fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{
		Key: k, Epoch: a.Epoch, To: to.id, Reason: fsm.Reason{Code: fsm.ReasonRequested},
	}}}})
}

// fenced reports whether h was.
func (s *stage) fenced() bool {
	return s.newest().Nodes[s.h.id].Epoch != s.epoch && len(s.newest().Owned(s.h.id)) == 0
}

// taken reports whether another node holds x.
func (s *stage) taken() bool {
	for _, n := range s.nodes {
		if n != s.h && n.holds(s.x) {
			return true
		}
	}
	return false
}

// live reports whether h holds a lease under the epoch that it has applied.
func (s *stage) live() bool {
	return s.h.up && s.h.m.Live(s.h.state.Nodes[s.h.id].Epoch, s.h.instant())
}

// wasProposed reports whether something like it was, since the command number n.
func (s *stage) wasProposed(n int, like func(fsm.Command) bool) bool {
	return slices.ContainsFunc(s.proposed[n:], like)
}

// cannotLead loses what some report, so that the leader does not think of handing leadership to them.
func (s *stage) cannotLead(ns ...*node) {
	s.net.treat = func(from, _ fsm.NodeID, b lease.Body) treatment {
		_, report := b.(lease.Report)
		return treatment{lose: report && slices.ContainsFunc(ns, func(n *node) bool { return n.id == from })}
	}
}

// delay holds up one kind of datagrams to or from h.
func (s *stage) delay(which func(from, to fsm.NodeID, b lease.Body) bool, d time.Duration) {
	s.net.treat = func(from, to fsm.NodeID, b lease.Body) treatment {
		if which(from, to, b) {
			return treatment{delay: d}
		}
		return treatment{}
	}
}
