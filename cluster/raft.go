package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// Retention is how much of Raft's log a node keeps.
type Retention struct {
	Entries  uint64        // so many after the last snapshot, the next one is taken
	Interval time.Duration // between two looks, up to twice as long
	Trailing uint64        // entries before a snapshot that stay, for nodes that lag
}

// retained is the default. A command is a few hundred bytes, so the log stays around a megabyte, and a node that was away for
// less than Trailing entries needs no snapshot.
var retained = Retention{Entries: 2048, Interval: 30 * time.Second, Trailing: 1024}

const cachedLogs = 128

// consensus runs Raft. Raft is stopped and started again, in place, when the timing profile changes: its leader lease
// cannot be changed while it runs, and must not be longer than the heartbeat timeout. Owners do not notice, because leases
// do not come from the leader (design §3).
type consensus struct {
	self      raft.ServerID
	stores    *Stores
	written   *watchedLog // stores.Log
	machine   *machine
	directory *directory
	streams   func() *raftStreams // a fresh layer for each start
	// duties are what this node does while it leads; ctx ends with its leadership.
	duties func(ctx context.Context, term uint64)
	wall   func() time.Time
	retain Retention
	// ready is closed after the start barrier. What is applied before is the past: its profiles are not to be followed one after
	// the other, and whoever was up to date remembers the last one.
	ready <-chan struct{}
	log   *slog.Logger

	bell    // rung when the leader or the role changes
	raft    atomic.Pointer[raft.Raft]
	trans   atomic.Pointer[raftTransport] // with its raft
	now     atomic.Pointer[raftStreams]
	running atomic.Pointer[fsm.Profile] // whose timeouts Raft runs with
	// established is the term in which this node leads and has committed an entry; 0 = none.
	established atomic.Uint64
	nudge       chan struct{}
	asked       atomic.Int64 // what Raft has not answered yet
	yielding    atomic.Bool  // Raft is asked for nothing more, see handOver
}

// raftTimeouts are what a profile means to Raft. The commit timeout may be long, because a decision is followed by an empty
// entry; short ones cost an idle cluster most of its messages.
func raftTimeouts(c *raft.Config, p fsm.Profile) {
	t := p.Timing().Raft
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = t, t, t
	c.CommitTimeout = time.Second
}

// transportTimeout bounds one exchange with a peer, the peer's fsync included.
func transportTimeout(p fsm.Profile) time.Duration { return max(time.Second, 5*p.Timing().Raft) }

// run runs Raft until ctx ends, an error, or the machine fails. profile is asked at each start.
func (c *consensus) run(ctx context.Context, remembered fsm.Profile) error {
	p := remembered
	for ctx.Err() == nil {
		next, err := c.once(ctx, p)
		if err != nil {
			return err
		}
		if next != p && ctx.Err() == nil {
			c.log.Info("timing profile changed", "from", string(p), "to", string(next))
		}
		p = next
	}
	return nil
}

// profile is the committed one; remembered before any state is there.
func (c *consensus) profile(remembered fsm.Profile) fsm.Profile {
	s := c.machine.view.state.Load()
	if s.ClusterID == "" {
		return remembered
	}
	return s.Config.Settings.Profile
}

