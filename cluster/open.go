package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// Options of a Node. Name and Bind are required, and DataDir where Store is nil.
type Options struct {
	Name fsm.NodeID
	// Bind is IP:PORT. TCP PORT carries Raft, calls and gossip's streams, UDP PORT gossip's packets, UDP PORT+1 the lease.
	Bind string
	// Advertise is the IP:PORT at which peers reach the node; empty = Bind.
	Advertise string
	DataDir   string

	Role   fsm.Role // "" = director
	Zone   string
	Weight int // share of VIPs; 0 = owns none unless preferred

	// Facts is what the node reports of itself. It is called now and then, and may list interfaces. nil = nothing but the
	// schema.
	Facts func() fsm.Facts
	// Local is this node's status, as peers get it from Ask. nil = null.
	Local func() any
	// OnLease is called at each renewal and loss of the lease, in order, from the goroutine that renews; it must not block.
	OnLease func(lease.LeaseChanged) error
	// OnFenced is called for each fence that this node decided as the leader; it must not block.
	OnFenced func(Fenced)
	// OnNudge is called when another node asks this one to announce addresses again that it owns; it must not block.
	OnNudge func([]netip.Addr)
	// OnLook is called when another node wants to know what this one hears on the wire for addresses. nil = it hears nothing.
	OnLook func(context.Context, []fsm.AddressKey) []Sight
	// OnQuery answers another node's question about this one, as Query asks it. nil = it answers none.
	OnQuery func(context.Context, json.RawMessage) (any, error)
	// OnRound is called for each round of renewals with how much later than planned it was; it must not block.
	OnRound func(late time.Duration)

	// OnLead is called when this node has begun to lead, and knows all that was committed before. It runs until ctx ends, which is when the node leads
	// no more, and has to return then: the next term waits for it.
	OnLead func(ctx context.Context, term uint64)

	Network Network     // nil = HostNetwork()
	Clock   lease.Clock // nil = lease.SystemClock()
	// Wall is the time of day, which may step: the leader stamps commands with it, and nothing else reads it. nil = time.Now.
	Wall      func() time.Time
	Store     StoreFactory // nil = Disk(DataDir)
	Retention Retention    // 0 = a megabyte of log, which is what clusters should have; simulations keep less
	Log       *slog.Logger // nil = discarded
}

// Node is this process's part in a cluster. Its methods are safe for concurrent use. Those that ask the cluster need Run
// to be running.
type Node struct {
	o      Options
	addr   addresses
	log    *slog.Logger
	mux    *mux
	view   *view
	unlock func() error

	// enter tells Run that Bootstrap or Join made an identity.
	enter chan struct{}
	// listens is closed when Run takes connections: the cluster that a node joins tries its address before it lets it in.
	listens chan struct{}

	mu       sync.Mutex
	identity identity // the zero value while the node is free to bootstrap or join
	past     identity // of the last membership that ended, for messages
	ready    chan struct{}
	closed   bool
	changing sync.Mutex // held by Bootstrap and Join

	refreshed bell // rung when the facts may have changed

	current atomic.Pointer[membership]
	bell    // rung when a membership begins or ends
}

// Open locks the data directory and reads who the node is. It starts nothing. Run closes what Open opened; without Run,
// call Close.
func Open(o Options) (*Node, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	addr, err := parseAddresses(o.Bind, o.Advertise)
	if err != nil {
		return nil, err
	}
	if o.Name == "" {
		return nil, errors.New("the node has no name: use --name")
	}
	if o.Role == "" {
		o.Role = fsm.Director
	}
	if o.Network == nil {
		o.Network = HostNetwork()
	}
	if s, ok := o.Network.(sourced); ok {
		o.Network = s.from(addr.bind.Addr())
	}
	if o.Facts == nil {
		o.Facts = func() fsm.Facts { return fsm.Facts{Schema: fsm.MaxSchema} }
	}
	if o.Local == nil {
		o.Local = func() any { return nil }
	}
	if o.Store == nil {
		o.Store = Disk(o.DataDir, o.Log)
	}
	unlock, err := o.Store.Lock()
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = lease.SystemClock()
	}
	if o.Wall == nil {
		o.Wall = time.Now
	}
	if o.Retention == (Retention{}) {
		o.Retention = retained
	}
	n := &Node{
		o: o, addr: addr, log: o.Log.With("node", string(o.Name)), unlock: unlock,
		mux: newMux(o.Network, o.Log), view: newView(), enter: make(chan struct{}, 1), listens: make(chan struct{}),
		ready: make(chan struct{}),
	}
	if err := n.loadIdentity(); err != nil {
		_ = unlock()
		return nil, err
	}
	return n, nil
}

