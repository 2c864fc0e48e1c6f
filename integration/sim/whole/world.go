package whole

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"quorate/cluster"
	"quorate/cluster/simnet"
	"quorate/fsm"
)

// Options are what a schedule is made from.
type Options struct {
	Seed   int64
	Nodes  int           // at the beginning, 1 to 5
	Faults time.Duration // how long things are broken
	Bound  time.Duration // after the faults, until every VIP must be held
	Settle time.Duration // after the faults, until all are members again and agree
	Log    *slog.Logger  // nil = discarded
}

// Violation is a broken promise, with what led to it.
type Violation struct {
	Seed  int64
	At    time.Duration
	What  string
	Trace []string
}

// Error is the promise that was broken and the end of the trace.
func (v *Violation) Error() string {
	return fmt.Sprintf("seed %d at %v: %s\n  %s", v.Seed, v.At, v.What, strings.Join(v.Trace, "\n  "))
}

// Stats say how much a schedule did.
type Stats struct {
	Virtual time.Duration
	Checks  int           // of the holders, since the faults began
	Held    int           // checks at which somebody held something
	Served  time.Duration // from the last fault until every VIP was held by its owner
	Settled time.Duration // from the last fault until all were members again and agreed
	Counts  map[string]int
}

// World is one cluster in virtual time.
type World struct {
	opt   Options
	begun time.Time
	net   *simnet.Net
	token string

	ctx    context.Context // ends with the schedule, or at the first violation
	cancel context.CancelFunc
	chaos  context.Context // ends with the faults
	calm   context.CancelFunc

	procs   sync.WaitGroup // processes, the dying included
	parts   sync.WaitGroup // what else goes on until ctx ends
	breaks  sync.WaitGroup // what goes on until chaos ends, or shortly after
	breaker sync.WaitGroup // what breaks things, until chaos ends
	returns sync.WaitGroup // processes that start again when chaos ends at the latest
	busy    atomic.Bool    // a change of the membership is under way: one at a time
	journal journal

	mu       sync.Mutex
	rng      *rand.Rand
	machines []*machine
	link     simnet.Link
	retain   cluster.Retention
	history
	stats Stats

	tell      sync.Mutex // guards what follows
	trace     []string
	violation *Violation
}

// Run runs one schedule, inside a bubble of testing/synctest, and returns what it broke, or nil.
func Run(opt Options) (Stats, *Violation) {
	w := newWorld(opt)
	defer w.cancel()
	if w.form() {
		w.faults()
		w.heal()
	}
	w.end()
	w.stats.Virtual = time.Since(w.begun)
	return w.stats, w.violation
}

func newWorld(opt Options) *World {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	w := &World{
		opt: opt, begun: time.Now(), rng: rand.New(rand.NewPCG(uint64(opt.Seed), 1)),
		history: newHistory(), stats: Stats{Counts: map[string]int{}},
	}
	w.journal.init()
	w.link = simnet.Link{Latency: 100*time.Microsecond + w.upTo(time.Millisecond), Jitter: w.upTo(time.Millisecond) + 1}
	if w.rng.IntN(4) > 0 { // else the log is never cut off
		w.retain = cluster.Retention{
			Entries: 10 + w.rng.Uint64N(60), Interval: 100*time.Millisecond + w.upTo(500*time.Millisecond), Trailing: w.rng.Uint64N(30),
		}
	}
	w.net = simnet.New(uint64(opt.Seed), w.link)
	w.ctx, w.cancel = context.WithCancel(context.Background())
	w.chaos, w.calm = context.WithCancel(w.ctx)
	for i := range opt.Nodes {
		w.add(fmt.Sprintf("n%d", i+1))
	}
	return w
}

// upTo draws from 0 to d; mu is held, or nothing runs yet.
func (w *World) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// random is a generator of its own for somebody; mu is held, or nothing runs yet.
func (w *World) random() *rand.Rand { return rand.New(rand.NewPCG(w.rng.Uint64(), 2)) }

// add makes a machine; mu is held, or nothing runs yet.
func (w *World) add(id string) *machine {
	ip := fmt.Sprintf("10.0.0.%d", len(w.machines)+1)
	m := &machine{w: w, id: fsm.NodeID(id), ip: ip, host: w.net.Host(ip), clock: newClock(w.rng), disk: cluster.NewMemory()}
	w.machines = append(w.machines, m)
	return m
}

