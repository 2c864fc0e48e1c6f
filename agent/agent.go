package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/agent/speak"
	"quorate/api"
	"quorate/cluster"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/health"
	"quorate/lvs/connsync"
	"quorate/lvs/sysctl"
	"quorate/notify"
	"quorate/vip"
	"quorate/vip/gate"
	"quorate/vip/probe"
)

// Options of an agent. Name, Bind, DataDir and Socket are required.
type Options struct {
	Name      fsm.NodeID
	Bind      string // IP:PORT for peers; see cluster.Options
	Advertise string // IP:PORT at which peers reach it; "" = Bind
	DataDir   string
	Socket    string // path of the unix socket of the API
	HTTP      string // loopback host:port at which the API listens too; "" = not
	Role      fsm.Role
	Zone      string
	Weight    int
	Fence     string // FenceAuto, or the gate.Kind that this node has to have; "" = FenceAuto
	Version   string
	Log       *slog.Logger
}

// Agent is one node's daemon.
type Agent struct {
	o       Options
	log     *slog.Logger
	started time.Time
	denied  []string
	barred  bool // it lacks the fence that it is to have, and so carries nothing

	node     *cluster.Node
	clock    lease.Clock
	vips     *vip.Actuator
	fence    *fence
	plane    *planeWorker
	book     *sysctl.Book // of the kernel's settings that were changed
	engine   *health.Engine
	paths    *paths
	observer *observer
	hints    hintDesk
	checks   *nodeChecks
	news     *health.Watch
	metrics  *metrics
	watch    *stopwatch
	kernel   *vip.Netlink
	prober   *probe.Prober
	voices   *speak.Speakers
	deaf     *deafness
	told     routersTold
	ending   atomic.Bool // it has been asked to end
	untaken  atomic.Bool // the leader knows that it ends, and gave what it has to nobody

	sync     atomic.Pointer[connsync.Sync] // of the present membership
	actuator atomic.Pointer[actuator]      // of the present membership, once it may act
	leaving  atomic.Bool
	teller   *notify.Teller
	passes   chan struct{} // the actuator has made a pass
	records  chan fsm.Event
	holdNews chan holdNews
}

// New returns an agent. It starts nothing and touches nothing.
func New(o Options) *Agent {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Agent{o: o, log: o.Log, records: make(chan fsm.Event, 64), watch: &stopwatch{}, prober: probe.New(), holdNews: make(chan holdNews, 1024), passes: make(chan struct{}, 1)}
}

// Run is the daemon until ctx ends; then it hands its VIPs over to other nodes, if there are any, within [yieldLimit], and gives
// up its addresses and services. It returns an error when it cannot start, and when something that it cannot do without has
// failed.
func (a *Agent) Run(ctx context.Context) (err error) {
	a.started = time.Now()
	if err := slackenTimers(); err != nil {
		a.log.Debug("timers keep their slack", "reason", err)
	}
	if err := goFirst(); err != nil {
		a.log.Debug("this process waits for its turn among others", "reason", err)
	}
	if err := a.open(); err != nil {
		return err
	}
	listeners, err := a.listen()
	if err != nil {
		return errors.Join(err, a.node.Close())
	}
	server := api.NewServer(api.Options{
		Reader: a.node, Proposer: backend{a}, Membership: backend{a}, Inspector: backend{a}, Reporter: backend{a}, Forcer: backend{a}, Balancer: backend{a}, Notifying: backend{a}, Observatory: backend{a}, Examiner: backend{a}, Lookout: backend{a},
		Metrics: a.metrics.registry, Version: a.o.Version, Log: a.log,
	})
	unwritten, err := openUnwritten(filepath.Join(a.o.DataDir, unwrittenFile), a.log)
	unwritten.keep(err)
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	asked := ctx.Done()
	g, ctx := errgroup.WithContext(life)
	g.Go(func() error {
		defer end()
		select {
		case <-asked:
			a.ending.Store(true)
			a.yield(ctx)
			a.resign(ctx)
			a.tellStop(ctx)
		case <-ctx.Done():
		}
		return nil
	})
	speaks := a.speak(ctx)
	g.Go(func() error { return a.announces(ctx) })
	g.Go(func() error { return a.told.run(ctx, a) })
	g.Go(func() error { return a.node.Run(ctx) })
	g.Go(func() error { return a.vips.Run(ctx) })
	g.Go(func() error { return a.plane.run(ctx) })
	g.Go(func() error { return a.engine.Run(ctx) })
	g.Go(func() error { return a.news.Run(ctx, func(id string) { a.engine.Hint(id) }) })
	g.Go(func() error { return a.paths.worker.run(ctx) })
	g.Go(func() error { return a.paths.run(ctx) })
	g.Go(func() error { return a.probe(ctx) })
	g.Go(func() error { return a.act(ctx) })
	g.Go(func() error { return a.record(ctx) })
	g.Go(func() error { return a.teller.Run(ctx) })
	g.Go(func() error { return a.see(ctx) })
	g.Go(func() error { return unwritten.run(ctx, a.holdNews, a.chronicle) })
	g.Go(func() error { return a.watchLinks(ctx) })
	g.Go(func() error { return a.deaf.run(ctx) })
	g.Go(func() error { return server.Serve(ctx, listeners...) })
	a.log.Info("agent starts", "addr", a.o.Bind, "socket", a.o.Socket, "version", a.o.Version)
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	speaks()
	unwritten.rest(a.holdNews)
	// Nothing writes any more. The actuator has given the addresses up already; this finds what it could not remove.
	// Addresses first: what arrives for them must not find a half-emptied table.
	st, gateErr := a.vips.Retire()
	err = errors.Join(err, gateErr, a.fence.close())
	for _, x := range st.Addresses {
		if x.Actual {
			err = errors.Join(err, fmt.Errorf("address %s is still on %s: %w", x.Prefix, x.Link, x.Err))
		}
	}
	err = errors.Join(err, a.plane.clear(), a.paths.worker.clear(), a.restore())
	if err == nil {
		a.log.Info("agent has ended; this node carries nothing any more")
	}
	return err
}

