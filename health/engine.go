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
	"sync/atomic"
	"time"
)

// Options of an Engine. The zero value works.
type Options struct {
	// Dial opens the connections of all probes; nil = the host's network, where those by TCP that only connect, and by HTTP, need no goroutine.
	Dial DialFunc
	// Through opens the connections of targets that have a Through; nil = they are not asked.
	Through ThroughFunc
	// Local are the means to ask this machine itself.
	Local Local
	// Log gets one Info line per transition; nil = nowhere.
	Log *slog.Logger
	// OnTransition is told of every change of a verdict, the first one included, and of every change of the weight that a
	// target which is up asks for; one call at a time and in order. It is called by Run's goroutine with no lock held: it may call Set and Snapshot, and no probe is started until it returns.
	OnTransition func(Transition)
	// OnProbe is told of each result, with a lock held: it must not block, nor call the engine. nil = nobody.
	OnProbe func(Probed)
	// Concurrency bounds the probes under way that have a goroutine; 0 = 1024. Those that are due beyond it wait their turn.
	Concurrency int
	// Connections bounds those under way that have none; 0 = half of the files that the process may have open.
	Connections int
	// Jitter picks when within its interval a new target is first probed, so that many targets set at once, here and on
	// the other nodes, are spread out; nil = evenly, from a place by chance.
	Jitter func(interval time.Duration) time.Duration
}

// Result says how a probe ended.
type Result uint8

// The results.
const (
	Passed   Result = iota
	Failed          // the target did not answer, or not as it should
	NotAsked        // this machine could not ask; it moves no verdict
)

// String is "passed", "failed" or "not-asked".
func (r Result) String() string {
	switch r {
	case Passed:
		return "passed"
	case Failed:
		return "failed"
	case NotAsked:
		return "not-asked"
	default:
		return fmt.Sprintf("result(%d)", uint8(r))
	}
}

// Probed is one result.
type Probed struct {
	ID     string // of the target
	Type   Type
	Result Result
	Took   time.Duration
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
	ownDial bool          // the caller opens the connections

	mu       sync.Mutex
	running  bool
	entries  map[string]*entry
	asking   lane    // targets whose probes have a goroutine
	dialling lane    // those whose probes are of the loop
	reading  int     // probes of dialling that have a goroutine, since their answers are long
	dropped  []*call // that nobody waits for any more
	behind   bool    // the last probe started was late by more than its interval

	loop atomic.Pointer[loop] // of the Run under way; nil = none
}

// outcome is what one probe came to.
type outcome struct {
	entry  *entry
	start  time.Time
	took   time.Duration
	answer Answer
	err    error
	read   bool // it is one of reading
}

