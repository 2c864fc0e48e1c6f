package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// announceBody is how a member tells the cluster where it is and what it is like: after a start, possibly under a new
// address, and whenever its facts change.
type announceBody struct {
	Cluster string   `json:"cluster"`
	Node    fsm.Node `json:"node"`
}

// announceReply tells a member where the others are.
type announceReply struct {
	Index uint64                `json:"index"`
	Peers map[fsm.NodeID]string `json:"peers"`
}

const (
	announceRetry = 300 * time.Millisecond
	announceLimit = 5 * time.Second
	// factsInterval is how often a node looks whether its facts have changed.
	factsInterval = 5 * time.Second
	// refreshGap is the least time between two looks at the facts because they may have changed.
	refreshGap = 20 * time.Millisecond
	// lonely is how long a follower waits for a word of the leader before it asks whether it is still a member.
	lonely = 3 * time.Second
)

// announce makes the cluster know this node as it is now, and finds out when it is no member any more.
func (m *membership) announce(ctx context.Context) error {
	var told []byte // what the cluster has taken
	ready := m.ready
	for {
		leaving, refreshed := m.leaving.wake(), m.node.refreshed.wake()
		changed := m.view.wake()
		want, read := m.node.wanted(m.self.Store), time.Now()
		now, err := json.Marshal(want)
		if err != nil {
			return fmt.Errorf("facts of this node: %w", err)
		}
		now = fmt.Appendf(now, " at %d", m.view.state.Load().Schema) // what an older schema left out is told again
		wait := factsInterval
		if !bytes.Equal(now, told) || m.unsure() {
			err := m.announceOnce(ctx, want)
			switch {
			case err == nil:
				told = now
			case errors.Is(err, ErrNotMember):
				m.end(err)
				return nil
			case ctx.Err() != nil:
				return nil
			default:
				m.log.Debug("announcement not taken", "reason", err)
				wait = announceRetry
			}
		}
		if s := m.view.state.Load(); s.Nodes[m.self.Node].Leaving {
			wait = announceRetry
			if isReady(m.ready) && gone(s, m.self) {
				m.end(ErrNotMember)
				return nil
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-ready:
			ready = nil
		case <-leaving:
		case <-refreshed:
			if !pause(ctx, refreshGap-time.Since(read)) {
				return nil
			}
		case <-t.C:
		case <-changed:
			t.Reset(announceRetry) // the state may change often
			select {
			case <-ctx.Done():
			case <-refreshed:
			case <-t.C:
			}
		}
		t.Stop()
	}
}

// gone reports whether an applied state past the barrier no longer has this member. The last node of a cluster stays in it.
func gone(s *fsm.State, self fsm.Grantor) bool {
	n, in := s.Nodes[self.Node]
	return s.ClusterID != "" && (!in || n.Store != self.Store)
}

// unsure reports whether the node has reason to ask whether it is still a member: it is leaving, or hears no leader.
func (m *membership) unsure() bool {
	s := m.view.state.Load()
	if n := s.Nodes[m.self.Node]; n.Leaving && n.Store == m.self.Store && len(s.Owned(m.self.Node)) == 0 {
		return true
	}
	if isReady(m.ready) && gone(s, m.self) {
		return true
	}
	r := m.consensus.raft.Load()
	// That Raft names a leader means nothing: one that was asked to take over the leadership, and could not, goes on naming the
	// leader that asked, as a candidate that nobody talks to.
	return r != nil && r.State() != raft.Leader && time.Since(r.LastContact()) > lonely
}

func isReady(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// end closes the membership: the cluster has confirmed that this node is not part of it.
func (m *membership) end(why error) {
	how := standingRemoved
	if id := m.identity(); id.Leaving || id.Standing == standingJoining {
		how = standingLeft
	}
	if how == standingRemoved {
		m.log.Error("this node was removed from its cluster while it was away", "cluster", m.identity().Cluster, "reason", why)
	}
	select {
	case m.ended <- how:
	default:
	}
}

// announceOnce tells the leader. Peers that it is passed through note the address on the way, so that they can be reached,
// and the leader elected, before the new address is agreed.
func (m *membership) announceOnce(ctx context.Context, want fsm.Node) error {
	ctx, cancel := context.WithTimeout(ctx, announceLimit)
	defer cancel()
	id := m.identity()
	body := announceBody{Cluster: id.Cluster, Node: want}
	if id.Standing == standingJoining {
		return m.askToJoin(ctx, body)
	}
	if _, ok := m.consensus.leader(); !ok {
		m.tellPeers(ctx, body) // without waiting for a leader: this node may be part of the majority that it takes to get one
	}
	var reply announceReply
	err := m.toLeader(ctx, func(ctx context.Context) (err error) {
		reply, err = m.takeAnnouncement(ctx, body)
		return err
	}, func(ctx context.Context, via target) error {
		err := uncertain(m.call(ctx, via, request{Op: opAnnounce}, body, &reply))
		if errors.Is(err, ErrUncertain) {
			return fmt.Errorf("%w: %w", errNotSent, err) // saying it again does no harm
		}
		return err
	})
	return err
}

// tellPeers gives every peer the address of this node.
func (m *membership) tellPeers(ctx context.Context, body announceBody) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	done := make(chan struct{})
	seeds := m.seeds()
	for _, t := range seeds {
		go func() {
			defer func() { done <- struct{}{} }()
			err := m.call(ctx, t, request{Op: opAnnounce, Hops: maxHops}, body, nil) // not to be passed on
			if errors.Is(err, ErrOtherKey) && !m.estranged.Swap(true) {
				m.log.Error("a member of this cluster answers as one of another: if it was recovered without this node, stop this agent, "+
					"move its data directory away, and join again", "cluster", body.Cluster, "peer", string(t.node), "addr", t.addr)
			}
		}()
	}
	for range seeds {
		<-done
	}
}

// serveAnnounce notes where the member is, and passes the announcement on to the leader.
func (m *membership) serveAnnounce(ctx context.Context, _ caller, req request) (any, error) {
	var body announceBody
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return nil, err
	}
	if id := m.identity(); body.Cluster != id.Cluster {
		return nil, fmt.Errorf("%w: this is cluster %s, not %s", ErrOtherCluster, id.Cluster, body.Cluster)
	}
	m.directory.hear(fsm.Grantor{Node: body.Node.ID, Store: body.Node.Store}, body.Node.Addr, time.Now())
	reply, err := m.takeAnnouncement(ctx, body)
	if errors.Is(err, errNotLeader) {
		return m.passOn(ctx, req)
	}
	return reply, err
}

