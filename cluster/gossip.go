package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"quorate/fsm"
)

// gossip tells which members are there and at which address. It is a hint and a directory: it never moves a VIP, and
// nothing that is agreed depends on it.
//
// Each start of a process is a member of its own in memberlist's eyes ("n1#5f3c…"). A node that comes back under another
// address is then no conflict with the one that has not been declared dead yet, which memberlist would otherwise refuse.
type gossip struct {
	self    fsm.Grantor
	heard   func(fsm.Grantor, string, time.Time) // an address
	applied func() uint64                        // own applied index, told with each answer to a probe
	bell
	list *memberlist.Memberlist

	mu    sync.Mutex
	seen  map[string]gossipMember // by memberlist's name
	peers map[fsm.NodeID]contact
}

// gossipMember is one process that gossip knows to be alive.
type gossipMember struct {
	who   fsm.Grantor
	since time.Time
}

// contact is what the last answered probe of a node said.
type contact struct {
	at      time.Time
	rtt     time.Duration
	applied uint64
}

// gossipMeta travels with a member; memberlist allows 512 bytes.
type gossipMeta struct {
	Node  fsm.NodeID  `json:"n"`
	Store fsm.StoreID `json:"s"`
}

// gossipOptions are what newGossip needs.
type gossipOptions struct {
	self    fsm.Grantor
	boot    uint64
	key     []byte
	own     netip.AddrPort
	wan     bool
	trans   *gossipTransport
	heard   func(fsm.Grantor, string, time.Time)
	applied func() uint64
	log     *slog.Logger
}

// start begins to gossip; stop ends it.
func startGossip(o gossipOptions) (*gossip, error) {
	g := &gossip{self: o.self, heard: o.heard, applied: o.applied, seen: make(map[string]gossipMember), peers: make(map[fsm.NodeID]contact)}
	c := memberlist.DefaultLANConfig()
	if o.wan {
		c = memberlist.DefaultWANConfig()
	}
	c.Name = fmt.Sprintf("%s#%016x", o.self.Node, o.boot)
	c.Transport = o.trans
	c.SecretKey = o.key
	c.AdvertiseAddr, c.AdvertisePort = o.own.Addr().String(), int(o.own.Port())
	c.BindAddr, c.BindPort = c.AdvertiseAddr, c.AdvertisePort
	c.TCPTimeout = 3 * time.Second
	c.EnableCompression = false // a few hundred bytes; not worth the CPU
	c.DNSConfigPath = ""        // addresses only
	c.MsgpackUseNewTimeFormat = true
	c.Logger = newStdLog(o.log, "gossip")
	c.Delegate, c.Events, c.Ping = gossipDelegate{g}, gossipDelegate{g}, gossipDelegate{g}
	var err error
	if g.list, err = memberlist.Create(c); err != nil {
		return nil, fmt.Errorf("start gossip: %w", err)
	}
	return g, nil
}

// stop says good-bye (a restart of the node is then known at once) and ends all of it.
func (g *gossip) stop(goodbye time.Duration) {
	if goodbye > 0 {
		_ = g.list.Leave(goodbye)
	}
	_ = g.list.Shutdown()
}

// seek keeps contact: members that gossip does not know, or takes for dead, are dialled now and then. memberlist itself
// forgets a member that was dead for 30 s, and two halves of a network would never find each other again.
func (g *gossip) seek(ctx context.Context, peers func() map[fsm.NodeID]string, interval time.Duration) error {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, interval) {
		var missing []string
		for n, addr := range peers() {
			if !g.alive(n) {
				missing = append(missing, addr)
			}
		}
		if len(missing) > 0 {
			_, _ = g.list.Join(missing) // the reason is in memberlist's log
		}
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// alive reports whether some process of the node is alive.
func (g *gossip) alive(n fsm.NodeID) bool {
	if n == g.self.Node {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, m := range g.seen {
		if m.who.Node == n {
			return true
		}
	}
	return false
}

// contact is when the node last answered a probe of ours, and what it said.
func (g *gossip) contact(n fsm.NodeID) (contact, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c, ok := g.peers[n]
	return c, ok
}

func parseMeta(n *memberlist.Node) (fsm.Grantor, string, bool) {
	var m gossipMeta
	if len(n.Meta) > memberlist.MetaMaxSize || json.Unmarshal(n.Meta, &m) != nil || m.Node == "" || m.Store == "" {
		return fsm.Grantor{}, "", false
	}
	ip, ok := netip.AddrFromSlice(n.Addr)
	if !ok {
		return fsm.Grantor{}, "", false
	}
	return fsm.Grantor{Node: m.Node, Store: m.Store}, netip.AddrPortFrom(ip.Unmap(), n.Port).String(), true
}

// gossipDelegate is what memberlist calls. None of its methods blocks.
type gossipDelegate struct{ *gossip }

var (
	_ memberlist.Delegate      = gossipDelegate{}
	_ memberlist.EventDelegate = gossipDelegate{}
	_ memberlist.PingDelegate  = gossipDelegate{}
)

// NodeMeta implements memberlist.Delegate.
func (g gossipDelegate) NodeMeta(limit int) []byte {
	b, err := json.Marshal(gossipMeta{Node: g.self.Node, Store: g.self.Store})
	if err != nil || len(b) > limit {
		return nil
	}
	return b
}

// NotifyMsg implements memberlist.Delegate.
func (gossipDelegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (gossipDelegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (gossipDelegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (gossipDelegate) MergeRemoteState([]byte, bool) {}

// NotifyJoin implements memberlist.EventDelegate.
func (g gossipDelegate) NotifyJoin(n *memberlist.Node) {
	who, addr, ok := parseMeta(n)
	if !ok || who == g.self {
		return
	}
	now := time.Now()
	g.mu.Lock()
	g.seen[n.Name] = gossipMember{who: who, since: now}
	g.mu.Unlock()
	g.heard(who, addr, now)
	g.ring()
}

// NotifyLeave implements memberlist.EventDelegate.
func (g gossipDelegate) NotifyLeave(n *memberlist.Node) {
	g.mu.Lock()
	delete(g.seen, n.Name)
	g.mu.Unlock()
	g.ring()
}

// NotifyUpdate implements memberlist.EventDelegate.
func (gossipDelegate) NotifyUpdate(*memberlist.Node) {}

// AckPayload implements memberlist.PingDelegate.
func (g gossipDelegate) AckPayload() []byte {
	return binary.BigEndian.AppendUint64(nil, g.applied())
}

// NotifyPingComplete implements memberlist.PingDelegate.
func (g gossipDelegate) NotifyPingComplete(n *memberlist.Node, rtt time.Duration, payload []byte) {
	who, _, ok := parseMeta(n)
	if !ok || len(payload) != 8 {
		return
	}
	g.mu.Lock()
	g.peers[who.Node] = contact{at: time.Now(), rtt: rtt, applied: binary.BigEndian.Uint64(payload)}
	g.mu.Unlock()
}
