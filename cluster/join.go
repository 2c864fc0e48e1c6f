package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// joinReply is what a new member is told.
type joinReply struct {
	Index   uint64                `json:"index"`
	Peers   map[fsm.NodeID]string `json:"peers"`
	Profile fsm.Profile           `json:"profile"`
}

// joinLimit bounds one request to join, the leader's look at the new node's address included.
const joinLimit = 15 * time.Second

// Join makes the node a member of the cluster that the member at addr (IP:PORT, or IP for port 7300) is part of. It returns once the node has
// caught up, passed its start barrier and votes. When ctx ends before that, the error says what is missing; a node that was
// added by then goes on by itself.
//
// It is refused when the node is in a cluster already (ErrAlreadyMember), when addr is the node itself (ErrSelf) or in no
// cluster (ErrNoCluster), when the token is damaged (ErrToken) or another cluster's (ErrOtherKey), when the name is taken
// (fsm.ErrNameTaken), and when the leader cannot reach the node's advertised address (ErrUnreachable).
func (n *Node) Join(ctx context.Context, addr, token string) error {
	done, err := n.change()
	if err != nil {
		return err
	}
	defer done()
	t, err := parseToken(token)
	if err != nil {
		return err
	}
	at, err := memberAddr(addr)
	if err != nil {
		return err
	}
	addr = at.String()
	n.mu.Lock()
	id := n.identity
	n.mu.Unlock()
	again := id.Standing == standingJoining && id.Cluster == t.cluster
	switch {
	case (at == n.addr.bind || at == n.addr.advertise) && (again || !id.active()):
		return fmt.Errorf("%s: %w: give the address of a member of the cluster", addr, ErrSelf)
	case again:
		return n.joined(ctx, addr) // it goes on
	case id.active() && id.Cluster == t.cluster:
		return fmt.Errorf("%s %w: %s, the one of this token; there is nothing to do", id.Node, ErrAlreadyMember, id.Cluster)
	case id.active():
		return n.alreadyMember(id, fmt.Sprintf("joining cluster %s", t.cluster))
	}
	select {
	case <-n.listens:
	case <-ctx.Done():
		return fmt.Errorf("this node does not listen at %s yet: %w", n.addr.bind, context.Cause(ctx))
	}
	id = identity{Node: n.o.Name, Store: newStoreID(), Cluster: t.cluster, Key: t.key, Standing: standingJoining, Seed: addr}
	if err := n.checkEmpty(id); err != nil {
		return err
	}
	if err := saveIdentity(n.o.Store.Identity(), id); err != nil {
		return err
	}
	reply, err := n.requestJoin(ctx, id)
	if err != nil && !errors.Is(err, ErrUncertain) {
		return errors.Join(joinFailed(addr, err), n.forget(id))
	}
	id.Peers, id.Profile = reply.Peers, reply.Profile
	n.begin(id)
	return n.joined(ctx, "")
}

// joinFailed adds what an operator can do.
func joinFailed(addr string, err error) error {
	var dial *net.OpError
	switch {
	case errors.Is(err, ErrOtherKey):
		return fmt.Errorf("cannot join through %w: the token is of another cluster; use the one that \"quorate bootstrap\" printed there", err)
	case errors.Is(err, ErrNoCluster):
		return fmt.Errorf("cannot join through %w: run \"quorate bootstrap\" there first, or give the address of a member", err)
	case errors.Is(err, ErrSelf):
		return fmt.Errorf("cannot join through %w: give the address of a member of the cluster", err)
	case errors.As(err, &dial):
		return fmt.Errorf("cannot join through %s: %w; is an agent running there, and is its port open between the nodes?", addr, err)
	default:
		return fmt.Errorf("cannot join through %s: %w", addr, err)
	}
}