// once runs Raft with the timeouts of p, and returns with the profile to go on with.
func (c *consensus) once(ctx context.Context, p fsm.Profile) (fsm.Profile, error) {
	streams := c.streams()
	log := newHCLog(c.log, "raft")
	trans := newRaftTransport(raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider: c.directory,
		Logger:                log,
		Stream:                streams,
		MaxPool:               3,
		// No pipelining. In raft 1.7.3 a follower that refuses an entry while the next one is being sent blocks its pipeline for
		// good (replication.go: pipelineReplicate waits in pipelineSend, and nobody reads the pipeline any more): it hears
		// heartbeats and so elects nobody, but gets no entry until another leads, and the leader's Raft cannot be shut down.
		// Raft batches what waits, and a cluster decides a few things per second, so that a pipeline is worth nothing here.
		MaxRPCsInFlight:         1,
		Timeout:                 transportTimeout(p),
		MsgpackUseNewTimeFormat: true,
	}), c.stores.Log)
	defer trans.stop()
	notify := make(chan bool, 16)
	conf := raft.DefaultConfig()
	raftTimeouts(conf, p)
	conf.LocalID = c.self
	conf.Logger = log
	conf.NotifyCh = notify
	conf.ShutdownOnRemove = false
	conf.SnapshotInterval, conf.SnapshotThreshold, conf.TrailingLogs = c.retain.Interval, c.retain.Entries, c.retain.Trailing
	conf.NoLegacyTelemetry = true
	watched := &stallWatch{LogStore: c.written, limit: stallLimit(p), stalled: func(on bool) { c.diskStalled(streams, on) }}
	cached, err := raft.NewLogCache(cachedLogs, watched)
	if err != nil {
		return p, err
	}
	var r *raft.Raft
	machine := &tenure{machine: c.machine}
	err = guardStore("the raft log", func() error {
		r, err = raft.NewRaft(conf, machine, cached, termGuard{c.stores.Stable, c.machine.fail}, c.stores.Snapshots, trans)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("start raft: %w", err)
	}
	trans.raft.Store(r)
	leaders := make(chan raft.Observation, 16)
	observer := raft.NewObserver(leaders, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	})
	r.RegisterObserver(observer)
	c.now.Store(streams)
	c.running.Store(&p)
	c.trans.Store(trans)
	c.raft.Store(r)
	c.ring()

	var beats sync.WaitGroup
	next := c.attend(ctx, r, p, notify, leaders, &beats)

	c.raft.Store(nil)
	c.trans.Store(nil)
	c.ring()
	c.drain()
	c.now.Store(nil)
	r.DeregisterObserver(observer)
	machine.over.Store(true)
	_ = streams.Close() // first, so that nobody inside Raft waits for a peer
	beats.Wait()        // after that: a leader that is asked whether it leads gives up without them
	if err := r.Shutdown().Error(); err != nil {
		return next, fmt.Errorf("stop raft: %w", err)
	}
	return next, c.machine.broken()
}

// attend follows Raft's role until ctx ends, the machine fails or another profile is committed. What sends heartbeats may go on for a moment, in beats.
func (c *consensus) attend(ctx context.Context, r *raft.Raft, p fsm.Profile, notify <-chan bool, leaders <-chan raft.Observation, beats *sync.WaitGroup) fsm.Profile {
	var wg sync.WaitGroup
	stopDuties := func() {}
	stop := func() {
		c.established.Store(0)
		stopDuties()
		wg.Wait()
	}
	defer func() { stop() }()
	ready := c.ready
	for {
		changed := c.machine.view.wake()
		if next := c.profile(p); next.Timing() != p.Timing() && isReady(c.ready) {
			return next
		}
		select {
		case <-ctx.Done():
			return p
		case <-c.machine.failed:
			return p
		case leading := <-notify:
			if err := pace(r, p, leading); err != nil {
				c.log.Warn("raft keeps its timeouts", "reason", err)
			}
			stop()
			stopDuties = func() {}
			if leading {
				dctx, cancel := context.WithCancel(ctx)
				stopDuties = cancel
				term := r.CurrentTerm()
				wg.Go(func() { c.duties(dctx, term) })
				beats.Go(func() { beat(dctx, r, beatOf(p), c.machine.failed) })
			}
			c.ring()
		case <-leaders:
			c.ring()
		case <-changed:
		case <-ready:
			ready = nil
		}
	}
}

// diskStalled silences a leader whose disk hangs; the others elect another one.
func (c *consensus) diskStalled(streams *raftStreams, on bool) {
	r := c.raft.Load()
	if on && (r == nil || r.State() != raft.Leader) {
		return
	}
	if on {
		c.log.Error("the raft log cannot be written; this node stops leading", "reason", errDiskStalled)
	} else {
		c.log.Info("the raft log can be written again")
	}
	streams.cutOff(on)
}

// reaches reports whether a voter or a server without vote has answered this leader a moment ago.
func (c *consensus) reaches(g fsm.Grantor) bool { return c.answered(g, transportTimeout) }

