package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// membership is a node's time in one cluster, or the part of it that one process sees: everything that exists only while
// the node has an identity.
type membership struct {
	node *Node
	self fsm.Grantor
	boot uint64 // of this process in this membership
	log  *slog.Logger
	view *view

	mu sync.Mutex
	id identity

	stores    *Stores
	written   *watchedLog
	machine   *machine
	directory *directory
	consensus *consensus
	lease     *lease.Service
	gossip    *gossip
	packets   *gossipTransport
	calls     *callServer
	face      *face

	role     role
	book     book
	observer observer
	foreign  foreigners
	progress progress
	reads    reads
	asks     chan lease.LeaderEvent

	// ready is closed after the start barrier, ended receives how the membership ended.
	ready     chan struct{}
	ended     chan standing
	estranged atomic.Bool // a peer was found in another cluster
	leaving   bell        // rung when Leave wants to know soon whether the cluster has let go of the node

	talk atomic.Pointer[gossip] // gossip, for others than run's goroutines; set once lease and gossip are there
}

// newMembership opens the stores. The rest begins with run.
func newMembership(n *Node, id identity) (*membership, error) {
	stores, err := n.o.Store.Open(id.Standing != standingMember)
	if err != nil {
		return nil, err
	}
	written := &watchedLog{LogStore: stores.Log}
	var b [8]byte
	_, _ = rand.Read(b[:])
	m := &membership{
		node: n, id: id, stores: stores, written: written, view: n.view,
		self:  fsm.Grantor{Node: id.Node, Store: id.Store},
		boot:  binary.BigEndian.Uint64(b[:]) | 1,
		log:   n.log,
		asks:  make(chan lease.LeaderEvent, 256),
		ended: make(chan standing, 1),
	}
	n.mu.Lock()
	m.ready = n.ready
	n.mu.Unlock()
	m.directory = newDirectory(m.self, n.addr.advertise.String(), n.view, id.Peers)
	m.machine = newMachine(n.view, m.applied)
	m.face = &face{key: deriveKey(id.Key, purposeStream), self: string(serverID(id.Node, id.Store)), accept: m.accept}
	m.consensus = &consensus{
		self:      serverID(id.Node, id.Store),
		stores:    stores,
		written:   written,
		machine:   m.machine,
		directory: m.directory,
		streams: func() *raftStreams {
			own, _ := m.directory.ServerAddr(serverID(id.Node, id.Store))
			return newRaftStreams(n.mux, m.face, own)
		},
		duties: m.lead,
		wall:   n.o.Wall,
		retain: n.o.Retention,
		ready:  m.ready,
		log:    m.log,
		nudge:  make(chan struct{}, 1),
	}
	m.machine.configured = m.consensus.ring
	m.directory.servers = m.consensus.servers
	return m, nil
}

func (m *membership) identity() identity {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id
}

// update changes the identity, on disk first.
func (m *membership) update(change func(*identity)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := m.id
	next.Peers = maps.Clone(next.Peers)
	change(&next)
	if next.equal(m.id) {
		return nil
	}
	if err := saveIdentity(m.node.o.Store.Identity(), next); err != nil {
		return err
	}
	m.id = next
	return nil
}

// errEnded ends the goroutines of a membership that is over.
var errEnded = errors.New("the membership has ended")

// run lives until ctx ends (standing ""), the cluster lets the node go, or something fails.
func (m *membership) run(ctx context.Context) (end standing, err error) {
	defer func() { err = errors.Join(err, m.stores.Close()) }()
	if err := m.begin(); err != nil {
		return "", err
	}
	g, ctx := errgroup.WithContext(ctx)
	m.calls = newCallServer(ctx, m.handlers())
	if err := m.openSockets(); err != nil {
		return "", errors.Join(err, g.Wait())
	}
	m.talk.Store(m.gossip)
	m.node.ring()
	m.node.mux.show(m.face)
	defer m.node.mux.show(nil)

	g.Go(func() error { return m.lease.Run(ctx) })
	g.Go(func() error {
		if !m.outlast(ctx) {
			return nil
		}
		return m.consensus.run(ctx, m.identity().Profile)
	})
	g.Go(func() error { return m.barrier(ctx) })
	g.Go(func() error { return m.announce(ctx) })
	g.Go(func() error { return m.remember(ctx) })
	g.Go(func() error { return m.report(ctx) })
	g.Go(func() error { return m.reportForeign(ctx) })
	g.Go(func() error { return m.tick(ctx) })
	g.Go(func() error { return m.follow(ctx) })
	g.Go(func() error { return m.events(ctx) })
	g.Go(func() error { return m.gossip.seek(ctx, m.directory.peers, 10*time.Second) })
	g.Go(func() error {
		select {
		case end = <-m.ended:
			return errEnded
		case <-ctx.Done():
			return nil
		}
	})
	err = g.Wait()
	m.node.mux.show(nil)
	m.gossip.stop(goodbyeTime)
	m.calls.wait()
	if errors.Is(err, errEnded) {
		err = nil
	}
	return end, err
}

// goodbyeTime is how long the end of a process waits for its farewell to reach a peer.
const goodbyeTime = 200 * time.Millisecond