// requestJoin asks the member at id.Seed. While it does, the node answers under its future name, so that the leader can see
// that it is where it says to be.
func (n *Node) requestJoin(ctx context.Context, id identity) (joinReply, error) {
	ctx, cancel := context.WithTimeout(ctx, joinLimit)
	defer cancel()
	self := string(serverID(id.Node, id.Store))
	f := &face{key: deriveKey(id.Key, purposeStream), self: self, joining: true, accept: func(_ streamKind, c net.Conn, _ hello) { _ = c.Close() }}
	n.mux.show(f)
	defer n.mux.show(nil)
	body, err := json.Marshal(announceBody{Cluster: id.Cluster, Node: n.wanted(id.Store)})
	if err != nil {
		return joinReply{}, err
	}
	for {
		conn, err := n.mux.dial(ctx, f, streamCall, id.Seed, "")
		if err != nil {
			return joinReply{}, err
		}
		var reply joinReply
		err = uncertain(callOn(ctx, conn, request{Op: opJoin, Body: body}, &reply))
		// Without a leader nothing has happened; an election may be under way.
		if !errors.Is(err, ErrNoLeader) || !pause(ctx, 4*retryPause) {
			return reply, err
		}
	}
}

// joined waits until the node is a voter past its start barrier. While it is not a member it asks at seed, if that is given.
func (n *Node) joined(ctx context.Context, seed string) error {
	for {
		changed, m := n.wake(), n.current.Load()
		if m == nil {
			n.mu.Lock()
			active := n.identity.active()
			n.mu.Unlock()
			if !active {
				return fmt.Errorf("the join was refused: %w", ErrNotMember)
			}
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if seed != "" {
			if err := m.reseed(seed); err != nil {
				return err
			}
			seed = ""
		}
		moved, applied := m.consensus.wake(), m.view.wake()
		voter := m.votes()
		if voter && isReady(m.ready) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", m.joinProgress(voter), context.Cause(ctx))
		case <-changed:
		case <-moved:
		case <-applied:
		case <-time.After(200 * time.Millisecond): // a change of Raft's members that is not committed yet rings nothing
		}
	}
}

// reseed makes addr the one at which a node that is not a member yet asks.
func (m *membership) reseed(addr string) error {
	return m.update(func(id *identity) {
		if id.Standing == standingJoining {
			id.Seed = addr
		}
	})
}

// votes reports whether this node is a voter, as far as it knows.
func (m *membership) votes() bool {
	for _, s := range m.consensus.servers() {
		if s.ID == m.consensus.self {
			return s.Suffrage == raft.Voter
		}
	}
	return false
}

func (m *membership) joinProgress(voter bool) string {
	id := m.identity()
	s := m.view.state.Load()
	switch {
	case id.Standing == standingJoining && len(s.Nodes) == 0:
		return fmt.Sprintf("cluster %s has not confirmed yet that %s is a member, or cannot reach it at %s; the agent goes on trying",
			id.Cluster, m.self.Node, m.node.addr.advertise)
	case !isReady(m.ready):
		return fmt.Sprintf("%s is a member of cluster %s, but has not caught up yet (it has applied entry %d); the agent goes on by itself",
			m.self.Node, id.Cluster, s.Index)
	case !voter:
		return fmt.Sprintf("%s is a member of cluster %s, but has no vote yet; the agent goes on by itself", m.self.Node, id.Cluster)
	default:
		return "joined"
	}
}

// askToJoin repeats, after a crash or an uncertain answer, the request of a node that is joining.
func (m *membership) askToJoin(ctx context.Context, body announceBody) error {
	err := m.toLeader(ctx, func(context.Context) error { return errNotLeader }, func(ctx context.Context, via target) error {
		var reply joinReply
		err := uncertain(m.call(ctx, via, request{Op: opJoin}, body, &reply))
		if errors.Is(err, ErrUncertain) {
			return fmt.Errorf("%w: %w", errNotSent, err)
		}
		return err
	})
	for _, refusal := range []error{fsm.ErrNameTaken, fsm.ErrStoreTaken, fsm.ErrInvalid, ErrOtherCluster, ErrOtherKey, ErrNoCluster} {
		if errors.Is(err, refusal) {
			m.log.Error("the join was refused", "cluster", body.Cluster, "reason", err)
			return fmt.Errorf("%w: %w", ErrNotMember, err)
		}
	}
	return err
}