// hears reports the same of the last heartbeats.
func (c *consensus) hears(g fsm.Grantor) bool {
	return c.answered(g, func(p fsm.Profile) time.Duration { return 2*beatOf(p) + p.Timing().Raft/2 })
}

func (c *consensus) answered(g fsm.Grantor, within func(fsm.Profile) time.Duration) bool {
	t, p := c.trans.Load(), c.running.Load()
	return t != nil && p != nil && t.answers.within(serverID(g.Node, g.Store), within(*p))
}

// leader is the member that leads, as far as this node knows.
func (c *consensus) leader() (fsm.Grantor, bool) {
	r := c.raft.Load()
	if r == nil {
		return fsm.Grantor{}, false
	}
	_, id := r.LeaderWithID()
	return splitServerID(id)
}

// leading reports whether this node leads and may answer for the cluster: it has committed an entry in its term.
func (c *consensus) leading() bool {
	r := c.raft.Load()
	return r != nil && r.State() == raft.Leader && c.established.Load() == r.CurrentTerm()
}

// servers is Raft's newest configuration, committed or not.
func (c *consensus) servers() []raft.Server {
	r := c.raft.Load()
	if r == nil {
		return nil
	}
	return r.GetConfiguration().Configuration().Servers
}

// apply stamps a command with the time of day, appends it and waits until it is committed and applied here. Errors are
// errNotLeader (nothing happened), ErrUncertain, or ctx's cause; what the state machine says is in the Result.
func (c *consensus) apply(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	cmd.At = c.wall().UTC()
	b, err := fsm.Encode(cmd)
	if err != nil {
		return fsm.Result{}, err
	}
	var future raft.ApplyFuture
	err = c.await(ctx, func(r *raft.Raft) raft.Future {
		future = r.Apply(b, enqueueTimeout(ctx))
		return future
	})
	if err != nil {
		return fsm.Result{}, err
	}
	if cmd.Kind() != "empty" {
		c.poke()
	}
	result, ok := future.Response().(fsm.Result)
	if !ok {
		return fsm.Result{}, fmt.Errorf("%w: raft answered %T", ErrUncertain, future.Response())
	}
	return result, nil
}

func enqueueTimeout(ctx context.Context) time.Duration {
	if d, ok := ctx.Deadline(); ok {
		return max(time.Millisecond, time.Until(d))
	}
	return time.Duration(math.MaxInt32) * time.Millisecond
}

// await asks Raft for something, waits for it, and gives Raft's errors our names.
func (c *consensus) await(ctx context.Context, ask func(*raft.Raft) raft.Future) error {
	c.asked.Add(1) // before Raft is looked for, see drain; before yielding is, see handOver
	if c.yielding.Load() {
		c.asked.Add(-1)
		return fmt.Errorf("%w: %w", errNotLeader, errHandingOver)
	}
	r := c.raft.Load()
	if r == nil {
		c.asked.Add(-1)
		return errNotLeader
	}
	f := ask(r)
	done := make(chan error, 1)
	go func() {
		defer c.asked.Add(-1)
		done <- f.Error()
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUncertain, context.Cause(ctx))
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: %w", errNotLeader, err)
	default:
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
}

// drainLimit is how long Raft is let finish what it was asked for, before it is stopped.
const drainLimit = time.Second

// drain waits until Raft has answered everybody: entries that are committed but not yet applied when it is shut down are
// never answered. A leader without a majority gives up after its lease and answers then.
func (c *consensus) drain() {
	for end := time.Now().Add(drainLimit); c.asked.Load() > 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// poke asks for an echo.
func (c *consensus) poke() {
	select {
	case c.nudge <- struct{}{}:
	default:
	}
}

// echo appends an empty entry after each commit, so that the followers learn of the commit in one round trip: Raft tells
// them the commit index only with the next entry, or after the commit timeout. One echo serves all commits before it.
func (c *consensus) echo(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.nudge:
		}
		if len(c.servers()) < 2 {
			continue
		}
		_, _ = c.apply(ctx, fsm.Command{Schema: c.machine.view.state.Load().Schema})
	}
}
