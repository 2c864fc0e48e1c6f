package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// plannerActor stands in the timeline for what a leader decides by itself.
const plannerActor = "planner"

// dutyInterval is how often a leader looks even though nothing has changed.
const dutyInterval = time.Second

// backOff is how long a leader waits after a decision that was refused or failed, so that a mistake in a plan cannot fill
// the log.
const backOff = 250 * time.Millisecond

// transferPause is the least time between two attempts to hand over the leadership.
const transferPause = 2 * time.Second

// lead carries out the leader's duties for one term; ctx ends with it.
func (m *membership) lead(ctx context.Context, term uint64) {
	r := m.consensus.raft.Load()
	if r == nil {
		return
	}
	last := r.LastIndex() // at least the last entry of the log when this node was elected
	// Only an entry of its own term tells a leader what is committed; before that it answers for nobody.
	for {
		_, err := m.consensus.apply(ctx, fsm.Command{Schema: m.view.state.Load().Schema})
		if err == nil {
			break
		}
		if !pause(ctx, retryPause) {
			return
		}
	}
	m.book.open(term)
	m.consensus.established.Store(term)
	m.role.mu.Lock()
	m.role.leading = true
	m.lease.Lead(term, last)
	m.role.mu.Unlock()
	m.consensus.ring()
	m.log.Info("leading the cluster", "term", term, "index", last)
	defer func() {
		m.consensus.established.Store(0)
		m.book.open(0)
		m.role.mu.Lock()
		m.role.leading, m.role.fresh = false, true
		m.role.mu.Unlock()
		m.consensus.ring()
		m.log.Info("not leading any more", "term", term)
	}()
	for { // what was allowed or asked in an earlier term is worth nothing
		select {
		case <-m.asks:
			continue
		default:
		}
		break
	}
	d := &duties{m: m, term: term, began: time.Now()}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { m.consensus.echo(ctx) })
	wg.Go(func() { m.watchProgress(ctx) })
	wg.Go(func() { d.membership(ctx) })
	if m.node.o.OnLead != nil {
		wg.Go(func() { m.node.o.OnLead(ctx, term) })
	}
	d.decisions(ctx)
}

// duties are those of one term.
type duties struct {
	m     *membership
	term  uint64
	began time.Time
	heard bool // from all that are alive, or for long enough; owned by decisions

	allowed bell
	mu      sync.Mutex
	may     uint64     // index of the grantor set that may be replaced
	better  fsm.NodeID // a node that reaches more grantors
	moved   time.Time  // the last attempt to hand over the leadership
}

// events takes the lease's events; nobody else does. While this node does not lead, most are of no use.
func (m *membership) events(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-m.lease.Events():
			if e, is := e.(lease.LeaderSilent); is {
				wg.Go(func() { m.consensus.succeed(ctx, e) })
				continue
			}
			if !m.consensus.leading() {
				continue
			}
			select {
			case m.asks <- e:
			default: // said again
			}
		}
	}
}

// decisions plans, fences, raises and commits verdicts, woken by any change and every dutyInterval.
func (d *duties) decisions(ctx context.Context) {
	m := d.m
	tick := time.NewTicker(dutyInterval)
	defer tick.Stop()
	for {
		changed, seen, heard := m.view.wake(), m.book.wake(), m.gossip.wake()
		if err := d.round(ctx); err != nil {
			if ctx.Err() != nil {
				return
			}
			m.log.Warn("decision not committed", "term", d.term, "reason", err)
			if !pause(ctx, backOff) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case e := <-m.asks:
			if err := d.answer(ctx, e); err != nil && ctx.Err() == nil {
				m.log.Warn("decision not committed", "term", d.term, "reason", err)
				if !pause(ctx, backOff) {
					return
				}
			}
		case <-changed:
		case <-seen:
		case <-heard:
		case <-tick.C:
		}
	}
}

// round commits what there is to decide, until there is nothing more.
func (d *duties) round(ctx context.Context) error {
	m := d.m
	for ctx.Err() == nil {
		s, hints := m.view.state.Load(), m.hints()
		place := d.mayPlace(s, hints)
		routers := func(s *fsm.State) (fsm.Command, bool) { return m.book.ofRouters(s, hints.Able, d.awaited, time.Now()) }
		cmd, ok := decideNext(s, m.identity(), place, hints, routers, func(s *fsm.State) []fsm.ServerVerdict {
			return m.book.verdicts(s, m.gossip.alive, hints.Able, hints.Now)
		}, m.firstNode)
		if !ok {
			// These are looked at once in a round, and last: what they are about has lasted for seconds.
			edges := m.book.paths(s, hints.Able)
			if len(edges) == 0 {
				return nil
			}
			cmd = fsm.Command{Actor: plannerActor, SetPaths: &fsm.SetPaths{Edges: edges[:min(len(edges), maxVerdicts)]}}
		}
		if err := m.decide(ctx, cmd); err != nil {
			return err
		}
		select {
		case e := <-m.asks: // a fence does not wait for a long plan
			if err := d.answer(ctx, e); err != nil {
				return err
			}
		default:
		}
	}
	return nil
}

