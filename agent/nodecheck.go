package agent

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate/agent/target"
	"quorate/api"
	"quorate/fsm"
	"quorate/health"
)

// nodeChecks carries out the checks of nodes on this one, and has the cluster know what it finds. It compares what it finds with what is agreed of it and
// proposes the difference, for as long as there is one: so a leader that was lost on the way, or an answer, does no harm. What a process before this one found is
// taken back first: it may not be so any more.
type nodeChecks struct {
	self    fsm.NodeID
	view    view
	propose func(context.Context, fsm.Command) (fsm.Result, error)
	log     *slog.Logger

	mu      sync.Mutex
	checks  map[string][]string // the probes of each check, by ID
	results map[string]health.Transition
	news    chan struct{}   // closed when a result or the checks change
	parts   map[string]part // by the ID of the probe
	tallies map[part]*tally
}

const (
	// proposeLimit bounds one proposal of what was found; the next one says the same, or what is true by then.
	proposeLimit = 2 * time.Second
	proposeRetry = 100 * time.Millisecond
	// earlierLimit is how long a node that starts waits to have taken back what it found before.
	earlierLimit = 2 * time.Second
)

func newNodeChecks(self fsm.NodeID, v view, propose func(context.Context, fsm.Command) (fsm.Result, error), log *slog.Logger) *nodeChecks {
	return &nodeChecks{self: self, view: v, propose: propose, log: log, checks: map[string][]string{}, results: map[string]health.Transition{}, news: make(chan struct{}), tallies: map[part]*tally{}}
}

// loopback is what checks of nodes ask over the network, unless they name another address.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// targets are the probes of this node's checks. They are shared with nothing, so that each begins with a result.
func (n *nodeChecks) targets(s *fsm.State) (out []health.Target) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.checks = map[string][]string{}
	wanted := map[string]part{}
	for _, c := range s.Config.NodeChecksOf(s.Nodes[n.self]) {
		for i, check := range c.Checks {
			t := target.OfNode(c.Name, i, check)
			n.checks[c.Name] = append(n.checks[c.Name], t.ID)
			wanted[t.ID] = part{c.Name, t.Type}
			out = append(out, t)
		}
	}
	maps.DeleteFunc(n.results, func(id string, _ health.Transition) bool { return wanted[id] == part{} })
	n.partsLocked(wanted)
	n.wakeLocked()
	return out
}

// transition takes a probe's change.
func (n *nodeChecks) transition(t health.Transition) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if strings.HasPrefix(t.ID, "node_check ") {
		n.results[t.ID] = t
		n.wakeLocked()
	}
}

func (n *nodeChecks) wakeLocked() {
	close(n.news)
	n.news = make(chan struct{})
}

func (n *nodeChecks) wake() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.news
}

// found is what this node finds by a check: down if any probe is down, up if all are up, else not known yet.
func (n *nodeChecks) foundLocked(ids []string) fsm.Finding {
	all := true
	for _, id := range ids {
		switch r, ok := n.results[id]; {
		case !ok:
			all = false
		case !r.Up:
			return fsm.Finding{Verdict: fsm.Down, Detail: r.Detail}
		}
	}
	if all {
		return fsm.Finding{Verdict: fsm.Up}
	}
	return fsm.Finding{Verdict: fsm.Unknown}
}

// edges are what this node finds and what is not agreed of it.
func (n *nodeChecks) edges(s *fsm.State) map[string]fsm.Finding {
	n.mu.Lock()
	defer n.mu.Unlock()
	me, out := s.Nodes[n.self], map[string]fsm.Finding{}
	for name, ids := range n.checks {
		c, ok := s.Config.NodeChecks[name]
		if !ok || !c.On(me) {
			continue
		}
		if f := n.foundLocked(ids); f.Verdict != me.Found(name).Verdict {
			out[name] = f
		}
	}
	return out
}

// run has the cluster know what is found, until ctx ends.
func (n *nodeChecks) run(ctx context.Context) error {
	var done uint64 // index of the last entry that this node has proposed
	for {
		changed, news := n.view.Changed(), n.wake()
		s := n.view.State()
		var retry <-chan time.Time
		if found := n.edges(s); len(found) > 0 && s.Index >= done {
			limit, cancel := context.WithTimeout(ctx, proposeLimit)
			r, err := n.propose(limit, fsm.Command{Actor: string(n.self), SetNodeHealth: &fsm.SetNodeHealth{Node: n.self, Store: s.Nodes[n.self].Store, Found: found}})
			cancel()
			if done = r.Index; err != nil {
				n.log.Debug("what this node found by its checks is not agreed yet", "reason", err)
				retry = time.After(proposeRetry)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-news:
		case <-retry:
		}
	}
}

// forget waits until what an earlier process found is taken back, or ctx ends, or for some time: no VIP should come here for a program that ran before this
// machine was started anew.
func (n *nodeChecks) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, earlierLimit)
	defer cancel()
	for {
		changed, news := n.view.Changed(), n.wake()
		if len(n.edges(n.view.State())) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-news:
		}
	}
}

// status is what this node knows of its checks.
func (n *nodeChecks) status(s *fsm.State, probes map[string]health.State) (out []api.NodeCheckStatus) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(n.checks)) {
		c, ok := s.Config.NodeChecks[name]
		if !ok {
			continue
		}
		agreed := s.Nodes[n.self].Found(name)
		x := api.NodeCheckStatus{Name: name, Required: c.Required, Weight: c.Weight, Verdict: agreed.Verdict, Detail: agreed.Detail, Since: agreed.Since, Found: n.foundLocked(n.checks[name]).Verdict}
		for i, id := range n.checks[name] {
			if p, ok := probes[id]; ok {
				x.Probes = append(x.Probes, api.NodeProbeStatus{Type: c.Checks[min(i, len(c.Checks)-1)].Type, Verdict: fsm.Verdict(p.Verdict.String()), Detail: p.Detail, At: p.Probed, TookUS: p.Latency.Microseconds()})
			}
		}
		out = append(out, x)
	}
	return out
}
