package sim

import (
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

var situations = map[string]situation{
	"grantors-forget":         {nodes: 3, steps: grantorsForget},
	"grantor-changes-store":   {nodes: 5, steps: grantorChangesStore},
	"late-acks":               {nodes: 3, steps: lateAcks},
	"acks-of-an-earlier-boot": {nodes: 3, steps: acksOfAnEarlierBoot},
	"all-grantors-restart":    {nodes: 3, drift: true, steps: allGrantorsRestart},
	"cap-on-a-slow-disk":      {nodes: 3, drift: true, steps: capOnASlowDisk},
	"shorter-profile":         {nodes: 3, steps: shorterProfile},
	"worst-clocks":            {nodes: 3, drift: true, steps: worstClocks},
	"suspended":               {nodes: 3, drift: true, steps: suspended},
	"start-in-the-past":       {nodes: 3, steps: startInThePast},
	"moved-while-cut":         {nodes: 3, steps: movedWhileCut},
	"moved-and-unconfirmed":   {nodes: 5, steps: movedAndUnconfirmed},
	"moved-twice":             {nodes: 3, steps: movedTwice},
	"renamed-while-cut":       {nodes: 3, steps: renamedWhileCut},
	"relabelled-while-cut":    {nodes: 3, steps: relabelledWhileCut},
	"back-between-entries":    {nodes: 3, steps: backBetweenEntries},
	"raise-before-fence":      {nodes: 5, steps: raiseBeforeFence},
	"grantors-follow-quickly": {nodes: 3, steps: grantorsFollowQuickly},
	"grantors-follow-unseen":  {nodes: 3, steps: grantorsFollowUnseen},

	// What the gate is for: see gated.go.
	"frozen-in-a-renewal":   {nodes: 3, steps: frozenInARenewal},
	"released-in-a-renewal": {nodes: 3, steps: releasedInARenewal},
	"back-before-it-closed": {nodes: 3, steps: backBeforeItClosed},
	"killed-while-open":     {nodes: 3, steps: killedWhileOpen},
	"slow-to-close":         {nodes: 3, steps: slowToClose},
	"handed-over":           {nodes: 3, steps: handedOver},
	"fenced-in-a-linger":    {nodes: 3, steps: fencedInALinger},

	"asked-to-end": {nodes: 3, steps: askedToEnd}, // see yield.go
}

// grantorsForget: h was fenced while it was alone, then finds those who promised to refuse it restarted. It cannot see the
// log.
func grantorsForget(s *stage) []step {
	return []step{
		then(func() { s.isolate(s.h, true, true) }, 2*time.Second, s.fenced),
		wait(s.upTo(20 * time.Millisecond)),
		do(func() {
			for _, n := range s.others {
				s.bounce(n)
				s.join(n, s.h)
			}
		}),
		wait(600 * time.Millisecond),
	}
}

// grantorChangesStore: h and one grantor were on one side, the majority on the other. One of the majority comes back with an
// empty disk, to both sides.
func grantorChangesStore(s *stage) []step {
	a, b, c := s.others[0], s.others[1], s.others[2]
	return []step{
		then(func() {
			for _, x := range []*node{s.l, a, b} {
				s.part(x, s.h)
				s.part(x, c)
			}
		}, 2*time.Second, s.fenced),
		do(func() {
			s.mend()
			s.loseDisk(a)
			s.part(s.h, s.l)
			s.part(s.h, b)
		}),
		wait(1200 * time.Millisecond),
	}
}

// lateAcks: what the grantors answer to h takes its time, and then they do not hear h any more.
func lateAcks(s *stage) []step {
	return []step{
		do(func() {
			s.delay(func(_, to fsm.NodeID, b lease.Body) bool {
				_, ack := b.(lease.Ack)
				return ack && to == s.h.id
			}, s.between(80*time.Millisecond, 180*time.Millisecond))
		}),
		wait(s.between(300*time.Millisecond, 800*time.Millisecond)),
		do(func() { s.isolate(s.h, false, true) }),
		wait(800 * time.Millisecond),
	}
}

// acksOfAnEarlierBoot: h restarts twice. Its third process is not heard by anybody, but hears copies of what the grantors
// answered to the second, whose Renews had the same numbers.
func acksOfAnEarlierBoot(s *stage) []step {
	type copied struct {
		seq     uint64
		deliver func()
	}
	var copies []copied
	keep := func(_, to fsm.NodeID, b lease.Body) treatment {
		a, ok := b.(lease.Ack)
		if !ok || to != s.h.id {
			return treatment{}
		}
		return treatment{copy: func(f func()) { copies = append(copies, copied{a.Seq, f}) }}
	}
	steps := []step{
		then(func() {
			s.bounce(s.h)
			s.net.treat = keep
		}, time.Second, func() bool { return s.h.up && s.h.ready }),
		wait(s.between(500*time.Millisecond, 900*time.Millisecond)),
		then(func() {
			s.net.treat = nil
			s.bounce(s.h)
		}, time.Second, func() bool { return s.h.up && s.h.ready }),
		wait(s.between(30*time.Millisecond, 60*time.Millisecond)),
		do(func() { s.isolate(s.h, false, true) }),
	}
	for k := range uint64(20) {
		steps = append(steps, wait(50*time.Millisecond), do(func() {
			for _, c := range copies {
				if c.seq <= k+1 {
					c.deliver()
				}
			}
		}))
	}
	return steps
}

// allGrantorsRestart: h is cut off, and all others restart.
func allGrantorsRestart(s *stage) []step {
	return []step{
		wait(s.upTo(50 * time.Millisecond)),
		do(func() {
			s.isolate(s.h, true, true)
			s.bounce(s.l)
			s.bounce(s.others[0])
		}),
		wait(700 * time.Millisecond),
	}
}

// capOnASlowDisk: the profile becomes a longer one, and the grantors restart before their disks know. At first they
// still apply the shorter one.
func capOnASlowDisk(s *stage) []step {
	grantors, short := []*node{s.l, s.others[0]}, 0
	long := func() bool {
		return s.live() && s.h.m.Status(s.h.instant()).Remains > 150*time.Millisecond
	}
	return []step{
		do(s.profile(fsm.Fast)),
		wait(600 * time.Millisecond),
		do(func() {
			for _, n := range grantors {
				n.slow = 400 * time.Millisecond
			}
			short = len(s.log)
		}),
		then(s.profile(fsm.LAN), 2*time.Second, long),
		wait(s.upTo(60 * time.Millisecond)),
		do(func() {
			s.isolate(s.h, true, true)
			for _, n := range grantors {
				n.slow = 0
				s.bounceFrom(n, short)
			}
		}),
		wait(700 * time.Millisecond),
	}
}

// shorterProfile: the profile becomes a shorter one, and h is cut off when it has asked for the first short lease. The long
// one is still good.
func shorterProfile(s *stage) []step {
	return []step{
		then(s.profile(fsm.Fast), time.Second, func() bool { return s.h.state.Config.Settings.Profile == fsm.Fast }),
		wait(s.between(2*time.Millisecond, 20*time.Millisecond)),
		do(func() { s.isolate(s.h, true, true) }),
		wait(600 * time.Millisecond),
	}
}

// worstClocks: h has the slowest clock and is cut off.
func worstClocks(s *stage) []step {
	return []step{
		wait(s.upTo(50 * time.Millisecond)),
		then(func() { s.isolate(s.h, true, s.rng.Intn(2) == 0) }, 2*time.Second, s.fenced),
		wait(100 * time.Millisecond),
	}
}

// suspended: h's machine stands still until somebody else has its address.
func suspended(s *stage) []step {
	h, run := s.h, s.h.run
	return []step{
		wait(s.upTo(50 * time.Millisecond)),
		then(func() {
			s.tracef("suspend %s", h.id)
			h.suspend()
		}, 2*time.Second, s.taken),
		wait(s.upTo(20*time.Millisecond) * time.Duration(s.rng.Intn(2))),
		do(func() {
			if h.up && h.run == run {
				s.tracef("resume %s", h.id)
				h.thaw()
			}
		}),
		wait(100 * time.Millisecond),
	}
}

// startInThePast: h has handed an address over, restarts with a state from before that, and cannot see the log.
func startInThePast(s *stage) []step {
	before := 0
	return []step{
		then(func() {
			before = s.h.applied
			s.move(s.others[0])
		}, time.Second, s.taken),
		do(func() {
			s.h.crash()
			s.h.disk.snap = before
			s.part(s.h, s.l)
		}),
		wait(s.between(time.Millisecond, 10*time.Millisecond)),
		do(func() { s.revive(s.h) }),
		wait(600 * time.Millisecond),
	}
}

// movedWhileCut: an operator moves h's address while h sees the grantors and not the log.
func movedWhileCut(s *stage) []step {
	return []step{
		do(func() {
			s.part(s.h, s.l)
			s.move(s.others[0])
		}),
		wait(1500 * time.Millisecond),
	}
}

// movedAndUnconfirmed: the same; h sees just enough grantors for its lease, and is fenced because it does not confirm.
func movedAndUnconfirmed(s *stage) []step {
	a, b, c := s.others[0], s.others[1], s.others[2]
	return []step{
		then(func() {
			s.cannotLead(a, b)
			s.part(s.h, s.l)
			s.part(s.h, c)
			s.move(c)
		}, 4*time.Second, s.fenced),
		wait(400 * time.Millisecond),
	}
}

// movedTwice: an operator moves h's address, thinks better of it, and moves it after all, which h does not see. Meanwhile the
// leader hears that h confirmed the first time.
func movedTwice(s *stage) []step {
	first := uint64(0)
	return []step{
		then(func() {
			s.delay(func(from, _ fsm.NodeID, b lease.Body) bool {
				_, confirms := b.(lease.Confirmation)
				return confirms && from == s.h.id
			}, 400*time.Millisecond)
			s.move(s.others[0])
		}, 200*time.Millisecond, func() bool {
			r := s.h.state.Assignments[s.x].Release
			_, open := s.h.open[s.x]
			if r != nil {
				first = r.Index
			}
			return r != nil && !open
		}),
		then(func() {
			s.wants(fsm.Command{Decide: &fsm.Decide{Cancel: []fsm.Cancel{{Key: s.x, ReleaseIndex: first}}}})
		}, 200*time.Millisecond, func() bool { return s.h.holds(s.x) }),
		do(func() {
			s.part(s.h, s.l)
			s.move(s.others[0])
		}),
		wait(900 * time.Millisecond),
	}
}

// renamedWhileCut: h's addresses get other names while h sees the grantors and not the log.
func renamedWhileCut(s *stage) []step {
	return reconfiguredWhileCut(s, func(v *fsm.VIP) { v.Name += "x" })
}

// relabelledWhileCut: they come to another network instead, which is the same wire.
func relabelledWhileCut(s *stage) []step {
	return reconfiguredWhileCut(s, func(v *fsm.VIP) { v.Network = "other" })
}

func reconfiguredWhileCut(s *stage, change func(*fsm.VIP)) []step {
	return []step{
		do(func() {
			s.part(s.h, s.l)
			c := cloneConfig(s.newest().Config)
			for _, k := range s.newest().Owned(s.h.id) {
				v, _ := s.newest().VIPByKey(k)
				delete(c.VIPs, v.Name)
				change(&v)
				c.VIPs[v.Name] = v
			}
			s.wants(fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}})
		}),
		wait(1500 * time.Millisecond),
	}
}

