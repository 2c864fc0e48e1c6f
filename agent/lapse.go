package agent

import (
	"sync"
	"sync/atomic"

	"quorate/cluster/lease"
)

// lapse keeps a lease that comes back from the kernel's gate until the actuator has looked: what was open before its end would open again by itself, and another may have it
// by then: a node that was elected without a quorum, or a router outside the cluster. It is on where there are virtual routers with such. Renewals call it, and the actuator.
type lapse struct {
	mu      sync.Mutex
	on      bool
	last    lease.LeaseChanged // that was told to the gate
	waits   bool               // pending is kept back
	count   uint64             // of the times that a lease came back so
	pending lease.LeaseChanged

	// The same for the actuator, which must not wait for a renewal that waits for the kernel.
	guards atomic.Bool
	kept   atomic.Uint64 // count, while one is kept back; else 0
}

// guard says whether there is anything to guard. What was kept back is told when there is nothing any more.
func (l *lapse) guard(on bool, tell func(lease.LeaseChanged) error) error {
	if l.guards.Load() == on && l.kept.Load() == 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.guards.Store(on)
	if l.on = on; on || !l.waits {
		return nil
	}
	return l.resumeLocked(tell)
}

// renewed tells the gate of a lease at now, or keeps it back.
func (l *lapse) renewed(c lease.LeaseChanged, now lease.Instant, tell func(lease.LeaseChanged) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := c.Until == lease.Instant{}
	// A new epoch opens nothing that was not opened under it.
	lapsed := !ends && l.last.Epoch == c.Epoch && (now.Raw >= l.last.Until.Raw || now.Boot >= l.last.Until.Boot)
	switch {
	case l.on && !ends && c.Epoch == l.last.Epoch && (lapsed || l.waits):
		if !l.waits || now.Raw >= l.pending.Until.Raw || now.Boot >= l.pending.Until.Boot {
			l.count++
		}
		l.pending, l.waits = c, true
		l.kept.Store(l.count)
		return nil
	case l.waits && (ends || c.Epoch != l.pending.Epoch):
		l.waits = false
		l.kept.Store(0)
	}
	l.last = c
	return tell(c)
}

// lapsed is which lease that has come back is kept back; 0 = none is.
func (l *lapse) lapsed() uint64 {
	return l.kept.Load()
}

// resume tells the gate of the one that was kept back as lapsed said: the actuator has looked since. One that has come back later has to wait for another look.
func (l *lapse) resume(which uint64, tell func(lease.LeaseChanged) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.waits || l.count != which {
		return nil
	}
	return l.resumeLocked(tell)
}

func (l *lapse) resumeLocked(tell func(lease.LeaseChanged) error) error {
	l.waits, l.last = false, l.pending
	l.kept.Store(0)
	return tell(l.last)
}
