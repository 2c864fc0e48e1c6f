package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Options of an Engine. The zero value works.
type Options struct {
	// Dial opens the connections of all probes; nil = the host's network.
	Dial DialFunc
	// Through opens the connections of targets that have a Through; nil = they are not asked.
	Through ThroughFunc
	// Log gets one Info line per transition; nil = nowhere.
	Log *slog.Logger
	// OnTransition is told of every change of a verdict, the first one included, and of every change of the weight that a
	// target which is up asks for; one call at a time and in order. It is called by Run's goroutine with no lock held: it may call Set and Snapshot, and no probe is started until it returns.
	OnTransition func(Transition)
	// Concurrency bounds the probes under way; 0 = 1024. Those that are due beyond it wait their turn.
	Concurrency int
	// Jitter picks when within its interval a new target is first probed, so that many targets set at once, here and on
	// the other nodes, are spread out; nil = at random.
	Jitter func(interval time.Duration) time.Duration
}

// Transition is the change of a target's verdict, or of the weight that it asks for while it is up.
type Transition struct {
	ID     string
	Up     bool
	Detail string // what the last probe saw, at most 200 bytes
	Weight Weight // that it asks for; none while it is down
	// OwnOnly says of a target with a Through that is down: the server answers at its own address.
	OwnOnly bool
	At      time.Time
}

// ErrRunning is what Run returns when the engine is running already.
var ErrRunning = errors.New("health engine is running already")

// Engine probes a set of targets. Its methods may be called from any goroutine.
type Engine struct {
	opts    Options
	probers map[Type]Prober
	wake    chan struct{} // the schedule's head may have changed

	mu       sync.Mutex
	running  bool
	entries  map[string]*entry
	waiting  schedule
	underway int
	behind   bool // the last probe started was late by more than its interval
}

// outcome is what one probe came to.
type outcome struct {
	entry  *entry
	start  time.Time
	took   time.Duration
	answer Answer
	err    error
}

// New returns an engine without targets. It starts nothing; see Run.
func New(o Options) *Engine {
	if o.Dial == nil {
		o.Dial = dialTarget
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnTransition == nil {
		o.OnTransition = func(Transition) {}
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 1024
	}
	if o.Jitter == nil {
		o.Jitter = func(interval time.Duration) time.Duration { return rand.N(interval) }
	}
	return &Engine{
		opts:    o,
		probers: probers(o.Dial, o.Through),
		wake:    make(chan struct{}, 1),
		entries: map[string]*entry{},
	}
}

// Set says which targets are wanted; those not named are no longer probed, and probes of theirs that are under way are
// given up. Of two targets with one ID the first counts.
//
// A target that asks the same question as before under its ID (type, address, egress and what its type has besides) keeps its verdict, also
// when its interval, timeout, rise or fall changed; any other starts anew as unknown. After Set returns no transition is
// decided any more for what it dropped; one that was decided before may still be on its way to OnTransition.
func (g *Engine) Set(targets []Target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	wanted := make(map[string]struct{}, len(targets))
	for _, t := range targets {
		if _, twice := wanted[t.ID]; twice {
			continue
		}
		wanted[t.ID] = struct{}{}
		t = t.withDefaults()
		if e, ok := g.entries[t.ID]; ok {
			if e.target.sameQuestion(t) {
				g.retune(e, t, now)
				continue
			}
			g.drop(e)
		}
		e := &entry{target: t, tracker: Tracker{Rise: t.Rise, Fall: t.Fall}, index: -1, state: State{Since: now}}
		g.entries[t.ID] = e
		g.waiting.add(e, now.Add(g.opts.Jitter(t.Interval)))
	}
	for id, e := range g.entries {
		if _, ok := wanted[id]; !ok {
			g.drop(e)
			delete(g.entries, id)
		}
	}
	g.signal()
}

// retune gives a target another rhythm and keeps what is known of it.
func (g *Engine) retune(e *entry, t Target, now time.Time) {
	e.target = t
	e.tracker.Rise, e.tracker.Fall = t.Rise, t.Fall
	g.waiting.earlier(e, now.Add(e.rhythm()))
}

// drop stops probing an entry.
func (g *Engine) drop(e *entry) {
	e.gone = true
	g.waiting.remove(e)
	if e.cancel != nil {
		e.cancel()
	}
}

func (g *Engine) signal() {
	select {
	case g.wake <- struct{}{}:
	default: // Run has not seen the last signal yet and will look at everything then
	}
}

// Run probes until ctx ends and returns nil then, after every goroutine it started has ended. A later Run goes on with
// what is known. It returns ErrRunning when another Run is under way.
func (g *Engine) Run(ctx context.Context) error {
	if err := g.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var probes sync.WaitGroup
	defer func() {
		cancel()
		probes.Wait()
		g.end()
	}()
	outcomes := make(chan outcome)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if wait, ok := g.launch(ctx, &probes, outcomes); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-g.wake:
		case <-timer.C:
		case o := <-outcomes:
			if tr, ok := g.record(o); ok {
				g.opts.OnTransition(tr)
			}
		}
	}
}

