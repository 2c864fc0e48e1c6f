package vip

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// retryEvery is how often what failed is tried again when nothing else wakes us.
	retryEvery = time.Second
	// passGap is the least time between passes that the kernel's own events cause: the first is at once, a storm of
	// them costs fifty lists a second.
	passGap = 20 * time.Millisecond
)

// Run does what happens between the caller's calls: it announces, renews what Keep has extended, puts back what others
// remove, retries what failed, and gives up what the caller has not spoken for in time. It returns nil when ctx ends
// and leaves the kernel as it is: addresses run out by themselves, or go at once by Clear. It may run once at a time.
func (a *Actuator) Run(ctx context.Context) error {
	if !a.running.CompareAndSwap(false, true) {
		return errors.New("vip: Run is running already")
	}
	defer a.running.Store(false)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { a.watch(ctx); return nil })
	g.Go(func() error { a.loop(ctx); return nil })
	return g.Wait()
}

// watch keeps listening to the kernel until ctx ends.
func (a *Actuator) watch(ctx context.Context) {
	for {
		err := a.kernel.Watch(ctx, func() { signal(a.wake) })
		if ctx.Err() != nil {
			return
		}
		a.log.Warn("address changes are not seen; listening again", "reason", err)
		signal(a.wake)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryEvery):
		}
	}
}

// loop serves wake-ups and timers until ctx ends.
func (a *Actuator) loop(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var gapEnds time.Time // earliest next pass for the kernel's events
	var held bool         // an event waits for gapEnds
	for {
		next := a.nextAt()
		if held {
			next = earlier(next, gapEnds)
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		pass := false
		select {
		case <-ctx.Done():
			return
		case <-a.wake:
			held = true
		case <-a.renew:
			pass = true
		case <-a.timer:
		case <-timer.C:
		}
		now := time.Now()
		if held && !now.Before(gapEnds) {
			pass = true
		}
		if pass || a.passDue(now) {
			a.again()
			held, gapEnds = false, time.Now().Add(passGap)
		}
		a.announceDue(ctx)
	}
}

// nextAt is when loop has something to do by itself; zero: never.
func (a *Actuator) nextAt() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return earlier(earlier(a.schedule.wakeAt(), a.retryAt), a.opinion.wakeAt())
}

// passDue says whether a retry or the end of the caller's word asks for a pass.
func (a *Actuator) passDue(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := earlier(a.retryAt, a.opinion.wakeAt())
	return !t.IsZero() && !now.Before(t)
}

// again makes a pass for the last wanted set.
func (a *Actuator) again() {
	a.mu.Lock()
	if !a.said || a.urgent.Load() > 0 { // nothing is wanted or unwanted yet; or a Clear waits, and makes a pass itself
		a.mu.Unlock()
		return
	}
	a.pass()
	events := a.takeEvents()
	a.mu.Unlock()
	a.deliver(events)
	_ = a.finishVirtual() // logged, and tried again
}

// announceDue sends what is due, all of it from this one goroutine. The lock is taken for each frame, so that a give-up
// waits for one frame at most and nothing is announced after it.
func (a *Actuator) announceDue(ctx context.Context) {
	a.mu.Lock()
	keys := a.schedule.due(time.Now())
	a.mu.Unlock()
	for _, k := range keys {
		if ctx.Err() != nil || a.urgent.Load() > 0 {
			return
		}
		a.mu.Lock()
		now := time.Now()
		b, r := a.schedule[k], a.records[k]
		switch {
		case b == nil || b.due.After(now): // given up, or begun anew, since
		case r == nil || !r.held || a.opinion.left(k, now) <= 0:
			a.schedule.cancel(k) // it is not there, or is about to go: putting it back begins anew
		default:
			a.announce(k, now)
		}
		a.mu.Unlock()
	}
}