// backBetweenEntries: h is fenced by a leader with a slow disk, comes back as soon as that is committed, and loses sight of
// the log when it holds a lease again, before the next entry.
func backBetweenEntries(s *stage) []step {
	return []step{
		then(func() {
			s.l.slow = s.between(100*time.Millisecond, 400*time.Millisecond)
			s.isolate(s.h, true, true)
		}, 2*time.Second, func() bool { return s.newest().Nodes[s.h.id].Epoch != s.epoch }),
		then(s.mend, 300*time.Millisecond, func() bool { return s.h.state.Nodes[s.h.id].Epoch != s.epoch && s.live() }),
		wait(s.upTo(10 * time.Millisecond)),
		do(func() { s.part(s.h, s.l) }),
		wait(900 * time.Millisecond),
		do(func() { s.l.slow = 0 }),
	}
}

// raiseBeforeFence: only the leader itself has promised to refuse h, so the next leader raises h's epoch. That takes long enough for the
// leader to gather answers for a fence of the epoch before; h is back, holds under the new epoch and loses sight of the log
// when the fence is committed.
func raiseBeforeFence(s *stage) []step {
	v, mark := s.others[0], 0
	raise := func(c fsm.Command) bool { return c.Raise != nil && c.Raise.Node == s.h.id }
	fence := func(c fsm.Command) bool { return c.Fenced != nil && c.Fenced.Node == s.h.id }
	return []step{
		then(func() {
			s.net.treat = func(_, _ fsm.NodeID, b lease.Body) treatment {
				_, fence := b.(lease.Fence)
				return treatment{lose: fence}
			}
			s.isolate(s.h, true, true)
		}, time.Second, func() bool { return s.l.disk.durable.Floors[s.h.id] >= s.epoch }),
		do(s.mend),
		wait(200 * time.Millisecond),
		until(500*time.Millisecond, s.live),
		then(func() {
			s.net.treat = nil
			mark = len(s.proposed)
			s.transfer(s.l, v.id)
			v.slow = 550 * time.Millisecond
		}, 2*time.Second, func() bool { return s.wasProposed(mark, raise) }),
		then(func() { s.isolate(s.h, true, true) }, 500*time.Millisecond, func() bool { return s.wasProposed(mark, fence) }),
		then(s.mend, 700*time.Millisecond, func() bool { return s.h.state.Nodes[s.h.id].Epoch != s.epoch && s.live() }),
		do(func() { s.part(s.h, v) }),
		wait(900 * time.Millisecond),
		do(func() { v.slow = 0 }),
	}
}

// grantorsFollowQuickly: two nodes join while h sees one grantor and not the log.
func grantorsFollowQuickly(s *stage) []step {
	return []step{do(func() { s.twoMore() }), wait(2500 * time.Millisecond)}
}

// grantorsFollowUnseen: the same, and the grantor that h sees does not come to lead, It has to refuse h before there are two more.
func grantorsFollowUnseen(s *stage) []step {
	o := s.others[0]
	return []step{
		then(func() {
			s.cannotLead(o)
			for _, n := range s.twoMore() {
				s.part(o, n)
			}
		}, 4*time.Second, func() bool { return len(s.newest().Grantors.Members) == 5 }),
		wait(800 * time.Millisecond),
	}
}

// twoMore lets two nodes join that h does not see, nor does it see the leader.
func (s *stage) twoMore() []*node {
	s.part(s.h, s.l)
	var more []*node
	for _, id := range []fsm.NodeID{"y1", "y2"} {
		n := s.addNode(id)
		s.joining[n.disk.store] = true
		s.part(s.h, n)
		n.start()
		more = append(more, n)
	}
	return more
}