// begin marks the engine as running and spreads the targets that were set before over their intervals.
func (g *Engine) begin() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running {
		return ErrRunning
	}
	g.running = true
	now := time.Now()
	clear(g.waiting)
	g.waiting = g.waiting[:0]
	for _, e := range g.entries {
		g.waiting.add(e, now.Add(g.opts.Jitter(e.target.Interval)))
	}
	return nil
}

// end forgets the probes that were given up with Run.
func (g *Engine) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running, g.underway = false, 0
	for _, e := range g.entries {
		e.cancel = nil
	}
}

// launch starts the probes that are due, as many as may be under way, and returns how long until the next; ok is false
// when there is nothing to wait for but an outcome or a signal.
func (g *Engine) launch(ctx context.Context, probes *sync.WaitGroup, outcomes chan<- outcome) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for g.underway < g.opts.Concurrency {
		e := g.waiting.take(now)
		if e == nil {
			break
		}
		g.notePace(e, now)
		g.underway++
		t := e.target
		pctx, cancel := context.WithCancel(ctx)
		e.cancel = cancel
		falls := e.tracker.Would(false)
		probes.Go(func() {
			defer cancel()
			o := g.probe(pctx, e, t)
			if falls && o.err != nil && t.Through != (Through{}) && !errors.Is(o.err, ErrNotAsked) {
				o.err = g.diagnose(pctx, t, o.err)
			}
			select {
			case outcomes <- o:
			case <-ctx.Done():
			}
		})
	}
	next := g.waiting.next()
	if next == nil || g.underway >= g.opts.Concurrency {
		return 0, false
	}
	return next.due.Sub(now), true
}

// notePace logs when probes begin to come late because too many are under way, and when that is over.
func (g *Engine) notePace(e *entry, now time.Time) {
	late := now.Sub(e.due)
	if behind := late > e.target.Interval; behind != g.behind {
		g.behind = behind
		if behind {
			g.opts.Log.Warn("probes come late: too many are under way", "late", late, "targets", len(g.entries), "concurrency", g.opts.Concurrency)
		} else {
			g.opts.Log.Info("probes are on time again", "targets", len(g.entries))
		}
	}
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

// record takes an outcome, lets its target wait for the next probe and returns the transition, if it made one.
func (g *Engine) record(o outcome) (Transition, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.underway--
	e := o.entry
	if e.gone {
		return Transition{}, false
	}
	now := time.Now()
	e.cancel = nil
	e.state.observe(o, now)
	tr, news := e.judge(o, now)
	// From the time it was due, so that the rhythm does not drift; probes missed in a suspend are not made up for.
	due := e.due.Add(e.rhythm())
	if due.Before(now) {
		due = now.Add(e.rhythm())
	}
	g.waiting.add(e, due)
	if news {
		g.opts.Log.Info("check is "+e.tracker.Verdict().String(), "check", tr.ID, "server", e.target.Addr, "reason", tr.Detail)
	}
	return tr, news
}

// Snapshot returns what is known of each target, sorted by ID.
func (g *Engine) Snapshot() []State {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]State, 0, len(g.entries))
	for _, e := range g.entries {
		s := e.state
		s.Target, s.Verdict = e.target, e.tracker.Verdict()
		s.OK, s.Streak = e.tracker.Streak()
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b State) int { return cmp.Compare(a.Target.ID, b.Target.ID) })
	return out
}
