package health

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// round is one Run: the probes that it started.
type round struct {
	ctx    context.Context
	probes sync.WaitGroup
	timer  *time.Timer
	loop   *loop // nil = every probe has a goroutine

	mu    sync.Mutex
	ended []outcome // of probes with a goroutine
	taken []outcome // the same, to be filled anew
}

// land takes the outcome of a probe with a goroutine. One that ends with Run has found out nothing.
func (r *round) land(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return
	}
	r.ended = append(r.ended, o)
}

// landed are the outcomes of probes with a goroutine since the last call. They are good until the next.
func (r *round) landed() []outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.taken)
	r.ended, r.taken = r.taken[:0], r.ended
	return r.taken
}

// wait waits until something has ended, or until the given time, or for a word to woken.
func (r *round) wait(until, now time.Time, woken <-chan struct{}) {
	if r.loop != nil {
		r.loop.wait(until, now, woken)
		return
	}
	if until.IsZero() {
		r.timer.Stop()
	} else {
		r.timer.Reset(until.Sub(now))
	}
	select {
	case <-woken:
	case <-r.timer.C:
	}
}

// finished are the outcomes of the loop.
func (r *round) finished(now time.Time) []outcome {
	if r.loop == nil {
		return nil
	}
	return r.loop.finished(now)
}

// maxStarts is how many probes of a lane are started before it is looked at what has ended: when thousands are due at once, results and callers
// of the engine do not wait for all of them.
const maxStarts = 256

// launch starts the probes that are due, as many as may be under way, and returns the outcomes of those of the loop that have ended already.
func (g *Engine) launch(r *round, now time.Time) (ended []outcome) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range g.dropped {
		if r.loop.abandon(k) {
			g.dialling.underway--
		}
	}
	clear(g.dropped)
	g.dropped = g.dropped[:0]
	ended = r.loop.late(nil, now)
	for range maxStarts {
		e := g.dialling.take(now)
		if e == nil {
			break
		}
		g.notePace(e, now)
		if r.loop == nil {
			g.start(r, e)
			continue
		}
		k, o, over := r.loop.start(e, time.Now())
		if e.call = k; over {
			ended = append(ended, o)
		}
	}
	for range maxStarts {
		e := g.asking.take(now)
		if e == nil {
			break
		}
		g.notePace(e, now)
		g.start(r, e)
	}
	for r.loop != nil && g.reading < g.opts.Concurrency {
		k := r.loop.takeLong()
		if k == nil {
			break
		}
		g.read(r, k)
	}
	return ended
}

// due is when there is something to do again; zero = not before an outcome or a signal.
func (g *Engine) due(r *round) (first time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, due := range []time.Time{g.asking.next(), g.dialling.next(), r.loop.deadline()} {
		if !due.IsZero() && (first.IsZero() || due.Before(first)) {
			first = due
		}
	}
	return first
}

// read has a goroutine read the answer to a call, and ask what is to be asked after it.
func (g *Engine) read(r *round, k *call) {
	e := k.entry
	ctx, cancel := context.WithDeadline(r.ctx, k.deadline)
	web, question, unsent := r.loop.web, *k.question, k.unsent
	c, err := r.loop.release(k)
	e.cancel, e.call = cancel, nil
	g.reading++
	r.probes.Go(func() {
		defer cancel()
		o := outcome{entry: e, start: k.start, err: err, read: true}
		if err != nil {
			o.err = fmt.Errorf("%w: %w", ErrNotAsked, err)
		} else {
			o.answer, o.err = web.resume(ctx, k.visit, k.start, c, question, unsent)
		}
		o.took = time.Since(o.start)
		r.land(o)
		g.signal()
	})
}

// start starts a probe with a goroutine.
func (g *Engine) start(r *round, e *entry) {
	t, falls := *e.target, e.tracker.Would(false)
	ctx, cancel := context.WithCancel(r.ctx)
	e.cancel = cancel
	r.probes.Go(func() {
		defer cancel()
		o := g.probe(ctx, e, t)
		if falls && o.err != nil && t.Through != (Through{}) && !errors.Is(o.err, ErrNotAsked) {
			o.err = g.diagnose(ctx, t, o.err)
		}
		r.land(o)
		g.signal()
	})
}

// probe asks once.
func (g *Engine) probe(ctx context.Context, e *entry, t Target) outcome {
	o := outcome{entry: e, start: time.Now()}
	o.answer, o.err = g.ask(ctx, t)
	o.took = time.Since(o.start)
	return o
}

// ask has the target's prober ask it, within its timeout.
func (g *Engine) ask(ctx context.Context, t Target) (Answer, error) {
	p, ok := g.probers[t.Type]
	if !ok {
		p = unknownProber{}
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	return p.Probe(ctx, t)
}

// diagnose says why a server that is about to go down does not answer through the forwarding path: its own address is asked the same.
func (g *Engine) diagnose(ctx context.Context, t Target, failed error) error {
	own := t
	own.Addr, own.Through = t.Through.Server, Through{}
	switch _, err := g.ask(ctx, own); {
	case err == nil:
		return ownOnly{fmt.Errorf("answers on %s, but not on the VIP %s by %s (%w): run quorate realserver check on it", t.Through.Server, t.Addr, t.Through.Method, failed)}
	case errors.Is(err, ErrNotAsked):
		return failed
	default:
		return err // it is down as any server may be
	}
}

// ownOnly is the error of a server that answers at its own address.
type ownOnly struct{ error }