// open makes the parts, from the kernel up.
func (a *Agent) open() error {
	witness := a.o.Role == fsm.Witness
	if !witness { // it carries nothing, so it is asked for nothing
		a.denied = vip.Preflight()
	}
	kernel, err := vip.NewKernel()
	if err != nil {
		return err
	}
	a.kernel = kernel
	a.fence = &fence{}
	if !witness {
		if a.fence, err = openFence(a.o.Fence, a.log); err != nil {
			a.denied, a.barred = append(a.denied, err.Error()), true
		}
	}
	for _, p := range a.denied {
		a.log.Warn("this node cannot own VIPs", "reason", p)
	}
	a.vips = vip.New(vip.Options{Kernel: timedKernel{kernel, a.watch}, Announcer: timedAnnouncer{vip.NewAnnouncer(), a.watch}, Gate: a.fence.forVIPs(), Live: a.leased, Log: a.log, OnEvent: a.noticed, OnProgress: a.progresses})
	a.clock = lease.SystemClock()
	a.told = newRoutersTold()
	a.voices = speak.New(speak.Options{Links: vip.Links, Live: a.leased, Announce: a.told.claimed, Tell: a.told.tell, Log: a.log})
	a.plane = newPlaneWorker(a.log)
	a.plane.told = func(text string) { a.report(fsm.Event{Kind: fsm.EventReported, Node: a.o.Name, Text: text}) }
	if witness {
		a.log.Info("this node is a witness: it votes and grants leases, and leaves its machine's addresses and tables alone")
		if err := retire(kernel, a.log); err != nil {
			a.denied = append(a.denied, err.Error())
			a.log.Warn("this witness was a director before; start it once with a director's rights", "reason", err)
		}
	} else if err := a.plane.prepare("auto"); err != nil {
		a.log.Warn("this node cannot balance services", "reason", err)
	}
	a.paths = newPaths(a.log)
	a.paths.worker.told = a.plane.told
	a.news = health.NewWatch(a.log)
	a.engine = health.New(health.Options{Log: a.log, Through: a.paths.dial, Local: a.means(), OnTransition: func(t health.Transition) {
		a.observer.transition(t)
		a.checks.transition(t)
	}, OnProbe: func(p health.Probed) {
		a.metrics.probes.count(p)
		a.checks.count(p)
	}})
	a.metrics = newMetrics(a)
	a.deaf = &deafness{heard: a.voices.Heard, refresh: func() { a.node.Refresh() }, ask: prober{a.prober}}
	f := &facts{version: a.o.Version, unsynced: a.unsynced, fence: a.fence.kind, thread: lease.ProbePriority().Class, plane: a.plane, denied: a.denied, noVMAC: text(vip.ProbeVirtual()), deaf: a.deaf, links: vip.Links, log: a.log}
	a.node, err = cluster.Open(cluster.Options{
		Name: a.o.Name, Bind: a.o.Bind, Advertise: a.o.Advertise, DataDir: a.o.DataDir,
		Role: a.o.Role, Zone: a.o.Zone, Weight: a.o.Weight,
		Facts: f.read, Local: func() any { return backend{a}.Local() }, OnLease: a.leaseChanged, OnRound: a.metrics.round,
		OnFenced: a.watch.fenced, OnNudge: a.nudged, OnLook: a.look, OnQuery: a.answer, OnLead: a.tells, Clock: a.clock, Log: a.log,
	})
	if err != nil {
		return err
	}
	// Only now, with the data directory's lock held, is it certain that no other agent needs what it would take off.
	if !witness && a.fence.gate == nil && gate.Left() {
		a.log.Warn("the gate of an earlier agent of this node is taken off: this one may not use it, and nobody else renews it", "fence", a.fence.kind())
		if err := retire(kernel, a.log); err != nil {
			a.denied, a.barred = append(a.denied, err.Error()), true
			f.denied = a.denied // nobody reads it before Run
			a.log.Warn("this node cannot own VIPs", "reason", err)
		}
	}
	a.observer = newObserver(a.o.Name, a.node.Observe, a.node.Forget)
	a.checks = newNodeChecks(a.o.Name, a.node, a.node.Propose, a.log)
	if a.plane.ledger, err = openLedger(filepath.Join(a.o.DataDir, ledgerFile)); err != nil {
		a.log.Warn("leftovers of an agent that was killed may not be found", "reason", err)
	}
	if a.paths.worker.ledger, err = openLedger(filepath.Join(a.o.DataDir, pathsFile)); err != nil {
		a.log.Warn("leftovers of an agent that was killed may not be found", "reason", err)
	}
	if a.book, err = sysctl.Open(filepath.Join(a.o.DataDir, bookFile)); err != nil {
		a.log.Warn("the kernel keeps settings of an agent that was killed", "reason", err)
	}
	a.plane.book = a.book
	if a.teller, err = notify.NewTeller(a.o.Name, filepath.Join(a.o.DataDir, notifiedFile), cluster.SaveFile, a.log); err != nil {
		a.log.Warn("notifiers may be told again what they know", "reason", err)
	}
	if witness {
		a.plane.retire() // what the ledger of a director says was left
		if err := a.restore(); err != nil {
			a.log.Warn("settings of the kernel that this witness set when it was a director stay", "reason", err)
		}
	}
	return nil
}