// serveJoin makes a node a member, or passes the request on to the leader.
func (m *membership) serveJoin(ctx context.Context, _ caller, req request) (any, error) {
	var body announceBody
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return nil, err
	}
	if id := m.identity(); body.Cluster != id.Cluster {
		return nil, fmt.Errorf("%w: this is cluster %s, not %s", ErrOtherCluster, id.Cluster, body.Cluster)
	}
	if m.identity().Standing == standingJoining && m.view.state.Load().ClusterID == "" {
		return nil, fmt.Errorf("%s: %s is not a member itself yet: %w", m.node.addr.advertise, m.self.Node, ErrNoCluster)
	}
	reply, err := m.takeJoin(ctx, body.Node)
	if errors.Is(err, errNotLeader) {
		return m.passOn(ctx, req)
	}
	return reply, err
}

// takeJoin adds a node while this one leads. The rest, log, vote and grantor set, is done by the leader's duties.
func (m *membership) takeJoin(ctx context.Context, n fsm.Node) (joinReply, error) {
	if !m.consensus.leading() {
		return joinReply{}, errNotLeader
	}
	s := m.view.state.Load()
	if s.ClusterID == "" || m.identity().Recovery != nil { // only this node knows what is still to be taken over
		return joinReply{}, fmt.Errorf("%w: %w", errNotLeader, fsm.ErrNotInit)
	}
	if known, ok := s.Nodes[n.ID]; ok && known.Store != n.Store {
		return joinReply{}, nameTaken(known, n)
	}
	if err := addressFree(s, n); err != nil {
		return joinReply{}, err
	}
	if err := s.Config.CheckJoin(n); err != nil {
		return joinReply{}, err
	}
	if err := m.reach(ctx, n); err != nil {
		return joinReply{}, err
	}
	r, err := m.commit(ctx, fsm.Command{Actor: string(n.ID), PutNode: &fsm.PutNode{Node: n}})
	if err == nil {
		err = r.Err
	}
	if err != nil {
		return joinReply{}, err
	}
	s = m.view.state.Load()
	return joinReply{Index: r.Index, Peers: m.everybody(), Profile: s.Config.Settings.Profile}, nil
}

func nameTaken(known, n fsm.Node) error {
	return fmt.Errorf("%w: a node %s is a member already, at %s; choose another --name, or, if this is the same machine with a new "+
		"data directory, remove the old %s first", fsm.ErrNameTaken, known.ID, known.Addr, n.ID)
}

// reach proves that the node answers, under its name and with the cluster's key, where it says to be.
func (m *membership) reach(ctx context.Context, n fsm.Node) error {
	if _, err := netip.ParseAddrPort(n.Addr); err != nil {
		return fmt.Errorf("%w: address %q of %s is not IP:PORT", fsm.ErrInvalid, n.Addr, n.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := m.node.mux.dial(ctx, m.face, streamCall, n.Addr, string(serverID(n.ID, n.Store)))
	if err != nil {
		return fmt.Errorf("%w: the leader %s tried %s: %w; check --bind, --advertise and the firewall of %s (TCP and UDP %s, and UDP on the next port)",
			ErrUnreachable, m.self.Node, n.Addr, err, n.ID, n.Addr)
	}
	return conn.Close()
}

// addressFree refuses an address that another member has.
func addressFree(s *fsm.State, n fsm.Node) error {
	for id, other := range s.Nodes {
		if id != n.ID && other.Addr == n.Addr {
			return fmt.Errorf("%w: %s already has the address %s; give %s another one with --bind or --advertise",
				fsm.ErrInvalid, id, n.Addr, n.ID)
		}
	}
	return nil
}
