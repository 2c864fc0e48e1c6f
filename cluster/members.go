package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// Member is one node of the cluster as this node sees it.
type Member struct {
	ID       fsm.NodeID  `json:"id"`
	Store    fsm.StoreID `json:"store"`
	Addr     string      `json:"addr"`
	Role     fsm.Role    `json:"role"`
	Zone     string      `json:"zone,omitempty"`
	Weight   int         `json:"weight"`
	Draining bool        `json:"draining,omitempty"`
	Leaving  bool        `json:"leaving,omitempty"`
	Self     bool        `json:"self,omitempty"`
	Voter    bool        `json:"voter"`
	Grantor  bool        `json:"grantor"`
	Leader   bool        `json:"leader"`
	// Alive is gossip's opinion, some seconds late.
	Alive bool `json:"alive"`
	// LastContact is when the node last answered a probe of this one; zero = never, or the node itself.
	LastContact time.Time     `json:"last_contact,omitzero"`
	RTT         time.Duration `json:"rtt,omitempty"`
	// Applied is the index that the node had applied then.
	Applied uint64 `json:"applied"`
}

// Members are the agreed members, sorted by name. It is empty while the node is in no cluster.
func (n *Node) Members() []Member {
	m := n.current.Load()
	if m == nil {
		return nil
	}
	s := m.view.state.Load()
	leader, _ := m.consensus.leader()
	g := m.talk.Load()
	voters := make(map[raft.ServerID]bool)
	for _, srv := range m.consensus.servers() {
		voters[srv.ID] = srv.Suffrage == raft.Voter
	}
	var out []Member
	for _, id := range slices.Sorted(maps.Keys(s.Nodes)) {
		x := s.Nodes[id]
		who := member(x)
		mb := Member{
			ID: id, Store: x.Store, Addr: x.Addr, Role: x.Role, Zone: x.Zone, Weight: x.Weight, Draining: x.Draining, Leaving: x.Leaving,
			Self: who == m.self, Voter: voters[serverID(id, x.Store)], Grantor: s.Grantors.Has(who), Leader: who == leader,
		}
		switch {
		case mb.Self:
			mb.Alive, mb.Applied = true, s.Index
		case g != nil:
			mb.Alive = g.alive(id)
			if c, ok := g.contact(id); ok {
				mb.LastContact, mb.RTT, mb.Applied = c.at, c.rtt, c.applied
			}
		}
		out = append(out, mb)
	}
	return out
}

// Ask gets the status of a member, as its Options.Local gives it.
func (n *Node) Ask(ctx context.Context, peer fsm.NodeID) (json.RawMessage, error) {
	m := n.current.Load()
	if m == nil {
		return nil, ErrNoMembership
	}
	if peer == m.self.Node {
		return json.Marshal(n.o.Local())
	}
	x, ok := m.view.state.Load().Nodes[peer]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownNode, peer)
	}
	var out json.RawMessage
	err := m.callMember(ctx, member(x), request{Op: opAsk}, nil, &out)
	return out, err
}

func (m *membership) serveAsk(context.Context, caller, request) (any, error) {
	return m.node.o.Local(), nil
}

// Nudge asks a member to announce addresses again that it owns. A build that does not know the call says errors.ErrUnsupported.
func (n *Node) Nudge(ctx context.Context, peer fsm.NodeID, addrs []netip.Addr) error {
	m := n.current.Load()
	if m == nil {
		return ErrNoMembership
	}
	x, ok := m.view.state.Load().Nodes[peer]
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownNode, peer)
	}
	return m.callMember(ctx, member(x), request{Op: opNudge}, addrs, nil)
}

func (m *membership) serveNudge(_ context.Context, _ caller, req request) (any, error) {
	var addrs []netip.Addr
	if err := json.Unmarshal(req.Body, &addrs); err != nil {
		return nil, err
	}
	if f := m.node.o.OnNudge; f != nil {
		f(addrs)
	}
	return nil, nil
}

// Sight is what a node hears on the wire for an address.
type Sight struct {
	Key  fsm.AddressKey `json:"key"`
	MACs []string       `json:"macs,omitempty"` // that answered for it, e.g. "02:00:5e:10:20:30"
	// Hears says that the node could ask, and got an answer from another node of the cluster on the same link: its silence means
	// something.
	Hears bool `json:"hears"`
}

// Look asks a member what it hears on the wire for addresses.
func (n *Node) Look(ctx context.Context, peer fsm.NodeID, keys []fsm.AddressKey) ([]Sight, error) {
	m := n.current.Load()
	if m == nil {
		return nil, ErrNoMembership
	}
	x, ok := m.view.state.Load().Nodes[peer]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrUnknownNode, peer)
	}
	var out []Sight
	err := m.callMember(ctx, member(x), request{Op: opLook}, keys, &out)
	return out, err
}

func (m *membership) serveLook(ctx context.Context, _ caller, req request) (any, error) {
	var keys []fsm.AddressKey
	if err := json.Unmarshal(req.Body, &keys); err != nil {
		return nil, err
	}
	if m.node.o.OnLook == nil {
		return []Sight{}, nil
	}
	return m.node.o.OnLook(ctx, keys), nil
}

// handlers are the calls that a member answers.
func (m *membership) handlers() map[op]handler {
	return map[op]handler{
		opPropose: m.servePropose, opRead: m.serveRead, opJoin: m.serveJoin, opAnnounce: m.serveAnnounce,
		opObserve: taking(m.book.take), opProgress: m.serveProgress, opAsk: m.serveAsk, opNudge: m.serveNudge, opLook: m.serveLook,
		opQuery: m.serveQuery, opForeign: taking(m.book.takeForeign),
	}
}

// Stats are figures of this node's part in the cluster.
type Stats struct {
	Cluster  string        `json:"cluster,omitempty"`
	Role     string        `json:"role"` // raft's: follower, candidate, leader; "" = not in a cluster
	Leader   fsm.NodeID    `json:"leader,omitempty"`
	Term     uint64        `json:"term"`
	Commit   uint64        `json:"commit"`
	Applied  uint64        `json:"applied"`
	LastLog  uint64        `json:"last_log"`
	Voters   int           `json:"voters"`
	Ready    bool          `json:"ready"`
	Contact  time.Duration `json:"contact"` // since a leader was last heard; 0 on the leader
	Profile  fsm.Profile   `json:"profile"`
	Observed int           `json:"observed"` // servers whose health this node has reported
}

// Stats of this node now.
func (n *Node) Stats() Stats {
	m := n.current.Load()
	if m == nil {
		return Stats{}
	}
	s := m.view.state.Load()
	leader, _ := m.consensus.leader()
	st := Stats{
		Cluster: m.identity().Cluster, Leader: leader.Node, Applied: s.Index, Ready: isReady(m.ready), Profile: s.Config.Settings.Profile,
		Observed: m.observer.count(),
	}
	for _, srv := range m.consensus.servers() {
		if srv.Suffrage == raft.Voter {
			st.Voters++
		}
	}
	if r := m.consensus.raft.Load(); r != nil {
		switch role := r.State(); role {
		case raft.Leader:
			st.Role = "leader"
		case raft.Candidate:
			st.Role = "candidate"
		default:
			st.Role = "follower"
		}
		st.Term, st.Commit, st.LastLog = r.CurrentTerm(), r.CommitIndex(), r.LastIndex()
		if at := r.LastContact(); st.Role != "leader" && !at.IsZero() {
			st.Contact = time.Since(at)
		}
	}
	return st
}
