package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	"quorate/fsm"
)

// observer keeps what this node sees and reports it to whoever leads: what changed while the leader stays, everything when
// there is a new one.
type observer struct {
	bell
	mu      sync.Mutex
	seen    map[fsm.ServerKey]Observation
	changed map[fsm.ServerKey]bool
	whole   bool   // something was taken back: everything has to be said again
	pruned  uint64 // the configuration by which it was
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
	if o.pruned == s.ConfigVersion {
		return
	}
	o.pruned = s.ConfigVersion
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
	// Term is that of the leader that it is for. Builds before schema 6 leave it out, and the mark.
	Term uint64 `json:"term,omitempty"`
	mark
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
	here := mark{Process: rand.Text()}
	for {
		seen, moved := m.observer.wake(), m.consensus.wake()
		leader, t, ok := m.leaderTerm()
		var failed bool
		if ok {
			m.observer.prune(m.view.state.Load())
			if obs, all := m.observer.take(leader != told || t != term); all || len(obs) > 0 {
				here.Seq++
				err := tellLeader(ctx, m, leader, opObserve, observeBody{Node: m.self.Node, All: all, Seen: obs, Term: t, mark: here}, m.book.take)
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

// tellLeader gives a report to whoever leads: to take, the book's, where that is this node.
func tellLeader[R any](ctx context.Context, m *membership, leader fsm.Grantor, o op, report R, take func(R) error) error {
	if leader == m.self {
		return take(report)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return m.callMember(ctx, leader, request{Op: o}, report, nil)
}

// taking serves the call that [tellLeader] makes, while this node leads.
func taking[R any](take func(R) error) handler {
	return func(_ context.Context, _ caller, req request) (any, error) {
		var report R
		if err := json.Unmarshal(req.Body, &report); err != nil {
			return nil, err
		}
		return nil, take(report)
	}
}
