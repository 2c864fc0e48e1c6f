package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"quorate/fsm"
)

// Leave takes the node out of its cluster: its VIPs move to others, then it stops granting leases and voting, and is
// removed. It returns when the cluster has confirmed that; the data directory can then be used to join again, as a new
// member. When ctx ends before, the error says what is missing; leaving goes on by itself.
//
// The last node of a cluster gives up its VIPs, and the cluster with them.
func (n *Node) Leave(ctx context.Context) error {
	m := n.current.Load()
	if m == nil {
		return ErrNoMembership
	}
	if err := m.update(func(id *identity) { id.Leaving = true }); err != nil {
		return err
	}
	if err := m.askRemoval(ctx, m.self.Node); err != nil {
		if !errors.Is(err, ErrUncertain) {
			err = errors.Join(err, m.update(func(id *identity) { id.Leaving = false }))
		}
		return fmt.Errorf("%s cannot leave: %w", m.self.Node, err)
	}
	for {
		if over, err := n.over(m); over || err != nil {
			return err
		}
		changed, applied := n.wake(), m.view.wake()
		s := m.view.state.Load()
		if last := onlyNode(s, m.self); last && len(s.Owned(m.self.Node)) == 0 && s.Nodes[m.self.Node].Leaving {
			m.end(errors.New("the last node has left"))
		}
		m.leaving.ring()
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s; leaving goes on by itself: %w", leaveProgress(s, m.self), context.Cause(ctx))
		case <-changed:
		case <-applied:
		case <-time.After(announceRetry):
		}
	}
}

// over reports whether the membership has ended for good, as the data directory knows too; an error says that only this
// process's part in it has.
func (n *Node) over(m *membership) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.identity.Store != m.self.Store:
		return true, nil
	case n.closed:
		return false, errors.New("the agent has stopped; leaving goes on when it runs again")
	default:
		return false, nil
	}
}

// Remove takes another node out of the cluster, for good and whether it is reachable or not: the way to get rid of a
// machine that is lost. It returns when the cluster has no such node any more.
func (n *Node) Remove(ctx context.Context, id fsm.NodeID) error {
	m := n.current.Load()
	if m == nil {
		return ErrNoMembership
	}
	if id == m.self.Node {
		return n.Leave(ctx)
	}
	if _, ok := m.view.state.Load().Nodes[id]; !ok {
		return fmt.Errorf("%w: %s", ErrUnknownNode, id)
	}
	if err := m.askRemoval(ctx, id); err != nil {
		return fmt.Errorf("%s cannot be removed: %w", id, err)
	}
	g := fsm.Grantor{Node: id, Store: m.view.state.Load().Nodes[id].Store}
	s, err := m.view.wait(ctx, func(s *fsm.State) bool { return gone(s, g) })
	if err != nil {
		return fmt.Errorf("%s; it goes on by itself: %w", leaveProgress(s, g), err)
	}
	return nil
}

func (m *membership) askRemoval(ctx context.Context, id fsm.NodeID) error {
	_, err := m.propose(ctx, fsm.Command{Actor: string(m.self.Node), SetDrain: &fsm.SetDrain{Node: id, Draining: true, Leaving: true}})
	return err
}

func onlyNode(s *fsm.State, self fsm.Grantor) bool {
	n, in := s.Nodes[self.Node]
	return in && n.Store == self.Store && len(s.Nodes) == 1
}

// leaveProgress says what keeps a leaving node in the cluster.
func leaveProgress(s *fsm.State, g fsm.Grantor) string {
	if owned := s.Owned(g.Node); len(owned) > 0 {
		names := make([]string, len(owned))
		for i, k := range owned {
			names[i] = k.String()
		}
		return fmt.Sprintf("%s still owns %s", g.Node, strings.Join(names, ", "))
	}
	if s.Grantors.Has(g) {
		return fmt.Sprintf("%s owns nothing any more, but is still one of the nodes that grant leases", g.Node)
	}
	return fmt.Sprintf("%s grants no leases any more, but its removal has not been confirmed", g.Node)
}
