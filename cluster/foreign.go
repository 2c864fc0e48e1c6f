package cluster

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/fsm"
)

// ForeignSight is a router outside the cluster that this node hears speak for the VIPs of a virtual router.
type ForeignSight struct {
	Router   string     `json:"router"`
	Source   netip.Addr `json:"source"`
	Priority uint8      `json:"priority"`
	// Better says that it outranks the cluster; otherwise it is to be left what it has.
	Better bool `json:"better,omitempty"`
}

// ForeignReport is all that a node hears of routers outside the cluster.
type ForeignReport struct {
	Seen []ForeignSight `json:"seen,omitempty"`
	// Unsure are the virtual routers for which the node has not listened for long enough to say that there is nobody. Sorted.
	Unsure []string `json:"unsure,omitempty"`
	// Fresh is what it has found of its own VIPs that the agreed state does not know.
	Fresh []fsm.FreshVIP `json:"fresh,omitempty"`
}

// alike reports whether r differs from o in the priorities of others at most.
func (r ForeignReport) alike(o ForeignReport) bool {
	return slices.EqualFunc(r.Seen, o.Seen, func(a, b ForeignSight) bool { b.Priority = a.Priority; return a == b }) &&
		slices.Equal(r.Unsure, o.Unsure) && slices.Equal(r.Fresh, o.Fresh)
}

func (r ForeignReport) equal(o ForeignReport) bool {
	return slices.Equal(r.Seen, o.Seen) && slices.Equal(r.Unsure, o.Unsure) && slices.Equal(r.Fresh, o.Fresh)
}

// check bounds what one node may say.
func (r ForeignReport) check() error {
	if n := max(len(r.Seen), len(r.Unsure)); n > fsm.MaxRouters {
		return fmt.Errorf("a report of %d virtual routers, at most %d are allowed", n, fsm.MaxRouters)
	}
	if n := len(r.Fresh); n > fsm.MaxVIPs {
		return fmt.Errorf("a report of %d VIPs, at most %d are allowed", n, fsm.MaxVIPs)
	}
	return nil
}

// foreigners keeps what this node hears of routers outside the cluster, to be told to whoever leads: whenever it changes, and anew to a new leader.
type foreigners struct {
	bell
	mu   sync.Mutex
	heed ForeignReport
	said bool // there is something to be told at all
}

func (f *foreigners) note(r ForeignReport) {
	f.mu.Lock()
	same := f.said && f.heed.equal(r)
	f.heed, f.said = r, true
	f.mu.Unlock()
	if !same {
		f.ring()
	}
}

func (f *foreigners) take() (ForeignReport, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.heed, f.said
}

// foreignBody is the body of a foreign call.
type foreignBody struct {
	Node fsm.NodeID `json:"node"`
	Term uint64     `json:"term"` // of the leader that it is for
	ForeignReport
	mark
}

// ForeignRouters says what this node hears of routers outside the cluster that speak for its VIPs: everything, each time. It is told to whoever leads,
// as long as there are virtual routers. It never blocks.
func (n *Node) ForeignRouters(r ForeignReport) {
	if m := n.current.Load(); m != nil {
		m.foreign.note(r)
	}
}

