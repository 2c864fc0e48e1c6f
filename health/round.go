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
	ctx       context.Context
	probes    sync.WaitGroup
	outcomes  chan outcome
	connector *connector // nil = every probe has a goroutine
	ended     []outcome  // of the last launch, at once
}

// maxStarts is how many probes of a lane are started before it is looked at what has ended: when thousands are due at once, results and callers
// of the engine do not wait for all of them.
const maxStarts = 256

// launch starts the probes that are due, as many as may be under way, and returns how long until there is something to do again; ok is false when there
// is nothing to wait for but an outcome or a signal.
func (g *Engine) launch(r *round) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for _, c := range g.dropped {
		if r.connector.abandon(c) {
			g.dialling.underway--
		}
	}
	g.dropped = g.dropped[:0]
	r.ended = r.connector.late(r.ended[:0], now)
	for range maxStarts {
		e := g.dialling.take(now)
		if e == nil {
			break
		}
		g.notePace(e, now)
		if r.connector == nil {
			g.start(r, e)
			continue
		}
		c, o, ended := r.connector.start(e, time.Now())
		if e.connecting = c; ended {
			r.ended = append(r.ended, o)
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
	for _, due := range []time.Time{g.asking.next(), g.dialling.next(), r.connector.deadline()} {
		if left := due.Sub(now); !due.IsZero() && (!ok || left < wait) {
			wait, ok = left, true
		}
	}
	return wait, ok
}

// start starts a probe with a goroutine.
func (g *Engine) start(r *round, e *entry) {
	t, falls := e.target, e.tracker.Would(false)
	ctx, cancel := context.WithCancel(r.ctx)
	e.cancel = cancel
	r.probes.Go(func() {
		defer cancel()
		o := g.probe(ctx, e, t)
		if falls && o.err != nil && t.Through != (Through{}) && !errors.Is(o.err, ErrNotAsked) {
			o.err = g.diagnose(ctx, t, o.err)
		}
		select {
		case r.outcomes <- o:
		case <-r.ctx.Done():
		}
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