// New returns an engine without targets. It starts nothing; see Run.
func New(o Options) *Engine {
	own := o.Dial != nil
	if !own {
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
		o.Jitter = evenly(rand.Float64())
	}
	if o.Connections <= 0 {
		o.Connections = connections()
	}
	return &Engine{
		opts:     o,
		probers:  withLocal(probers(o.Dial, o.Through), o.Local),
		wake:     make(chan struct{}, 1),
		entries:  map[string]*entry{},
		asking:   lane{limit: o.Concurrency},
		dialling: lane{limit: o.Connections},
		ownDial:  own,
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
		target := t
		e := &entry{target: &target, tracker: Tracker{Rise: t.Rise, Fall: t.Fall}, index: -1, state: State{Since: now}, lane: &g.asking}
		if !g.ownDial && t.loops() {
			e.lane = &g.dialling
		}
		g.entries[t.ID] = e
		e.lane.add(e, e.settle(now, g.opts.Jitter(t.Interval)))
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
	old := e.target
	same := t.Interval == old.Interval && t.FastInterval == old.FastInterval
	if same && t.Timeout == old.Timeout && t.Rise == old.Rise && t.Fall == old.Fall {
		return
	}
	target := t
	e.target = &target
	e.tracker.Rise, e.tracker.Fall = t.Rise, t.Fall
	if same {
		return
	}
	due := e.settle(now, g.opts.Jitter(t.Interval))
	if e.settled() {
		due = e.slot(now)
	}
	e.lane.earlier(e, due)
}

// drop stops probing an entry.
func (g *Engine) drop(e *entry) {
	e.gone = true
	e.lane.waiting.remove(e)
	if e.cancel != nil {
		e.cancel()
	}
	if e.call != nil {
		g.dropped = append(g.dropped, e.call)
	}
}

// Hint has the targets with these IDs probed at once: something suggests that they have changed. One whose probe is under way is probed again after it.
// However many hints come, a target is not probed for them more often than once in its FastInterval, or five times in its Interval; for this machine's files, processes, links and sessions of BFD, than once in 10 ms. A hint changes
// no rhythm but that of the probe itself, and no verdict: the probe's result counts as any.
func (g *Engine) Hint(ids ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for _, id := range ids {
		if e, ok := g.entries[id]; ok {
			e.hint(now)
		}
	}
	g.signal()
}

// signal has Run look at everything.
func (g *Engine) signal() {
	select {
	case g.wake <- struct{}{}:
	default: // Run has not seen the last signal yet and will look at everything then
	}
	g.loop.Load().poke()
}

// Run probes until ctx ends and returns nil then, after every goroutine it started has ended. A later Run goes on with
// what is known. It returns ErrRunning when another Run is under way.
func (g *Engine) Run(ctx context.Context) error {
	if err := g.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &round{ctx: ctx, timer: time.NewTimer(0)}
	if web, ok := g.probers[TypeHTTP].(httpProber); ok && !g.ownDial {
		r.loop = newLoop(web, g.opts.Log)
		g.loop.Store(r.loop)
	}
	stop := context.AfterFunc(ctx, g.signal)
	defer func() {
		stop()
		cancel()
		g.loop.Store(nil)
		r.loop.close()
		r.probes.Wait()
		r.timer.Stop()
		g.end()
	}()
	for now := time.Now(); ctx.Err() == nil; now = time.Now() {
		g.tell(g.launch(r, now), now)
		r.wait(g.due(r), now, g.wake)
		now = time.Now()
		g.tell(r.finished(now), now)
		g.tell(r.landed(), now)
	}
	return nil
}

// tell takes outcomes and passes on the transitions that they make.
func (g *Engine) tell(outcomes []outcome, now time.Time) {
	for _, o := range outcomes {
		if tr, ok := g.record(o, now); ok {
			g.opts.OnTransition(tr)
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
	g.asking.waiting, g.dialling.waiting = nil, nil
	for _, e := range g.entries {
		e.lane.add(e, e.settle(now, g.opts.Jitter(e.target.Interval)))
	}
	return nil
}

// end forgets the probes that were given up with Run.
func (g *Engine) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running, g.asking.underway, g.dialling.underway, g.reading, g.dropped = false, 0, 0, 0, nil
	for _, e := range g.entries {
		e.cancel, e.call = nil, nil
	}
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

// record takes an outcome, lets its target wait for the next probe and returns the transition, if it made one.
func (g *Engine) record(o outcome, now time.Time) (Transition, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := o.entry
	if e.lane.underway--; o.read {
		g.reading--
	}
	if e.gone {
		return Transition{}, false
	}
	e.cancel, e.call = nil, nil
	e.state.observe(o, now)
	if g.opts.OnProbe != nil {
		p := Probed{ID: e.target.ID, Type: e.target.Type, Took: o.took}
		switch {
		case errors.Is(o.err, ErrNotAsked):
			p.Result = NotAsked
		case o.err != nil:
			p.Result = Failed
		}
		g.opts.OnProbe(p)
	}
	tr, news := e.judge(o, now)
	e.lane.add(e, e.next(now))
	if news {
		level := slog.LevelInfo
		if !e.state.Since.Equal(now) { // another weight, which may be news every second
			level = slog.LevelDebug
		}
		log := g.opts.Log.With("check", tr.ID)
		if e.target.Machine.IsZero() || e.target.Addr.Port() != 0 { // else it asks this machine of itself
			log = log.With("server", e.target.Addr)
		}
		log.Log(context.Background(), level, "check is "+e.tracker.Verdict().String(), "reason", tr.Detail)
	}
	return tr, news
}

// Snapshot returns what is known of each target, sorted by ID.
func (g *Engine) Snapshot() []State {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]State, 0, len(g.entries))
	for _, e := range g.entries {
		out = append(out, e.full())
	}
	slices.SortFunc(out, func(a, b State) int { return cmp.Compare(a.Target.ID, b.Target.ID) })
	return out
}
