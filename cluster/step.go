package cluster

import (
	"maps"
	"slices"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// step is one change of the membership that a leader should make next. Only one is made at a time.
type step interface{ step() }

type (
	// addServer makes a node a server of Raft, without a vote.
	addServer struct {
		id   raft.ServerID
		addr string
	}
	// promote gives a server its vote.
	promote struct {
		id   raft.ServerID
		addr string
	}
	// readdress changes the address under which Raft's configuration has a server.
	readdress struct {
		id       raft.ServerID
		addr     string
		suffrage raft.ServerSuffrage
	}
	// dropServer takes a server out of Raft.
	dropServer struct{ id raft.ServerID }
	// setGrantors changes the grantor set by one member.
	setGrantors struct {
		prev    uint64
		members []fsm.Grantor
	}
	// removeNode ends a membership.
	removeNode struct{ who fsm.Grantor }
	// handOver gives the leadership to another voter.
	handOver struct {
		to  raft.ServerID
		why string
	}
)

func (addServer) step()   {}
func (promote) step()     {}
func (readdress) step()   {}
func (dropServer) step()  {}
func (setGrantors) step() {}
func (removeNode) step()  {}
func (handOver) step()    {}

// standings is what nextStep decides on.
type standings struct {
	state   *fsm.State
	servers []raft.Server // Raft's configuration
	self    fsm.Grantor
	// caughtUp are servers without a vote that are past their start barrier and have nearly all of the log.
	caughtUp map[raft.ServerID]bool
	// alive are the servers that answer this leader.
	alive func(fsm.Grantor) bool
	// ending are the nodes whose agent has been asked to end.
	ending map[fsm.NodeID]bool
	// mayChange is the index of the grantor set that may be replaced (lease.GrantorChangeAllowed); 0 = none.
	mayChange uint64
}

func (c standings) server(g fsm.Grantor) (raft.Server, bool) {
	for _, s := range c.servers {
		if s.ID == serverID(g.Node, g.Store) {
			return s, true
		}
	}
	return raft.Server{}, false
}

func (c standings) node(id raft.ServerID) (fsm.Node, bool) {
	g, ok := splitServerID(id)
	if !ok {
		return fsm.Node{}, false
	}
	n, ok := c.state.Nodes[g.Node]
	return n, ok && n.Store == g.Store
}

func member(n fsm.Node) fsm.Grantor { return fsm.Grantor{Node: n.ID, Store: n.Store} }

// nextStep decides. A node comes in as a server without vote, gets its vote when it has caught up, and then becomes a
// grantor; it goes in the reverse order, once it owns nothing. So a grantor is always a voter, the set that vouches for
// owners never holds anybody who cannot learn what is agreed, and each kind of change is one member at a time.
func nextStep(c standings) (step, bool) {
	s := c.state
	if s.ClusterID == "" {
		return nil, false
	}
	nodes := slices.Sorted(maps.Keys(s.Nodes))
	if s.Nodes[c.self.Node].Leaving {
		// A leader cannot see its own removal through.
		if to, ok := c.successor(); ok {
			return handOver{to, "this node leaves"}, true
		}
	}
	for _, id := range nodes {
		n := s.Nodes[id]
		if _, ok := c.server(member(n)); !ok && !n.Leaving {
			return addServer{serverID(n.ID, n.Store), n.Addr}, true
		}
	}
	if st, ok := c.removal(nodes); ok {
		return st, true
	}
	for _, srv := range c.servers {
		n, ok := c.node(srv.ID)
		if ok && !n.Leaving && srv.Suffrage != raft.Voter && c.caughtUp[srv.ID] {
			return promote{srv.ID, n.Addr}, true
		}
	}
	if st, ok := c.grantors(nodes); ok {
		return st, true
	}
	for _, srv := range c.servers {
		if n, ok := c.node(srv.ID); ok && !n.Leaving && string(srv.Address) != n.Addr {
			return readdress{srv.ID, n.Addr, srv.Suffrage}, true
		}
	}
	return nil, false
}

// removal takes out whoever is leaving and owns nothing, and what an interrupted removal left behind. The dead go first: as
// long as they count, one that lives and leaves may be needed for the majority.
func (c standings) removal(nodes []fsm.NodeID) (step, bool) {
	for _, srv := range c.servers {
		g, ok := splitServerID(srv.ID)
		if _, known := c.node(srv.ID); !known && g != c.self && (!ok || !c.state.Grantors.Has(g)) {
			return dropServer{srv.ID}, true
		}
	}
	for _, alive := range []bool{false, true} {
		for _, id := range nodes {
			n := c.state.Nodes[id]
			who := member(n)
			if !n.Leaving || who == c.self || len(c.state.Owned(id)) > 0 || c.lives(who) != alive {
				continue
			}
			if c.state.Grantors.Has(who) {
				if st, ok := c.without(who); ok && c.spares(who, c.state.Grantors.Members) {
					return st, true
				}
				continue
			}
			srv, ok := c.server(who)
			if !ok {
				return removeNode{who}, true
			}
			if srv.Suffrage != raft.Voter || c.spares(who, c.voters()) {
				return dropServer{srv.ID}, true
			}
		}
	}
	return nil, false
}

func (c standings) lives(g fsm.Grantor) bool { return g == c.self || c.alive(g) }

// voters of Raft.
func (c standings) voters() (out []fsm.Grantor) {
	for _, srv := range c.servers {
		if g, _ := splitServerID(srv.ID); srv.Suffrage == raft.Voter {
			out = append(out, g)
		}
	}
	return out
}

// spares reports whether a majority of set without g lives. Else those who stay could neither decide nor hold a lease; a node
// that leaves waits for that.
func (c standings) spares(g fsm.Grantor, set []fsm.Grantor) bool {
	rest, live := 0, 0
	for _, x := range set {
		if x == g {
			continue
		}
		rest++
		if c.lives(x) {
			live++
		}
	}
	return live > rest/2
}

// grantors lets the set follow the voters.
func (c standings) grantors(nodes []fsm.NodeID) (step, bool) {
	set := c.state.Grantors
	for _, g := range set.Members {
		if n, ok := c.state.Nodes[g.Node]; !ok || n.Store != g.Store {
			if st, ok := c.without(g); ok {
				return st, true
			}
		}
	}
	if c.mayChange != set.Index {
		return nil, false
	}
	for _, id := range nodes {
		n := c.state.Nodes[id]
		srv, ok := c.server(member(n))
		if ok && srv.Suffrage == raft.Voter && !n.Leaving && !set.Has(member(n)) {
			members := append(slices.Clone(set.Members), member(n))
			slices.SortFunc(members, compareGrantors)
			return setGrantors{set.Index, members}, true
		}
	}
	return nil, false
}

// without is the set with one member less, if the set may be changed now. The last member stays.
func (c standings) without(g fsm.Grantor) (step, bool) {
	set := c.state.Grantors
	if c.mayChange != set.Index || len(set.Members) < 2 {
		return nil, false
	}
	members := slices.DeleteFunc(slices.Clone(set.Members), func(x fsm.Grantor) bool { return x == g })
	return setGrantors{set.Index, members}, true
}

// successor is a voter that may lead in place of this one: alive and staying; one that is about to end only where there is no other.
func (c standings) successor() (to raft.ServerID, ok bool) {
	for _, srv := range c.servers {
		n, is := c.node(srv.ID)
		if !is || member(n) == c.self || srv.Suffrage != raft.Voter || n.Leaving || !c.alive(member(n)) {
			continue
		}
		if !c.ending[n.ID] {
			return srv.ID, true
		}
		to, ok = srv.ID, true
	}
	return to, ok
}

func compareGrantors(a, b fsm.Grantor) int {
	switch {
	case a.Node < b.Node, a.Node == b.Node && a.Store < b.Store:
		return -1
	case a == b:
		return 0
	default:
		return 1
	}
}