// leased reports whether this node holds its lease under an epoch at this moment, or has granted itself what is held without a
// quorum. It asks the clock, not what was last heard.
func (a *Agent) leased(epoch uint64) bool {
	if epoch >= firstHoldEpoch {
		return a.fence.selfLive(fsm.Epoch(epoch), a.clock.Now())
	}
	l := a.node.Lease()
	return l != nil && l.Live(fsm.Epoch(epoch))
}

// progresses is called while the actuator waits for the kernel and gets its answers.
func (a *Agent) progresses() {
	if act := a.actuator.Load(); act != nil {
		act.lease.Alive(lease.Actuator)
	}
}

// leaseChanged is called by the goroutine that renews. The kernel comes first.
func (a *Agent) leaseChanged(c lease.LeaseChanged) error {
	err := a.fence.lapse.renewed(c, a.clock.Now(), a.fence.renewed)
	a.metrics.lease(c)
	return err
}

func (a *Agent) listen() ([]net.Listener, error) {
	unix, err := api.ListenUnix(a.o.Socket)
	if err != nil || a.o.HTTP == "" {
		return []net.Listener{unix}, err
	}
	tcp, err := api.ListenTCP(a.o.HTTP)
	if err != nil {
		return nil, errors.Join(err, unix.Close())
	}
	return []net.Listener{unix, tcp}, nil
}

// act runs the actuator during each membership, from the start barrier on.
func (a *Agent) act(ctx context.Context) error {
	for {
		ready, changed, membership := a.node.Ready(), a.node.Changed(), a.node.Membership()
		if _, err := a.node.Token(); errors.Is(err, cluster.ErrNoMembership) {
			a.retire()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-membership:
			continue
		case <-changed:
			continue // a membership may have ended, and Ready with it
		case <-ready:
		}
		service := a.node.Lease()
		if service == nil {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-changed:
			case <-membership:
			}
			continue
		}
		err := a.member(ctx, service)
		if ctx.Err() != nil {
			return err
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			a.log.Error("this membership has ended; its work begins again if it goes on", "err", err)
		}
	}
}

// retire leaves this host as a node without a cluster should: what was the cluster's goes, and what was set for it is as it was.
func (a *Agent) retire() {
	a.plane.retire()
	a.vips.Manage(nil)
	a.vips.Prepare(nil)
	a.vips.Reconcile(nil)
	a.voices.Want(nil)
	if err := (&parents{book: a.book}).release(); err != nil {
		a.log.Warn("settings of interfaces below virtual MACs stay as they were set", "reason", err)
	}
}