// form makes one cluster of all machines, with VIPs that have owners.
func (w *World) form() bool {
	for _, m := range w.machines {
		m.boot()
	}
	ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second)
	defer cancel()
	token, err := w.machines[0].proc.node.Bootstrap(ctx)
	if err != nil {
		w.fail("bootstrap: %v", err)
		return false
	}
	w.mu.Lock()
	w.token = token
	w.mu.Unlock()
	w.parts.Go(w.sample)
	if !w.within(30*time.Second, "all are members", w.settled) {
		return false
	}
	_, err = w.machines[0].proc.node.Propose(ctx, fsm.Command{Actor: "operator", Configure: &fsm.Configure{Force: true, Config: w.config(fsm.LAN)}})
	if err != nil {
		w.fail("configure: %v", err)
		return false
	}
	return w.within(10*time.Second, "every VIP is held", w.served)
}

// config is a configuration with four VIPs.
func (w *World) config(p fsm.Profile) fsm.Config {
	c := fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}}
	c.Settings.Profile = p
	for i := range 4 {
		name := fmt.Sprintf("v%d", i)
		c.VIPs[name] = fsm.VIP{Name: name, Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 24)}
	}
	return c
}

// faults breaks things, and lets an operator and clients work meanwhile, until the time for it is over.
func (w *World) faults() {
	w.tracef("faults begin")
	w.mu.Lock()
	w.stats.Checks, w.stats.Held = 0, 0
	w.mu.Unlock()
	w.breaker.Go(w.breakThings)
	w.breaks.Go(w.operate)
	for i := range writers {
		w.breaks.Go(func() { w.write(i) })
	}
	w.breaks.Go(w.read)
	pause(w.ctx, w.opt.Faults)
	w.calm()
}

// heal ends all faults and waits for the cluster to be as it should.
func (w *World) heal() {
	begin := time.Now()
	w.mend() // what returns may need the network
	w.breaker.Wait()
	w.returns.Wait()
	w.mend() // after the last fault
	w.mu.Lock()
	all := slices.Clone(w.machines)
	w.mu.Unlock()
	for _, m := range all {
		m.slow.Store(0)
		m.hang.Store(0)
	}
	w.tracef("healed")
	w.parts.Go(w.resume)
	if !w.within(w.opt.Bound-time.Since(begin), "every VIP is held by its owner", w.served) {
		return
	}
	w.stats.Served = time.Since(begin)
	w.breaks.Wait()
	if !w.within(w.opt.Settle-time.Since(begin), "all are members and agree", w.agree) {
		return
	}
	w.stats.Settled = time.Since(begin)
	if !w.within(time.Second, "every VIP is still held by its owner", w.served) {
		return
	}
	w.checkJournal()
	w.count()
}

// end stops everything. Afterwards nothing of the schedule runs any more.
func (w *World) end() {
	w.cancel()
	w.breaker.Wait()
	w.breaks.Wait()
	w.returns.Wait()
	w.mu.Lock()
	all := slices.Clone(w.machines)
	w.mu.Unlock()
	var stops sync.WaitGroup
	for _, m := range all {
		stops.Go(m.stop)
	}
	stops.Wait()
	w.parts.Wait()
	w.procs.Wait()
	// A probe of memberlist's that is under way when it is shut down ends by itself, and in a bubble time stands still once
	// the test has returned.
	time.Sleep(10 * time.Second)
}

// within waits for something that must be so after d at the latest.
func (w *World) within(d time.Duration, what string, ok func() bool) bool {
	begin := time.Now()
	for !ok() {
		if w.ctx.Err() != nil {
			return false
		}
		if time.Since(begin) > d {
			w.fail("not within %v: %s%s", d, what, w.census())
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
	return w.ctx.Err() == nil
}

// fail notes the first violation and ends the schedule.
func (w *World) fail(format string, args ...any) {
	w.tell.Lock()
	defer w.tell.Unlock()
	if w.violation == nil {
		w.violation = &Violation{Seed: w.opt.Seed, At: time.Since(w.begun), What: fmt.Sprintf(format, args...), Trace: slices.Clone(w.trace)}
		w.cancel()
	}
}

// kept is how much of the trace is kept.
const kept = 60

func (w *World) tracef(format string, args ...any) {
	line := fmt.Sprintf("%10.4f ", time.Since(w.begun).Seconds()) + fmt.Sprintf(format, args...)
	w.opt.Log.Info(line)
	w.tell.Lock()
	defer w.tell.Unlock()
	if w.trace = append(w.trace, line); len(w.trace) > kept {
		w.trace = w.trace[1:]
	}
}

// did counts something that a schedule did.
func (w *World) did(what string) {
	w.mu.Lock()
	w.stats.Counts[what]++
	w.mu.Unlock()
}

// any is a machine whose process runs, other than those named; nil = there is none.
func (w *World) any(rng *rand.Rand, but ...*machine) (*machine, *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range rng.Perm(len(w.machines)) {
		if m := w.machines[i]; m.proc != nil && !slices.Contains(but, m) {
			return m, m.proc
		}
	}
	return nil, nil
}
