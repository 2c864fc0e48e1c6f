package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// Leave takes the node out of its cluster: its VIPs move to others, then it stops granting leases and voting, and is
// removed. It returns when the cluster has confirmed that; the data directory can then be used to join again, as a new
// member. When ctx ends before, the error says what is missing; leaving goes on by itself.
//
// The last node of a cluster gives up its VIPs, and the cluster with them. A node that has asked to join and has not heard that
// it is a member gives that up: its store is a lost one to a cluster that has added it in the meantime, see Remove.
func (n *Node) Leave(ctx context.Context) error {
	m := n.current.Load()
	if m == nil {
		return ErrNoMembership
	}
	if m.candidate() {
		// The cluster is not told: a removal names the node, and the member that has this name may be another one. To a cluster
		// that has added this store, it is a lost one: safe, and for an operator to remove.
		m.end(errors.New("joining was given up"))
	} else if err := m.beginLeaving(ctx); err != nil {
		return err
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
			return fmt.Errorf("%s; leaving goes on by itself: %w", m.leaveProgress(s, m.self), context.Cause(ctx))
		case <-changed:
		case <-applied:
		case <-time.After(announceRetry):
		}
	}
}

// beginLeaving makes the cluster move the VIPs of this node away and then remove it.
func (m *membership) beginLeaving(ctx context.Context) error {
	if err := m.update(func(id *identity) { id.Leaving = true }); err != nil {
		return err
	}
	err := m.askRemoval(ctx, m.self.Node)
	if err == nil {
		return nil
	}
	if !errors.Is(err, ErrUncertain) {
		err = errors.Join(err, m.update(func(id *identity) { id.Leaving = false }))
	}
	return fmt.Errorf("%s cannot leave: %w", m.self.Node, err)
}

// candidate reports whether this node has asked to join and does not know yet that it is a member.
func (m *membership) candidate() bool {
	_, in := m.view.state.Load().Nodes[m.self.Node]
	return m.identity().Standing == standingJoining && !in
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
		return fmt.Errorf("%s; it goes on by itself: %w", m.leaveProgress(s, g), err)
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
func (m *membership) leaveProgress(s *fsm.State, g fsm.Grantor) string {
	text := ""
	switch owned := s.Owned(g.Node); {
	case len(owned) > 0:
		text = fmt.Sprintf("%s still owns %s", g.Node, ownedText(s, owned, m.hints()))
	case s.Grantors.Has(g):
		text = fmt.Sprintf("%s owns nothing any more, but is still one of the nodes that grant leases", g.Node)
	default:
		text = fmt.Sprintf("%s grants no leases any more, but its removal has not been confirmed", g.Node)
	}
	if _, led := m.consensus.leader(); !led {
		text += "; it waits for a majority of the voters: start the missing nodes"
	}
	return text
}

// ownedText names the addresses, and why nobody else can have them where that is so.
func ownedText(s *fsm.State, owned []fsm.AddressKey, h fsm.Hints) string {
	var names, why []string
	for _, k := range owned {
		names = append(names, k.String())
		if x, ok := fsm.Explain(s, h, k); ok && x.Heir == "" && !slices.Contains(why, x.HeirReason) {
			why = append(why, x.HeirReason)
		}
	}
	text := strings.Join(names, ", ")
	if len(why) > 0 {
		text += ": " + strings.Join(why, "; ")
	}
	return text
}
