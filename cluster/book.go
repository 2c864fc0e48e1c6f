package cluster

import (
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
	mu      sync.Mutex
	term    uint64 // 0 = this node does not lead
	seen    sightings
	latest  map[fsm.NodeID]mark        // the last report of each node
	foreign map[fsm.NodeID]foreignWord // what each said last of routers outside the cluster
	pace    map[string]foreignPace     // of what was agreed of them, by virtual router
	docket  docket
	path    paths
	silent  bool        // nobody has said anything since the paths were looked at, and nothing was found then
	next    *time.Timer // rings when there may be more to say of paths without any news
}

// open starts a term with nothing known; 0 closes the book.
func (b *book) open(term uint64) {
	b.mu.Lock()
	b.term, b.seen, b.latest, b.docket, b.path, b.silent = term, make(sightings), make(map[fsm.NodeID]mark), docket{}, paths{}, false
	b.foreign, b.pace = make(map[fsm.NodeID]foreignWord), make(map[string]foreignPace)
	b.mu.Unlock()
}

// mark is where a report stands among those of its node.
type mark struct {
	Process string `json:"process,omitempty"` // of the node, by a name that no other one had
	Seq     uint64 `json:"seq,omitempty"`     // counts its reports
	// Former are the processes whose reports came before.
	former []string
}

// maxFormer is how many processes of a node are remembered in a term; it is no matter of correctness unless one is started so often while a report of it is under way.
const maxFormer = 16

// take takes a report of a node. One for another term is refused: the book of a term that has just ended may still be open, and the node would take it that this leader knows. One
// that a later report has overtaken is not heard: the last word of a node must be the last in the book.
func (b *book) take(r observeBody) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.Term != 0 && r.Term != b.term {
		return errNotLeader
	}
	last, is := b.latest[r.Node]
	next, fresh := last.follow(r.mark, is)
	if !fresh {
		return nil
	}
	if err := b.note(r.Node, r.Seen, r.All); err != nil {
		return err
	}
	b.latest[r.Node] = next
	return nil
}

// follow is the mark of a report that comes after the last one, if there is one; false: it was overtaken.
func (last mark) follow(m mark, is bool) (mark, bool) {
	if !is || m.Process == "" {
		return m, true
	}
	switch {
	case slices.Contains(last.former, m.Process), m.Process == last.Process && m.Seq <= last.Seq:
		return last, false
	case m.Process != last.Process:
		m.former = append(last.former[max(0, len(last.former)-maxFormer+1):], last.Process)
	default:
		m.former = last.former
	}
	return m, true
}

// note notes what a node sees, with mu held. all says that obs is everything that it sees: what is not in it is forgotten.
func (b *book) note(n fsm.NodeID, obs []Observation, all bool) error {
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