func (n *Node) loadIdentity() error {
	id, ok, err := loadIdentity(n.o.Store.Identity())
	if err != nil {
		return err
	}
	if !ok {
		if s, is := n.o.Store.(interface{ used() bool }); is && s.used() {
			return n.checkEmpty(identity{}) // not a new node: waiting for a join, it would only be refused then
		}
		return nil
	}
	if id.Standing == standingRecovering {
		if id, err = id.settle(n.o.Store); err != nil {
			return err
		}
	}
	if !id.active() {
		n.past = id
		return n.o.Store.Retire() // a crash may have come between the two steps of leaving
	}
	if id.Node != n.o.Name {
		return fmt.Errorf("%s belongs to node %s of cluster %s, not to %s: use --name %s, or another --data-dir",
			n.o.Store.Identity(), id.Node, id.Cluster, n.o.Name, id.Node)
	}
	n.identity = id
	return nil
}

// Close lets go of the data directory of a node that Run was not called for.
func (n *Node) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil
	}
	n.closed = true
	return n.unlock()
}

// cannotListen says why the address of --bind cannot be used, and the cure where it is known.
func cannotListen(bind string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("cannot listen on %s: another program has that port: stop it (another agent?), or choose another --bind: %w", bind, err)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("cannot listen on %s: this machine does not have that address: correct --bind (`ip addr` lists what it has): %w", bind, err)
	default:
		return fmt.Errorf("cannot listen on %s, the address of --bind: %w", bind, err)
	}
}

// Run takes part in the cluster until ctx ends. It waits for Bootstrap or Join while the node is in none, also after it
// left or was removed. It returns an error when the data directory is damaged, the address cannot be used, or an entry of
// the log cannot be applied.
func (n *Node) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, n.Close()) }()
	ln, err := n.o.Network.Listen(n.addr.bind.String())
	if err != nil {
		return cannotListen(n.addr.bind.String(), err)
	}
	n.log.Info("listening", "addr", n.addr.bind.String())
	close(n.listens)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var listenErr error
	wg.Go(func() {
		listenErr = n.mux.serve(ctx, ln)
		cancel()
	})
	defer func() {
		cancel()
		wg.Wait()
		err = errors.Join(err, listenErr)
	}()
	for {
		id, err := n.await(ctx)
		if err != nil {
			return nil // ctx has ended
		}
		if err := n.live(ctx, id); err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// await returns the node's identity once it has one.
func (n *Node) await(ctx context.Context) (identity, error) {
	for said := false; ; {
		n.mu.Lock()
		id, past := n.identity, n.past
		n.mu.Unlock()
		if id.active() {
			return id, nil
		}
		if !said {
			said = true
			if past.Standing == standingRemoved {
				n.log.Warn("this node was removed from its cluster", "cluster", past.Cluster, "reason", "run \"quorate join\" to join again")
			}
			n.log.Info("not in a cluster; waiting for bootstrap or join", "addr", n.addr.advertise.String())
		}
		select {
		case <-ctx.Done():
			return id, ctx.Err()
		case <-n.enter:
		}
	}
}

// live runs one membership, from its beginning or after a restart, to its end.
func (n *Node) live(ctx context.Context, id identity) error {
	m, err := newMembership(n, id)
	if err != nil {
		return err
	}
	n.current.Store(m)
	n.ring()
	end, err := m.run(ctx)
	n.current.Store(nil)
	if err != nil || end == "" {
		n.ring()
		return err
	}
	id = m.identity()
	id.Standing, id.Key = end, nil
	if err := saveIdentity(n.o.Store.Identity(), id); err != nil {
		return err
	}
	if err := n.o.Store.Retire(); err != nil {
		return err
	}
	n.log.Info("no longer in a cluster", "cluster", id.Cluster, "reason", string(end))
	n.mu.Lock()
	n.identity, n.past, n.ready = identity{}, id, make(chan struct{})
	n.mu.Unlock()
	n.view.set(fsm.New())
	n.ring()
	return nil
}