// begin prepares the log of a cluster's first node.
func (m *membership) begin() error {
	id := m.identity()
	if id.Standing != standingForming {
		return nil
	}
	s := m.stores
	has, err := raft.HasExistingState(s.Log, s.Stable, s.Snapshots)
	if err != nil || has {
		return err
	}
	if id.Recovery != nil {
		return id.Recovery.begin(s.Snapshots, m.consensus.self)
	}
	conf := raft.DefaultConfig()
	conf.LocalID = m.consensus.self
	err = raft.BootstrapCluster(conf, s.Log, s.Stable, s.Snapshots, nil, raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: m.consensus.self, Address: raft.ServerAddress(m.node.addr.advertise.String()),
	}}})
	if err != nil {
		return fmt.Errorf("begin the raft log: %w", err)
	}
	return nil
}

// openSockets opens the datagram sockets and makes what lives on them.
func (m *membership) openSockets() (err error) {
	n := m.node
	last, err := m.stores.last()
	if err != nil {
		return err
	}
	leaseAt := leaseAddr(n.addr.bind).String()
	leaseConn, err := n.o.Network.ListenPacket(leaseAt)
	if err != nil {
		return fmt.Errorf("lease socket on UDP %s, the port after that of --bind: %w", leaseAt, err)
	}
	m.lease, err = lease.NewService(lease.Options{
		Self: m.self, Boot: lease.BootID(m.boot), Clock: n.o.Clock, Conn: leaseConn, Resolve: m.directory.lease,
		Key: deriveKey(m.id.Key, purposeLease), Store: m.stores.Lease, LastIndex: last, OnLease: n.o.OnLease, OnRound: n.o.OnRound, Log: m.log,
	})
	if err != nil {
		_ = leaseConn.Close()
		return err
	}
	conn, err := n.o.Network.ListenPacket(n.addr.bind.String())
	if err != nil {
		_ = leaseConn.Close()
		return fmt.Errorf("gossip socket on UDP %s: %w", n.addr.bind, err)
	}
	m.packets = newGossipTransport(n.mux, m.face, n.addr.advertise, conn)
	m.gossip, err = startGossip(gossipOptions{
		self: m.self, boot: m.boot, key: deriveKey(m.id.Key, purposeGossip), own: n.addr.advertise,
		wan: m.id.Profile == fsm.WAN, trans: m.packets, heard: m.directory.hear,
		applied: func() uint64 { return m.view.state.Load().Index }, log: m.log,
	})
	if err != nil {
		_ = m.packets.Shutdown()
		_ = leaseConn.Close()
		return err
	}
	return nil
}

// accept takes over a stream that the mux has admitted.
func (m *membership) accept(kind streamKind, conn net.Conn, h hello) {
	switch kind {
	case streamRaft:
		if s := m.consensus.now.Load(); s != nil {
			s.admit(conn)
			return
		}
	case streamGossip:
		m.packets.admit(conn)
		return
	case streamCall:
		m.calls.admit(conn, caller(h.from))
		return
	}
	_ = conn.Close()
}

// applied is called with each state, in order, by the goroutine that applies.
func (m *membership) applied(s *fsm.State) {
	if m.lease != nil {
		m.lease.Applied(s)
	}
}

// tick tells the lease that the state machine lives: it is idle, or an entry is not taking too long.
func (m *membership) tick(ctx context.Context) error {
	for {
		ttl := m.view.state.Load().Config.Settings.Profile.Timing().TTL
		if m.machine.busy() < ttl && m.machine.broken() == nil {
			m.lease.Alive(lease.FSM)
		}
		if !pause(ctx, lease.UntilTick(m.node.o.Clock.Now(), ttl)) {
			return nil
		}
	}
}

// role keeps the order of what the lease is told about who leads: once a term has begun here, no older news gets through.
type role struct {
	mu      sync.Mutex
	leading bool
	told    fsm.NodeID
	fresh   bool // nothing was told since this node led
}

// follow tells the lease who leads while this node does not.
func (m *membership) follow(ctx context.Context) error {
	m.role.mu.Lock()
	m.role.fresh = true
	m.role.mu.Unlock()
	for {
		moved := m.consensus.wake()
		leader, _ := m.consensus.leader()
		m.role.mu.Lock()
		if r := &m.role; !r.leading && leader != m.self && (r.fresh || r.told != leader.Node) {
			r.fresh, r.told = false, leader.Node
			m.lease.Follow(leader.Node)
			if leader.Node != "" {
				m.log.Info("leader", "leader", string(leader.Node))
			}
		}
		m.role.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return nil
		}
	}
}

// remember keeps what the node must know when it starts again: where the peers are, and the timing.
func (m *membership) remember(ctx context.Context) error {
	select {
	case <-m.ready: // what was applied before may be old
	case <-ctx.Done():
		return nil
	}
	var last *fsm.State
	for {
		changed := m.view.wake()
		s := m.view.state.Load()
		if last != nil {
			m.directory.agreed(last, s)
		}
		last = s
		if _, in := s.Nodes[m.self.Node]; in {
			peers := make(map[fsm.NodeID]string)
			for id, n := range s.Nodes {
				if id != m.self.Node {
					peers[id] = n.Addr
				}
			}
			err := m.update(func(id *identity) { id.Peers, id.Profile = peers, s.Config.Settings.Profile })
			if err != nil {
				m.log.Warn("cannot remember the peers; a restart may not find them", "reason", err)
			} else {
				m.directory.remember(peers)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
