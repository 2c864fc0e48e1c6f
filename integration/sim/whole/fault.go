package whole

import (
	"math/rand/v2"
	"time"

	"quorate/cluster"
	"quorate/cluster/simnet"
)

// breakThings breaks something now and then, and mends something now and then.
func (w *World) breakThings() {
	w.mu.Lock()
	rng := w.random()
	w.mu.Unlock()
	for pause(w.chaos, below(rng, 400*time.Millisecond)) {
		w.fault(rng)
	}
}

func below(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

func (w *World) fault(rng *rand.Rand) {
	w.mu.Lock()
	m, o := w.machines[rng.IntN(len(w.machines))], w.machines[rng.IntN(len(w.machines))]
	w.mu.Unlock()
	switch rng.IntN(27) {
	case 0, 1:
		w.crash(m, "kill", false, below(rng, 2*time.Second))
	case 2: // a quick restart: its addresses are still there
		w.crash(m, "kill", false, below(rng, 20*time.Millisecond))
	case 3:
		w.crash(m, "power", true, below(rng, 2*time.Second))
	case 4:
		w.restart(m, below(rng, time.Second))
	case 5, 6:
		w.cut("one way", m, o, false)
	case 7:
		w.cut("both ways", m, o, true)
	case 8, 9:
		w.isolate(m, rng.IntN(3) > 0, rng.IntN(3) > 0)
	case 10, 11, 12, 19, 20:
		w.mend()
	case 13:
		w.traffic("loss", func(l *simnet.Link) { l.Loss = rng.Float64() * 0.3 })
	case 14:
		w.traffic("delay", func(l *simnet.Link) {
			l.Jitter, l.Latency = 1+below(rng, 300*time.Millisecond), 100*time.Microsecond+below(rng, 30*time.Millisecond)
		})
	case 15:
		if m.slow.Load() > 0 {
			m.slow.Store(0)
			return
		}
		d := below(rng, 400*time.Millisecond)
		w.tracef("the disk of %s takes %v", m.id, d)
		w.did("slow disk")
		m.slow.Store(int64(d))
	case 16:
		w.did("clock")
		m.clock.turn(rng)
	case 17:
		d := below(rng, 700*time.Millisecond)
		w.tracef("the actuator of %s hangs for %v", m.id, d)
		w.did("hang")
		m.hang.Store(int64(d))
	case 18:
		w.loseDisk(m, below(rng, time.Second))
	case 21, 22, 23:
		w.freeze(m, long(rng))
	case 24:
		d := below(rng, 2*time.Hour) - time.Hour
		w.tracef("the time of day of %s steps by %v", m.id, d)
		w.did("wall clock")
		m.wall.Add(int64(d))
	case 25, 26:
		d := below(rng, 4*time.Second)
		w.tracef("%s lacks connections of the others for %v", m.id, d)
		w.did("lacks connections")
		m.lack(d)
	}
}

// crash kills the process of m, or takes its machine's power, and brings it back after some time.
func (w *World) crash(m *machine, how string, power bool, away time.Duration) {
	if !m.crash(power) {
		return
	}
	w.tracef("%s of %s, for %v", how, m.id, away)
	w.did(how)
	w.returns.Go(func() {
		pause(w.chaos, away)
		m.boot()
	})
}

// restart ends the process of m in good order and brings it back.
func (w *World) restart(m *machine, away time.Duration) {
	w.tracef("restart of %s", m.id)
	w.did("restart")
	w.returns.Go(func() {
		m.stop()
		pause(w.chaos, away)
		m.boot()
	})
}

func (w *World) cut(how string, m, o *machine, both bool) {
	if m == o {
		return
	}
	w.tracef("cut %s: %s to %s", how, m.id, o.id)
	w.did("cut " + how)
	w.net.Cut(m.ip, o.ip)
	if both {
		w.net.Cut(o.ip, m.ip)
	}
}

// isolate cuts a machine from all others, in the directions that are true.
func (w *World) isolate(m *machine, in, out bool) {
	w.tracef("isolate %s (in %v, out %v)", m.id, in, out)
	w.did("isolate")
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range w.machines {
		if o != m && out {
			w.net.Cut(m.ip, o.ip)
		}
		if o != m && in {
			w.net.Cut(o.ip, m.ip)
		}
	}
}

// mend makes the network whole.
func (w *World) mend() {
	w.tracef("mend the network")
	w.net.Heal()
	w.traffic("mend", func(l *simnet.Link) {
		*l = simnet.Link{Latency: 200 * time.Microsecond, Jitter: 200 * time.Microsecond}
	})
}

// traffic changes how all links are.
func (w *World) traffic(what string, change func(*simnet.Link)) {
	w.did(what)
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.link)
	w.spread()
	w.tracef("links: %+v", w.link)
}

// spread makes all links so; mu is held.
func (w *World) spread() {
	for _, a := range w.machines {
		for _, b := range w.machines {
			w.net.SetLink(a.ip, b.ip, w.link)
		}
	}
}

// loseDisk replaces the data directory of m by an empty one, while the others can do without it. See keep for how it comes
// back.
func (w *World) loseDisk(m *machine, away time.Duration) {
	w.mu.Lock()
	enough := len(w.machines) >= 3
	w.mu.Unlock()
	if !enough || !w.settled() || !w.busy.CompareAndSwap(false, true) {
		return
	}
	w.tracef("%s loses its disk", m.id)
	w.did("lost disk")
	w.mu.Lock()
	m.halt(true)
	m.disk, m.lost = cluster.NewMemory(), w.latest.Nodes[m.id].Store
	w.mu.Unlock()
	w.returns.Go(func() {
		pause(w.chaos, away)
		m.boot()
	})
	w.parts.Go(w.untilSettled)
}

// untilSettled lets the next change of the membership begin when this one is done.
func (w *World) untilSettled() {
	for !w.settled() {
		if !pause(w.ctx, 20*time.Millisecond) {
			return
		}
	}
	w.busy.Store(false)
}
