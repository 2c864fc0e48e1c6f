package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"quorate/fsm"
)

// maxObservations bounds what one node may report.
const maxObservations = 100_000

// book is where a leader keeps what the nodes report, for the time of one term.
type book struct {
	bell
	mu     sync.Mutex
	term   uint64 // 0 = this node does not lead
	seen   sightings
	docket docket
	path   paths
	silent bool        // nobody has said anything since the paths were looked at, and nothing was found then
	next   *time.Timer // rings when there may be more to say of paths without any news
}

// open starts a term with nothing known; 0 closes the book.
func (b *book) open(term uint64) {
	b.mu.Lock()
	b.term, b.seen, b.docket, b.path, b.silent = term, make(sightings), docket{}, paths{}, false
	b.mu.Unlock()
}

// write notes what a node sees. all says that obs is everything that it sees: what is not in it is forgotten.
func (b *book) write(n fsm.NodeID, obs []Observation, all bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.term == 0 {
		return errNotLeader
	}
	m := b.seen[n]
	if m == nil || all {
		for k := range m {
			b.docket.hear(k)
		}
		m = make(map[fsm.ServerKey]Observation, len(obs))
		b.seen[n] = m
	}
	b.silent = false
	now := time.Now()
	for _, o := range obs {
		if _, had := m[o.Server]; !had && len(m) >= maxObservations {
			return fmt.Errorf("%s reports more than %d servers", n, maxObservations)
		}
		o.Detail = shorten(o.Detail, maxDetail)
		o.since = now.Add(-max(0, o.For))
		m[o.Server] = o
		b.docket.hear(o.Server)
	}
	b.ring()
	return nil
}

// present says which observers are to be waited for: those that gossip calls alive or that hold a lease. A leader that is starved of time, or whose gossip does not come through,
// calls all others dead, and would decide by its own word alone.
func present(alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool) func(fsm.NodeID) bool {
	return func(n fsm.NodeID) bool { return able[n] || alive(n) }
}

// verdicts are the edges to commit now. able are the nodes that hold a lease.
func (b *book) verdicts(s *fsm.State, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool, now time.Time) []fsm.ServerVerdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	// A node that is added again under the name of one that was removed says everything anew.
	maps.DeleteFunc(b.seen, func(n fsm.NodeID, _ map[fsm.ServerKey]Observation) bool {
		_, member := s.Nodes[n]
		return !member
	})
	return b.docket.look(s, b.seen, present(alive, able), able, now)
}

// disputed are the servers of which an observer sees something else than what is agreed, sorted.
func (b *book) disputed(s *fsm.State, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool) ([]fsm.ServerKey, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.term == 0 {
		return nil, errNotLeader
	}
	alive = present(alive, able)
	var out []fsm.ServerKey
	for key, was := range s.Servers {
		if len(s.Config.Services[key.Service].Checks) == 0 || was.Verdict == fsm.Unknown {
			continue
		}
		observers, through := counting(s, key, alive, able)
		for _, n := range fsm.Observers(s, key) {
			if s.PathCut(key.Service, n) && alive(n) && !slices.Contains(observers, n) {
				observers = append(observers, n) // its view does not count, and is another one all the same
			}
		}
		if o := ballotOf(observers, key, b.seen, through); was.Verdict == fsm.Up && o.down > 0 || was.Verdict == fsm.Down && o.up > 0 {
			out = append(out, key)
		}
	}
	slices.SortFunc(out, fsm.ServerKey.Compare)
	return out, nil
}

// Disputed are the servers of which an observer sees something else than what is agreed. Only the leader knows.
func (n *Node) Disputed() ([]fsm.ServerKey, error) {
	m := n.current.Load()
	if m == nil {
		return nil, ErrNoMembership
	}
	return m.book.disputed(m.view.state.Load(), m.gossip.alive, m.lease.Hints().Able)
}

// paths are the faults of paths that begin and end now. The book rings when there will be more. able are the nodes that hold a lease.
func (b *book) paths(s *fsm.State, able map[fsm.NodeID]bool) []fsm.PathEdge {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if next := b.path.next; b.silent && b.path.sees(s, able) && (next.IsZero() || now.Before(next)) {
		return nil
	}
	if b.next != nil {
		b.next.Stop()
		b.next = nil
	}
	out := b.path.edges(s, b.seen, able, now)
	b.silent = b.path.looked.Equal(now) && len(out) == 0
	if next := b.path.next; !next.IsZero() {
		b.next = time.AfterFunc(max(next.Sub(now), time.Millisecond), b.ring)
	}
	return out
}