// takeAnnouncement commits, while this node leads, what a member says of itself.
func (m *membership) takeAnnouncement(ctx context.Context, body announceBody) (announceReply, error) {
	// The answer may make a node give up its membership, so it rests on a state that a majority confirms.
	if _, err := m.leaderIndex(ctx); err != nil {
		return announceReply{}, err
	}
	s := m.view.state.Load()
	if s.ClusterID != body.Cluster {
		return announceReply{}, fmt.Errorf("%w: %w", errNotLeader, fsm.ErrNotInit)
	}
	n := body.Node
	if known, ok := s.Nodes[n.ID]; !ok || known.Store != n.Store {
		return announceReply{}, fmt.Errorf("%w: cluster %s has no node %s with data directory %s (it was removed); run \"quorate join\" to join again",
			ErrNotMember, s.ClusterID, n.ID, n.Store)
	}
	if known := s.Nodes[n.ID]; known.Leaving && known.Addr == n.Addr {
		return announceReply{Index: s.Index, Peers: m.everybody()}, nil // it only wants to know whether it is still a member
	}
	r, err := m.commit(ctx, fsm.Command{Actor: string(n.ID), PutNode: &fsm.PutNode{Node: n}})
	if err == nil {
		err = r.Err
	}
	return announceReply{Index: r.Index, Peers: m.everybody()}, err
}

// everybody are the addresses of all members, this one included.
func (m *membership) everybody() map[fsm.NodeID]string {
	out := maps.Clone(m.directory.peers())
	out[m.self.Node] = m.node.addr.advertise.String()
	return out
}
