package whole

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"quorate/cluster/lease"
)

// ice is what a process is frozen in: SIGSTOP, or a host that gives it no processor. See the package's doc for what it does
// to the process. The zero value is a process that runs.
type ice struct {
	solid atomic.Pointer[frozen] // nil = it runs

	mu   sync.Mutex
	late []func() // what the process told the kernel while it was frozen, in order
	sent int      // datagrams among them
}

// frozen is one time of being frozen.
type frozen struct {
	at   lease.Instant // when it began
	over chan struct{}
}

// parked is how many datagrams a process may want to send at the moment at which it goes on. More are lost.
const parked = 256

// creep is by how much slower the lease's clock goes for a frozen process. It would stand still, but that a timer which is
// due in a moment would be set anew, for the same moment, again and again.
const creep = 100

// freeze stops p at the next place at which it deals with the world. It must be called when all the bubble waits, so that
// none of the process's goroutines is between two such places with a lock in its hands: a goroutine that waits for a lock
// keeps virtual time from passing.
func (p *process) freeze() bool {
	return p.ice.solid.CompareAndSwap(nil, &frozen{at: p.m.clock.Now(), over: make(chan struct{})})
}

// thaw lets p go on. First the kernel hears what it was told meanwhile.
func (p *process) thaw() {
	i := &p.ice
	f := i.solid.Load()
	if f == nil {
		return
	}
	for !p.killed() {
		i.mu.Lock()
		late := i.late
		i.late, i.sent = nil, 0
		if len(late) == 0 {
			i.solid.Store(nil)
		}
		i.mu.Unlock()
		if len(late) == 0 {
			break
		}
		for _, do := range late {
			do()
		}
	}
	close(f.over)
}

// wait returns when p runs, or is dead.
func (p *process) wait() {
	for f := p.ice.solid.Load(); f != nil && !p.killed(); f = p.ice.solid.Load() {
		select {
		case <-f.over:
		case <-p.gone:
		}
	}
}

// reach waits until p can take what a client asks; false = the client has given up.
func (p *process) reach(ctx context.Context) bool {
	for f := p.ice.solid.Load(); f != nil && !p.killed(); f = p.ice.solid.Load() {
		select {
		case <-f.over:
		case <-p.gone:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// errFrozen is what a client makes of a process that does not answer.
var errFrozen = errors.New("the process is frozen and answers nothing")

// later keeps do until the process goes on; false = it runs, so that its caller does it now.
func (p *process) later(datagram bool, do func()) bool {
	i := &p.ice
	if i.solid.Load() == nil || p.killed() {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.solid.Load() == nil {
		return false
	}
	if datagram {
		if i.sent++; i.sent > parked {
			return true
		}
	}
	i.late = append(i.late, do)
	return true
}

// Now implements lease.Clock: the machine's clock, as the process reads it. What a frozen process reads is old.
func (p *process) Now() lease.Instant {
	f := p.ice.solid.Load()
	now := p.m.clock.Now()
	if f == nil {
		return now
	}
	return lease.Instant{Raw: f.at.Raw + (now.Raw-f.at.Raw)/creep, Boot: f.at.Boot + (now.Boot-f.at.Boot)/creep}
}

// log is the process's log. It stops Raft's main goroutine where a timer has told it that it heard nothing for too long: a
// leader that is frozen still thinks that it leads when it goes on.
type log struct {
	slog.Handler
	p *process
}

// silence is what Raft says then (raft.go: runFollower, runCandidate, checkLeaderLease).
var silence = map[string]bool{
	"failed to contact": true, "heartbeat timeout reached, starting election": true, "Election timeout reached, restarting election": true,
}

// Enabled implements slog.Handler.
func (l log) Enabled(ctx context.Context, at slog.Level) bool {
	return l.p.ice.solid.Load() != nil || l.Handler.Enabled(ctx, at)
}

// Handle implements slog.Handler.
func (l log) Handle(ctx context.Context, r slog.Record) error {
	if silence[r.Message] {
		l.p.wait()
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (l log) WithAttrs(a []slog.Attr) slog.Handler { return log{l.Handler.WithAttrs(a), l.p} }

// WithGroup implements slog.Handler.
func (l log) WithGroup(name string) slog.Handler { return log{l.Handler.WithGroup(name), l.p} }

// long draws from 0.1 to 10 s, each order of magnitude as often as the other.
func long(rng *rand.Rand) time.Duration {
	return time.Duration(float64(100*time.Millisecond) * math.Pow(100, rng.Float64()))
}

// freeze freezes the process of m for some time.
func (w *World) freeze(m *machine, d time.Duration) {
	synctest.Wait()
	w.mu.Lock()
	p := m.proc
	owner := false
	for range m.claims() {
		owner = true
	}
	w.mu.Unlock()
	if p == nil || p.asked.Load() || !p.freeze() {
		return
	}
	w.tracef("%s freezes for %v", m.id, d)
	w.did("freeze")
	if owner {
		w.did("freeze of an owner")
	}
	w.returns.Go(func() {
		pause(w.chaos, d)
		w.tracef("%s goes on", m.id)
		p.thaw()
	})
}
