package cluster

import (
	"context"
	"fmt"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// defaultLimit bounds a request whose context has no deadline of its own: long enough for several elections.
const defaultLimit = 15 * time.Second

func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, defaultLimit)
}

// State is the state that was applied last. It is never nil and never changes; before membership it is empty. It may be
// older than what the cluster has agreed, see Read.
func (n *Node) State() *fsm.State { return n.view.state.Load() }

// Changed returns a channel that is closed when the next state is applied. Get it before State, so that no change is missed.
func (n *Node) Changed() <-chan struct{} { return n.view.wake() }

// Propose commits a command and returns once it is applied on the leader. It is forwarded when another node leads; time and
// schema are stamped there. What the state machine refuses is returned as an error too, which errors.Is recognises (package
// fsm's errors), also when another node leads. ErrNoLeader says that nothing happened; ErrUncertain that it may have.
// Without a deadline it gives up after 15 s.
func (n *Node) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	m, err := n.entered(ctx)
	if err != nil {
		return fsm.Result{}, err
	}
	return m.propose(ctx, cmd)
}

// Read returns a state that contains all that was committed before the call, which a majority of the voters confirms.
// Without a deadline it gives up after 15 s.
func (n *Node) Read(ctx context.Context) (*fsm.State, error) {
	ctx, cancel := limited(ctx)
	defer cancel()
	m, err := n.entered(ctx)
	if err != nil {
		return nil, err
	}
	return m.read(ctx)
}

// Member reports whether the node belongs to a cluster, or is about to: it may still be starting.
func (n *Node) Member() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.identity.active()
}

// entered is the current membership; one that is starting is waited for.
func (n *Node) entered(ctx context.Context) (*membership, error) {
	for {
		changed := n.wake()
		if m := n.current.Load(); m != nil {
			return m, nil
		}
		if !n.Member() {
			return nil, ErrNoMembership
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: this node is still starting: %w", ErrNoLeader, context.Cause(ctx))
		}
	}
}

// Refresh says that this node's facts may have changed: they are read, and told if they have. Without it that takes some seconds.
func (n *Node) Refresh() { n.refreshed.ring() }

// Ready returns a channel that is closed once the start barrier of the current membership, or of the next one when there
// is none, is passed. Until then the node must not act on what is applied (design §3 “Start”).
func (n *Node) Ready() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.ready
}

// Membership returns a channel that is closed when a membership next begins or ends: what Ready and Lease return changes
// then.
func (n *Node) Membership() <-chan struct{} { return n.wake() }

// Lease is the node's lease; nil while it is in no cluster.
func (n *Node) Lease() *lease.Service {
	m := n.current.Load()
	if m == nil || m.talk.Load() == nil {
		return nil
	}
	return m.lease
}

// Leader is the node that leads, as far as this one knows.
func (n *Node) Leader() (fsm.NodeID, bool) {
	m := n.current.Load()
	if m == nil {
		return "", false
	}
	g, ok := m.consensus.leader()
	return g.Node, ok
}

// Observe reports what this node sees of servers. It keeps the last observation of each and tells them to whoever leads,
// all of them whenever the leader changes, so each transition is reported once. It never blocks.
func (n *Node) Observe(obs []Observation) {
	if m := n.current.Load(); m != nil {
		m.observer.note(obs)
	}
}

// Forget takes back what this node said of servers that it no longer observes: its word must not count when it becomes an
// observer again, before it has looked. It never blocks.
func (n *Node) Forget(servers []fsm.ServerKey) {
	if m := n.current.Load(); m != nil {
		m.observer.forget(servers)
	}
}