// hints are what the lease knows, at the time with which commands are stamped.
func (m *membership) hints() fsm.Hints {
	h := m.lease.Hints()
	h.Now = m.consensus.wall().UTC()
	return h
}

// hearing is how long a new leader waits at most for word from all nodes that are alive before it places VIPs: with its
// own word alone it would take them all.
const hearing = time.Second

// mayPlace reports whether enough is known of the nodes to choose among them. A hand-over that was confirmed is waited for
// by clients, and does not wait here.
func (d *duties) mayPlace(s *fsm.State, h fsm.Hints) bool {
	d.heard = d.heard || time.Since(d.began) >= hearing || !slices.ContainsFunc(slices.Collect(maps.Values(s.Nodes)), func(n fsm.Node) bool {
		return n.Role == fsm.Director && !h.Able[n.ID] && d.m.gossip.alive(n.ID)
	})
	return d.heard || len(h.Confirmed) > 0
}

// awaited reports whether the word of a node is waited for, with a lease or without: at the beginning, of those that are alive.
func (d *duties) awaited(n fsm.NodeID) bool { return !d.heard && d.m.gossip.alive(n) }

// maxVerdicts bounds one SetHealth entry, and one EndDrain.
const maxVerdicts = 1000

// decideNext is the next command of a leader, in the order of its urgency; false = nothing to do. place says whether VIPs may
// be placed yet.
func decideNext(s *fsm.State, id identity, place bool, h fsm.Hints, routers func(*fsm.State) (fsm.Command, bool), health func(*fsm.State) []fsm.ServerVerdict, first func() fsm.Node) (fsm.Command, bool) {
	if s.ClusterID == "" {
		if id.Standing != standingForming {
			return fsm.Command{}, false
		}
		return fsm.Command{Actor: string(id.Node), Init: &fsm.Init{ClusterID: id.Cluster, Node: first(), Settings: fsm.Settings{Profile: id.Profile}}}, true
	}
	if id.Recovery != nil {
		if cmd, ok := id.Recovery.next(s); ok {
			return cmd, true
		}
	}
	if cmd, ok := routers(s); ok { // before anything is placed by what is no longer so
		return cmd, true
	}
	if place {
		if d, ok := fsm.Plan(s, h); ok {
			return fsm.Command{Actor: plannerActor, Decide: &d}, true
		}
	}
	if v := health(s); len(v) > 0 {
		return fsm.Command{Actor: plannerActor, SetHealth: &fsm.SetHealth{Verdicts: v[:min(len(v), maxVerdicts)]}}, true
	}
	if over := s.DrainsOver(h.Now, maxVerdicts); len(over) > 0 {
		return fsm.Command{Actor: plannerActor, EndDrain: &fsm.EndDrain{Drains: over}}, true
	}
	if next, ok := schemaFor(s); ok {
		return fsm.Command{Actor: plannerActor, SetSchema: &fsm.SetSchema{Schema: next}}, true
	}
	return fsm.Command{}, false
}

// schemaFor is the newest schema that every member understands, if the cluster does not run at it yet.
func schemaFor(s *fsm.State) (fsm.Schema, bool) {
	next := fsm.MaxSchema
	for _, n := range s.Nodes {
		next = min(next, n.Facts.Schema)
	}
	return next, next > s.Schema
}

func (m *membership) firstNode() fsm.Node { return m.node.wanted(m.self.Store) }

// errRefused says that the state machine did not take a decision.
var errRefused = errors.New("refused")

// Fenced says how long a fence took, each time counted from the one before.
type Fenced struct {
	Index     uint64 // of the entry
	Node      fsm.NodeID
	Silent    time.Duration // from the last Renew that was heard until a majority of the grantors suspected the node; 0 = another cause
	Promised  time.Duration // until a majority had promised, and the node's lease had ended
	Committed time.Duration
}

// decide commits one decision. What the state machine refuses is an error: the plan was made on what is no longer true, or
// is wrong.
func (m *membership) decide(ctx context.Context, cmd fsm.Command) error {
	_, err := m.decideAt(ctx, cmd)
	return err
}