// reportForeign tells the leader until ctx ends. A cluster with virtual routers has no member that does not know the call: the schema came first.
func (m *membership) reportForeign(ctx context.Context) error {
	var told fsm.Grantor // the leader that has last
	var last ForeignReport
	var sent time.Time
	var term uint64
	here := mark{Process: rand.Text()}
	for {
		noted, moved, changed := m.foreign.wake(), m.consensus.wake(), m.view.wake()
		leader, t, ok := m.leaderTerm()
		r, any := m.foreign.take()
		var retry, later <-chan time.Time
		anew := leader != told || t != term
		switch due := priorityPause - time.Since(sent); {
		case !ok || !any || !m.view.state.Load().Config.HasRouters() || !anew && r.equal(last):
		case !anew && r.alike(last) && due > 0:
			later = time.After(due)
		default:
			here.Seq++
			if err := tellLeader(ctx, m, leader, opForeign, foreignBody{Node: m.self.Node, Term: t, ForeignReport: r, mark: here}, m.book.takeForeign); err != nil {
				told = fsm.Grantor{}
				retry = time.After(observeRetry)
			} else {
				told, term, last, sent = leader, t, r, time.Now()
			}
		}
		if retry != nil { // no sooner, whatever changes
			select {
			case <-ctx.Done():
				return nil
			case <-retry:
			case <-moved:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-noted:
		case <-moved:
		case <-changed:
		case <-later:
		}
	}
}

// foreignWord is the last report of a node, in one term.
type foreignWord struct {
	ForeignReport
	mark
}

// takeForeign takes a report of a node, by the rules of take.
func (b *book) takeForeign(r foreignBody) error {
	if err := r.check(); err != nil {
		return fmt.Errorf("%s: %w", r.Node, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.term == 0 || r.Term != b.term {
		return errNotLeader
	}
	last, is := b.foreign[r.Node]
	next, fresh := last.mark.follow(r.mark, is)
	if !fresh {
		return nil
	}
	b.foreign[r.Node] = foreignWord{r.ForeignReport, next}
	b.ring()
	return nil
}

// ofRouters is what is to be agreed next of virtual routers, before anything is planned; false: nothing. now is by this node's clock alone.
func (b *book) ofRouters(s *fsm.State, able map[fsm.NodeID]bool, awaited func(fsm.NodeID) bool, now time.Time) (fsm.Command, bool) {
	if f, ok := b.foreignOwner(s, able, awaited, now); ok {
		return fsm.Command{Actor: plannerActor, SetForeign: &f}, true
	}
	if f, ok := b.fresh(s); ok {
		return fsm.Command{Actor: plannerActor, SetFresh: &f}, true
	}
	return fsm.Command{}, false
}

// fresh is what one node has found of its VIPs, and is not agreed; false: nothing. It is true of the time at which it was found, whatever the node has lost since.
func (b *book) fresh(s *fsm.State) (out fsm.SetFresh, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(b.foreign)) {
		for _, f := range b.foreign[id].Fresh {
			if f.Changes(s, id) {
				out.Node, out.VIPs = id, append(out.VIPs, f)
			}
		}
		if len(out.VIPs) > 0 {
			return out, true
		}
	}
	return out, false
}

// foreignOwner is what is to be agreed next of routers outside the cluster: that one speaks for the VIPs of a virtual router, by the word of any node that
// is able; or that none does, when all of those have said so, and all that are awaited: a new leader knows at first of its own lease alone. false: nothing. One that
// hangs may live on by gossip, and what it said last says nothing of now, so that it is not awaited for ever.
// What has to wait (foreignPace) is asked for again every dutyInterval.
func (b *book) foreignOwner(s *fsm.State, able map[fsm.NodeID]bool, awaited func(fsm.NodeID) bool, now time.Time) (fsm.SetForeign, bool) {
	if !s.Config.HasRouters() {
		return fsm.SetForeign{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var nodes, asked []fsm.NodeID
	for _, id := range slices.Sorted(maps.Keys(s.Nodes)) {
		if s.Nodes[id].Role != fsm.Director {
			continue
		}
		if able[id] {
			nodes = append(nodes, id)
		}
		if able[id] || awaited(id) {
			asked = append(asked, id)
		}
	}
	for _, r := range s.Config.VirtualRouters() {
		was, had := s.Foreign[r.Name]
		var agreed *fsm.ForeignOwner
		if had {
			agreed = &was
		}
		b.pace[r.Name] = b.pace[r.Name].seen(agreed, now)
		owner := holder(s, r)
		f, seen, _ := b.foreignOf(r, nodes, owner)
		var next *fsm.ForeignOwner
		switch {
		case seen && (!had || !f.Same(was)):
			next = &f
		case !seen && had:
			if _, stands, sure := b.foreignOf(r, asked, owner); stands || !sure {
				continue
			}
		default:
			continue
		}
		if !b.pace[r.Name].waits(next, now) {
			return fsm.SetForeign{Router: r.Name, Foreign: next}, true
		}
	}
	return fsm.SetForeign{}, false
}

// holder is who has the VIPs of the router; "" = nobody.
func holder(s *fsm.State, r fsm.ResolvedRouter) fsm.NodeID {
	for _, v := range r.VIPs {
		if a := s.Assignments[v.Key()]; a.Owner != "" && !a.Shadow {
			return a.Owner
		}
	}
	return ""
}

// foreignOf puts together what the nodes say of one virtual router, with mu held: the best claim, and whether nobody is unsure. That one of lower priority is to
// be left the VIPs is said while the cluster has nothing open. If a node owns them, it knows: another one may just not hear it.
func (b *book) foreignOf(r fsm.ResolvedRouter, nodes []fsm.NodeID, owner fsm.NodeID) (f fsm.ForeignOwner, seen, sure bool) {
	sure = len(nodes) > 0
	knows := slices.Contains(nodes, owner)
	for _, id := range nodes {
		word, spoken := b.foreign[id]
		if !spoken || slices.Contains(word.Unsure, r.Name) {
			sure = false
		}
		for _, x := range word.Seen {
			c := fsm.ForeignOwner{Source: x.Source, Priority: x.Priority, Better: x.Better}
			if x.Router != r.Name || !r.MayYieldTo(c) || !x.Better && knows && id != owner {
				continue
			}
			switch {
			case !seen || outranks(c, f):
				c.Reporters = []fsm.NodeID{id}
				f, seen = c, true
			case c.Source == f.Source && c.Priority == f.Priority && c.Better == f.Better:
				f.Reporters = append(f.Reporters, id)
			}
		}
	}
	return f, seen, sure
}

// outranks orders claims, so that all leaders choose the same one.
func outranks(a, b fsm.ForeignOwner) bool {
	switch {
	case a.Better != b.Better:
		return a.Better
	case a.Priority != b.Priority:
		return a.Priority > b.Priority
	}
	return a.Source.Compare(b.Source) > 0
}