// observer keeps what this node sees and reports it to whoever leads: what changed while the leader stays, everything when
// there is a new one.
type observer struct {
	bell
	mu      sync.Mutex
	seen    map[fsm.ServerKey]Observation
	changed map[fsm.ServerKey]bool
	whole   bool // something was taken back: everything has to be said again
}

func (o *observer) note(obs []Observation) {
	o.mu.Lock()
	if o.seen == nil {
		o.seen, o.changed = make(map[fsm.ServerKey]Observation), make(map[fsm.ServerKey]bool)
	}
	now := time.Now()
	for _, x := range obs {
		x.since = now
		old, ok := o.seen[x.Server]
		if ok && old.Up == x.Up && old.Through == x.Through {
			x.since = old.since
		}
		if ok && old == x || !ok && len(o.seen) >= maxObservations {
			continue
		}
		o.seen[x.Server] = x
		o.changed[x.Server] = true
	}
	o.mu.Unlock()
	o.ring()
}

func (o *observer) forget(servers []fsm.ServerKey) {
	o.mu.Lock()
	for _, k := range servers {
		if _, ok := o.seen[k]; ok {
			delete(o.seen, k)
			delete(o.changed, k)
			o.whole = true
		}
	}
	o.mu.Unlock()
	o.ring()
}

func (o *observer) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen)
}

// prune forgets servers that are not configured any more.
func (o *observer) prune(s *fsm.State) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for k := range o.seen {
		if _, ok := s.Servers[k]; !ok {
			delete(o.seen, k)
			delete(o.changed, k)
		}
	}
}

// take returns what is to be reported, and marks it as reported. whole says that it is everything, which it is when all is
// asked for and when something was taken back.
func (o *observer) take(all bool) (out []Observation, whole bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	all = all || o.whole
	o.whole = false
	now := time.Now()
	say := func(x Observation) {
		x.For = now.Sub(x.since)
		out = append(out, x)
	}
	if all {
		for _, x := range o.seen {
			say(x)
		}
	} else {
		for k := range o.changed {
			say(o.seen[k])
		}
	}
	clear(o.changed)
	return out, all
}

// observeBody is the body of an observe call.
type observeBody struct {
	Node fsm.NodeID    `json:"node"`
	All  bool          `json:"all,omitempty"`
	Seen []Observation `json:"seen"`
}

// observeRetry is how long a report that did not reach the leader waits to be sent again.
const observeRetry = 250 * time.Millisecond

// leaderTerm is the leader and the term that this node knows.
func (m *membership) leaderTerm() (fsm.Grantor, uint64, bool) {
	r := m.consensus.raft.Load()
	leader, ok := m.consensus.leader()
	if r == nil || !ok {
		return fsm.Grantor{}, 0, false
	}
	return leader, r.CurrentTerm(), true
}

// report runs the observer until ctx ends.
func (m *membership) report(ctx context.Context) error {
	var told fsm.Grantor // the leader that has everything but what is in changed
	var term uint64
	for {
		seen, moved := m.observer.wake(), m.consensus.wake()
		leader, t, ok := m.leaderTerm()
		var failed bool
		if ok {
			m.observer.prune(m.view.state.Load())
			if obs, all := m.observer.take(leader != told || t != term); all || len(obs) > 0 {
				err := m.sendObservations(ctx, leader, observeBody{Node: m.self.Node, All: all, Seen: obs})
				if failed = err != nil; failed {
					told = fsm.Grantor{}
				} else {
					told, term = leader, t
				}
			}
		}
		var retry <-chan time.Time
		if failed {
			retry = time.After(observeRetry)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-seen:
			if failed && !pause(ctx, observeRetry) {
				return nil
			}
		case <-moved:
		case <-retry:
		}
	}
}

func (m *membership) sendObservations(ctx context.Context, leader fsm.Grantor, body observeBody) error {
	if leader == m.self {
		return m.book.write(m.self.Node, body.Seen, body.All)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return m.callMember(ctx, leader, request{Op: opObserve}, body, nil)
}

// serveObserve takes a report while this node leads.
func (m *membership) serveObserve(_ context.Context, _ caller, req request) (any, error) {
	var body observeBody
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return nil, err
	}
	return nil, m.book.write(body.Node, body.Seen, body.All)
}