// decideAt is decide, and returns the index of the entry too; 0 = it changed nothing.
func (m *membership) decideAt(ctx context.Context, cmd fsm.Command) (uint64, error) {
	r, err := m.commit(ctx, cmd)
	switch {
	case err != nil:
		return 0, err
	case r.Err != nil:
		return 0, errors.Join(errRefused, r.Err)
	case len(r.Refused) > 0:
		return r.Index, errors.Join(errRefused, errors.New(r.Refused[0].Key.String()+": "+r.Refused[0].Why))
	}
	return r.Index, nil
}

// answer does what the lease asks for. Each is said again until the state shows it.
func (d *duties) answer(ctx context.Context, e lease.LeaderEvent) error {
	m := d.m
	s := m.view.state.Load()
	switch e := e.(type) {
	case lease.FenceReady:
		// Answers die with the leader's term.
		if e.Term != d.term || s.Nodes[e.Node].Epoch != e.Epoch || s.Grantors.Index != e.GrantorIndex {
			return nil
		}
		f := fsm.PlanFence(s, m.hints(), e.Node, e.Epoch, e.GrantorIndex, e.Text)
		m.log.Info("fencing", "peer", string(e.Node), "epoch", uint64(e.Epoch), "term", d.term, "reason", e.Text)
		ready := time.Now()
		index, err := m.decideAt(ctx, fsm.Command{Actor: plannerActor, Fenced: &f})
		if index != 0 && m.node.o.OnFenced != nil {
			m.node.o.OnFenced(Fenced{Index: index, Node: e.Node, Silent: e.Silent, Promised: e.Promised, Committed: time.Since(ready)})
		}
		return err
	case lease.RaiseWanted:
		if e.Term != d.term || s.Nodes[e.Node].Epoch != e.Epoch {
			return nil
		}
		return m.decide(ctx, fsm.Command{Actor: plannerActor, Raise: &fsm.Raise{Node: e.Node, Epoch: e.Epoch}})
	case lease.GrantorChangeAllowed:
		if e.Term == d.term {
			d.note(func() { d.may = e.Index })
		}
	case lease.BetterLeader:
		if e.Term == d.term && e.To != "" {
			d.note(func() { d.better = e.To })
		}
	case lease.Confirmed, lease.HintsChanged:
		// The next round plans with them.
	case lease.LeaderSilent:
		// It went to succeed, see events: the lease does not say it of the node itself.
	case lease.Unreached, lease.SuspicionChanged, lease.ShutOut:
		// For operators; the lease logs them.
	}
	return nil
}

func (d *duties) note(f func()) {
	d.mu.Lock()
	f()
	d.mu.Unlock()
	d.allowed.ring()
}

// membership makes the steps of members, apart from the decisions: a change of Raft's configuration may take long.
func (d *duties) membership(ctx context.Context) {
	m := d.m
	tick := time.NewTicker(dutyInterval)
	defer tick.Stop()
	for {
		changed, moved, caught, heard, allowed := m.view.wake(), m.consensus.wake(), m.progress.wake(), m.gossip.wake(), d.allowed.wake()
		if st, ok := d.next(); ok {
			err := m.carryOut(ctx, st)
			if err == nil {
				continue
			}
			if ctx.Err() != nil {
				return
			}
			m.log.Warn("change of the members failed", "term", d.term, "reason", err)
			if !pause(ctx, backOff) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-moved:
		case <-caught:
		case <-heard:
		case <-allowed:
		case <-tick.C:
		}
	}
}

// next is the next step, or the move of the leadership to a node that reaches more.
func (d *duties) next() (step, bool) {
	m := d.m
	d.mu.Lock()
	defer d.mu.Unlock()
	c := standings{
		state: m.view.state.Load(), servers: m.consensus.servers(), self: m.self,
		caughtUp: m.progress.all(), alive: m.consensus.reaches, ending: m.lease.Hints().Ending, mayChange: d.may,
	}
	var st step
	ok := false
	if better := c.state.Nodes[d.better]; d.better != "" {
		d.better = ""
		if srv, is := c.server(member(better)); is && srv.Suffrage == raft.Voter && member(better) != m.self {
			st, ok = handOver{srv.ID, "it reaches more of the nodes that grant leases"}, true
		}
	}
	if !ok {
		st, ok = nextStep(c)
	}
	if _, is := st.(handOver); is {
		if time.Since(d.moved) < transferPause {
			return nil, false
		}
		d.moved = time.Now()
	}
	return st, ok
}