// member runs the actuator until ctx ends or the membership whose lease this is.
func (a *Agent) member(ctx context.Context, service *lease.Service) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	act := &actuator{self: a.o.Name, nothing: a.barred || a.o.Role == fsm.Witness, view: timedView{a.node, a.o.Name, a.watch}, lease: service, vips: a.vips, plane: a.plane, clock: a.clock, log: a.log,
		ear: newEar(prober{a.prober}, a.log), grant: a.fence.selfGranted, lapses: a.fence, tell: a.holdsChanged, report: a.report,
		led: func() bool { _, ok := a.node.Leader(); return ok }, orders: make(chan order), ready: a.vips.Prepare, parents: &parents{book: a.book, log: a.log}, passed: a.hasPassed,
		speech: speech{voices: a.voices}, heard: a.voices.News(), foreign: a.node.ForeignRouters, unasked: a.deaf.cannotAsk, ending: a.ending.Load, others: a.others}
	a.actuator.Store(act)
	defer a.actuator.Store(nil)
	g, work := errgroup.WithContext(work)
	g.Go(func() error { return a.checks.run(work) })
	g.Go(func() error {
		a.checks.forget(work)
		return act.run(work)
	})
	if a.o.Role != fsm.Witness {
		audit := &auditor{self: a.o.Name, view: a.node, wire: a.prober, peers: backend{a}, stages: a.metrics.failover, misheard: a.metrics.misheard, log: a.log}
		g.Go(func() error { return audit.run(work) })
		g.Go(func() error { return a.syncing(work) })
		claims := &claimWatch{self: a.o.Name, view: a.node, live: service.Live, wire: a.prober, again: a.vips.Again, told: a.report, count: a.metrics.claims.Inc, waits: act.waits, log: a.log}
		g.Go(func() error { return claims.run(work) })
		drains := &drainWatch{self: a.o.Name, view: a.node, live: service.Live, look: a.plane.found, list: a.uncounted, propose: a.node.Propose, log: a.log}
		g.Go(func() error { return drains.run(work) })
		hints := &passive{self: a.o.Name, state: a.node.State, live: service.Live, plane: func() string { return a.plane.capabilities().Plane }, open: a.openEvidence, hint: a.hint, ask: a.askProbes,
			count: a.metrics.hint, log: a.log}
		g.Go(func() error { return hints.run(work) })
	}
	g.Go(func() error { return act.ear.run(work) })
	g.Go(func() error { return a.confirmHolds(work, act) })
	g.Go(func() error {
		for {
			changed := a.node.Changed()
			if a.node.Lease() != service {
				stop()
				return nil
			}
			select {
			case <-work.Done():
				return work.Err()
			case <-changed:
			}
		}
	})
	return g.Wait()
}

// probe keeps the probes of this node in step with the agreed checks.
func (a *Agent) probe(ctx context.Context) error {
	var last *fsm.State
	for {
		changed := a.node.Changed()
		if s := a.node.State(); last == nil || s.ConfigVersion != last.ConfigVersion || s.Schema != last.Schema || !sameMembers(s, last) || !samePaths(s, last) || !a.observer.stands(s) {
			targets := a.observer.targets(s)
			own := a.checks.targets(s)
			targets = append(targets, own...)
			a.paths.want(a.observer.ways())
			a.engine.Set(targets)
			a.news.Want(targets)
			for _, t := range own { // the node has to know before it may own anything
				a.engine.Hint(t.ID)
			}
			a.observer.refresh()
			last = s
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// sameMembers reports whether the choice of observers is the same in both states.
func sameMembers(s, t *fsm.State) bool {
	if s.ClusterID != t.ClusterID || len(s.Nodes) != len(t.Nodes) {
		return false
	}
	for id, n := range s.Nodes {
		if o, ok := t.Nodes[id]; !ok || o.Store != n.Store || o.Role != n.Role || o.Leaving != n.Leaving {
			return false
		}
	}
	return true
}

// noticed takes what the kernel did to an address behind our back into the timeline.
func (a *Agent) noticed(e vip.Event) {
	ev := fsm.Event{Kind: fsm.EventReported, Node: a.o.Name, Text: e.Text}
	for _, v := range a.node.State().Config.VIPs {
		if v.Address.Addr() == e.Prefix.Addr() {
			ev.VIP = v.Name
		}
	}
	a.report(ev)
}

// report puts an event into the timeline, if there is room on the way.
func (a *Agent) report(e fsm.Event) {
	select {
	case a.records <- e:
	default: // it is in the log; the timeline is for what can be kept
	}
}

// record commits what was noticed, for as long as there is a quorum to commit it.
func (a *Agent) record(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-a.records:
			limit, cancel := context.WithTimeout(ctx, 10*time.Second)
			_, err := a.node.Propose(limit, fsm.Command{Actor: string(a.o.Name), Record: &fsm.Record{Event: e}})
			cancel()
			if err != nil && ctx.Err() == nil {
				a.log.Warn("an event did not reach the timeline", "text", e.Text, "err", err)
			}
		}
	}
}
