package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// directory finds the address of a member. The agreed one is the last to be asked, because a node that came back under
// another address can be part of the majority that has yet to agree on that address.
//
// In this order: what gossip or an announcement said last, the committed state, what the identity file remembers, Raft's
// configuration.
type directory struct {
	self fsm.Grantor
	own  string
	view *view

	mu         sync.Mutex
	heard      map[fsm.Grantor]heardAddr
	remembered map[fsm.NodeID]string
	servers    func() []raft.Server // nil until Raft runs
	joined     map[raft.ServerID]joinedAddr
}

// joinedAddr saves Raft, which asks for an address with each message, the making of it.
type joinedAddr struct {
	addr string
	raft raft.ServerAddress
}

type heardAddr struct {
	addr string
	at   time.Time
}

func newDirectory(self fsm.Grantor, own string, v *view, remembered map[fsm.NodeID]string) *directory {
	return &directory{self: self, own: own, view: v, heard: make(map[fsm.Grantor]heardAddr),
		remembered: maps.Clone(remembered), joined: make(map[raft.ServerID]joinedAddr)}
}

// hear notes where a member says that it is. Only holders of the cluster key can say so.
func (d *directory) hear(g fsm.Grantor, addr string, at time.Time) {
	if _, err := netip.ParseAddrPort(addr); err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old, ok := d.heard[g]; (!ok && len(d.heard) < 1024) || (ok && !at.Before(old.at)) {
		d.heard[g] = heardAddr{addr, at}
	}
}

// agreed forgets what was heard of nodes whose committed address changed after it: the commit is newer.
func (d *directory) agreed(old, now *fsm.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.heard {
		o, n := old.Nodes[g.Node], now.Nodes[g.Node]
		if n.Store == g.Store && o.Store == g.Store && o.Addr != n.Addr {
			delete(d.heard, g)
		}
	}
}

// address of a member.
func (d *directory) address(g fsm.Grantor) (string, bool) {
	if g == d.self {
		return d.own, true
	}
	d.mu.Lock()
	h, ok := d.heard[g]
	remembered := d.remembered[g.Node]
	servers := d.servers
	d.mu.Unlock()
	if ok {
		return h.addr, true
	}
	if n, ok := d.view.state.Load().Nodes[g.Node]; ok && n.Store == g.Store {
		return n.Addr, true
	}
	if remembered != "" {
		return remembered, true
	}
	if servers != nil {
		for _, s := range servers() {
			if s.ID == serverID(g.Node, g.Store) {
				return string(s.Address), true
			}
		}
	}
	return "", false
}

// node returns the address of the node with this name and whichever store is agreed.
func (d *directory) node(n fsm.NodeID) (string, fsm.Grantor, bool) {
	g := fsm.Grantor{Node: n, Store: d.view.state.Load().Nodes[n].Store}
	if n == d.self.Node {
		g = d.self
	}
	a, ok := d.address(g)
	return a, g, ok
}

// lease resolves a node for the lease's datagrams.
func (d *directory) lease(n fsm.NodeID) (netip.AddrPort, bool) {
	s, _, ok := d.node(n)
	if !ok {
		return netip.AddrPort{}, false
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return leaseAddr(a), true
}

// remember replaces what the identity file remembered.
func (d *directory) remember(peers map[fsm.NodeID]string) {
	d.mu.Lock()
	d.remembered = peers
	d.mu.Unlock()
}

// peers are all other members that are known in whatever way, with their addresses.
func (d *directory) peers() map[fsm.NodeID]string {
	out := make(map[fsm.NodeID]string)
	d.mu.Lock()
	maps.Copy(out, d.remembered)
	servers := d.servers
	heard := maps.Clone(d.heard)
	d.mu.Unlock()
	if servers != nil {
		for _, s := range servers() {
			if g, ok := splitServerID(s.ID); ok && out[g.Node] == "" {
				out[g.Node] = string(s.Address)
			}
		}
	}
	nodes := d.view.state.Load().Nodes
	for id, n := range nodes {
		out[id] = n.Addr
	}
	for g, h := range heard {
		if n, ok := nodes[g.Node]; !ok || n.Store == g.Store {
			out[g.Node] = h.addr
		}
	}
	delete(out, d.self.Node)
	return out
}

// ServerAddr implements raft.ServerAddressProvider.
func (d *directory) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	g, ok := splitServerID(id)
	if !ok {
		return "", fmt.Errorf("raft server %q is not NODE/STORE", id)
	}
	a, ok := d.address(g)
	if !ok {
		return "", fmt.Errorf("no address of %s is known", g.Node)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	j := d.joined[id]
	if j.addr != a {
		j = joinedAddr{a, raftAddress(id, a)}
		d.joined[id] = j
	}
	return j.raft, nil
}
