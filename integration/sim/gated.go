package sim

import (
	"time"

	"quorate/cluster/lease"
)

// These situations are of a node whose process does not do what it should, so that only its kernel can.

// frozenInARenewal: h's process stops between the reading of its clock and the write of a deadline, and goes on when
// somebody else has its address.
func frozenInARenewal(s *stage) []step {
	h, run := s.h, s.h.run
	return []step{
		wait(s.upTo(50 * time.Millisecond)),
		then(func() {
			h.traps[inRenewal] = &trap{then: func() { h.freeze(false, time.Hour) }}
		}, 2*time.Second, s.taken),
		wait(s.upTo(20*time.Millisecond) * time.Duration(s.rng.Intn(2))),
		do(func() {
			if h.up && h.run == run && h.frozen {
				s.tracef("thaw %s", h.id)
				h.thaw()
			}
		}),
		wait(300 * time.Millisecond),
	}
}

// releasedInARenewal: the thread of h's lease is held up before a write, while h's address is handed over.
func releasedInARenewal(s *stage) []step {
	h := s.h
	return []step{
		then(func() {
			h.traps[inRenewal] = &trap{late: s.between(40*time.Millisecond, 150*time.Millisecond)}
		}, 200*time.Millisecond, func() bool { return len(h.renewals) > 0 }),
		then(func() { s.move(s.others[0]) }, time.Second, s.taken),
		wait(400 * time.Millisecond),
	}
}

// backBeforeItClosed: h is cut off, and its actuator gets stuck when it is about to close what the lease no longer covers. h is
// fenced, comes back and holds a lease under its next epoch.
func backBeforeItClosed(s *stage) []step {
	h := s.h
	return []step{
		then(func() {
			s.isolate(h, true, true)
			h.traps[inClose] = &trap{late: 600 * time.Millisecond}
		}, 2*time.Second, s.taken),
		then(s.mend, time.Second, func() bool { return h.state.Nodes[h.id].Epoch != s.epoch && s.live() }),
		wait(400 * time.Millisecond),
	}
}

// killedWhileOpen: h's process is killed, at any moment of its work.
func killedWhileOpen(s *stage) []step {
	h := s.h
	kill := func() {
		if h.up {
			h.crash()
		}
	}
	return []step{
		wait(s.upTo(50 * time.Millisecond)),
		then(func() {
			if s.rng.Intn(2) == 0 {
				kill()
				return
			}
			h.traps[inRenewal] = &trap{then: kill}
		}, 2*time.Second, s.taken),
		wait(s.upTo(200 * time.Millisecond)),
		do(func() { s.revive(h) }),
		wait(300 * time.Millisecond),
	}
}

// slowToClose: h's address is moved, and h is held up on the way, or killed and started again: what it confirms has to be true.
func slowToClose(s *stage) []step {
	h := s.h
	return []step{
		do(func() {
			t := &trap{late: s.between(10*time.Millisecond, 150*time.Millisecond)}
			if s.rng.Intn(4) == 0 {
				t.then = func() {
					if h.up {
						s.bounce(h)
					}
				}
			}
			h.traps[[]point{inClose, inClose, inRemove, inConfirm}[s.rng.Intn(4)]] = t
			s.move(s.others[0])
		}),
		until(1500*time.Millisecond, s.taken),
		wait(200 * time.Millisecond),
	}
}

// handedOver: h's address is moved, lingers at h to the end, and comes back before or after that.
func handedOver(s *stage) []step {
	return []step{
		then(func() { s.move(s.others[0]) }, time.Second, s.taken),
		wait([]time.Duration{s.upTo(300 * time.Millisecond), lease.Linger + 200*time.Millisecond}[s.rng.Intn(2)]),
		then(func() { s.move(s.h) }, time.Second, func() bool { return s.h.holds(s.x) }),
		wait(100 * time.Millisecond),
	}
}

// fencedInALinger: h has handed one address over and is cut off with another one, or killed, or frozen.
func fencedInALinger(s *stage) []step {
	h, b := s.h, s.newest().Config.VIPs["b"].Key()
	return []step{
		then(func() { s.moveOf(b, h) }, time.Second, func() bool { return h.holds(b) }),
		then(func() { s.move(s.others[0]) }, time.Second, s.taken),
		wait(s.upTo(100 * time.Millisecond)),
		then(func() {
			switch s.rng.Intn(3) {
			case 0:
				s.isolate(h, true, true)
			case 1:
				h.crash()
			case 2:
				h.freeze(false, 600*time.Millisecond)
			}
		}, 2*time.Second, s.fenced),
		wait(400 * time.Millisecond),
		do(func() { s.revive(h) }),
	}
}
