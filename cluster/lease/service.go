package lease

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/fsm"
)

// Options of a Service. All but LastIndex, OnLease, OnRound and Log are required.
type Options struct {
	Self fsm.Grantor
	Boot BootID // 0 = drawn at random, which is what every process should do
	// Clock is read before each Step. The data directory must be locked before the Service is made: that is when its start
	// time is read.
	Clock Clock
	// Conn carries the datagrams. Run takes it over: a UDP socket gets a thread of its own.
	Conn net.PacketConn
	// Resolve says where a node's lease socket is. It is called for each datagram and must not block.
	Resolve func(fsm.NodeID) (netip.AddrPort, bool)
	Key     []byte // the cluster key, 32 bytes
	Store   DurableStore
	// LastIndex is the last index in this node's Raft log now, before Raft has been started. Peers that have heard of a later
	// one shut this node out: its data directory went back.
	LastIndex uint64
	// OnLease is called at each renewal and loss, one call at a time and in order. The next Renew waits for it, so it must not
	// block. It is where a kernel gate's deadline is written.
	// What it returns is logged by another goroutine.
	OnLease func(LeaseChanged) error
	// OnRound is called for each round of Renews with how much later than planned it was sent. It must not block.
	OnRound func(late time.Duration)
	Log     *slog.Logger
}

// Service is the thin shell around a [Machine]: a socket, a deadline, and one Step at a time, by one goroutine, which has a thread of
// its own where the socket is one of the kernel. Promises and the log are written by other goroutines, so that neither a slow disk nor
// a log that hangs ever delays a Renew.
//
// Its methods are safe for concurrent use and never block. Those that feed it may be called before Run.
type Service struct {
	opt    Options
	lines  *later // what opt.Log writes
	sealer *Sealer
	inbox  inbox
	saves  chan Persist
	saved  chan uint64
	events chan LeaderEvent

	// Of the goroutine that steps.
	parser        parser
	plain, sealed []byte

	mu       sync.Mutex // held for moments; guards what follows
	link     link       // nil unless Run works
	machine  *Machine
	leases   [maxLeases]LeaseChanged // copies that Live reads without waiting for a Step
	changed  chan struct{}
	priority Priority
	late     time.Duration // the most by which a round was late
}

// eventBuffer holds the leader's events until they are taken. When it is full they are dropped and said again later.
const eventBuffer = 256

// NewService loads the store's promises and reads the start time. It starts nothing.
func NewService(o Options) (*Service, error) {
	switch {
	case o.Self.Node == "" || o.Self.Store == "":
		return nil, errors.New("lease service: needs the node's name and store id")
	case o.Clock == nil || o.Conn == nil || o.Resolve == nil || o.Store == nil:
		return nil, errors.New("lease service: needs Clock, Conn, Resolve and Store")
	}
	if o.Boot == 0 {
		var b [8]byte
		rand.Read(b[:])
		o.Boot = BootID(binary.BigEndian.Uint64(b[:]) | 1)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	lines := newLater(o.Log.Handler())
	o.Log = slog.New(lines)
	sealer, err := NewSealer(o.Key)
	if err != nil {
		return nil, fmt.Errorf("lease service: %w", err)
	}
	d, err := o.Store.Load()
	if err != nil {
		return nil, fmt.Errorf("lease service: %w", err)
	}
	s := &Service{
		opt:     o,
		lines:   lines,
		sealer:  sealer,
		inbox:   newInbox(),
		saves:   make(chan Persist, 1),
		saved:   make(chan uint64, 1),
		events:  make(chan LeaderEvent, eventBuffer),
		machine: NewMachine(o.Self, o.Boot, d, o.Clock.Now()),
		parser:  newParser(),
		changed: make(chan struct{}),
	}
	s.machine.outputs.reuse = true
	return s, nil
}

// Run works until ctx ends, then returns nil; the lease runs out by itself. It returns an error when the socket fails. It
// may be called once.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		s.ring()
		return ctx.Err()
	})
	g.Go(func() error { return s.save(ctx) })
	g.Go(func() error { return s.loop(ctx) })
	logged, last := make(chan struct{}), make(chan struct{})
	go func() { // until the others have said their last
		s.lines.run(last)
		close(logged)
	}()
	err := g.Wait()
	close(last)
	<-logged
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Applied hands over the state that was applied last.
func (s *Service) Applied(st *fsm.State) { s.put(func() { s.inbox.state = st }) }

// BarrierPassed says that this process has applied past a read index that a quorum confirmed after its start.
func (s *Service) BarrierPassed() { s.put(func() { s.inbox.barrier = true }) }

// Alive says that a part ticks. Each part calls it at least every T/2, also when it has nothing to do. It is heard at the
// next round, but counts from now.
func (s *Service) Alive(p Part) {
	if p >= parts {
		return
	}
	now := s.opt.Clock.Now() // here, not when the loop gets to it
	s.inbox.leave(func() { s.inbox.alive[p] = now })
}

// UntilTick is how long it is from now to the next instant at which the parts of this node say that they are alive, for leases of length ttl.
// It is the same one for all parts, so that a node that rests wakes up once for them; two are 2/5 of ttl apart.
func UntilTick(now Instant, ttl time.Duration) time.Duration {
	every := ttl * 2 / 5
	return every - now.Raw%every
}

// Lead says that this node leads term; lastIndex is the last entry of its log when it was elected.
func (s *Service) Lead(term, lastIndex uint64) {
	s.put(func() { s.inbox.role = Lead{Term: term, LastIndex: lastIndex} })
}

// Follow says that this node does not lead; leader is "" while none is known.
func (s *Service) Follow(leader fsm.NodeID) {
	s.put(func() { s.inbox.role = Follow{Leader: leader} })
}

// Ending says whether this process has been asked to end. The leader gives what the node owns to others that are able, and gives
// it nothing.
func (s *Service) Ending(is bool) {
	e := Ending(is)
	s.put(func() { s.inbox.ending = &e })
}

// Confirm says that the kernel was seen to claim the addresses no more, for the Releases of these indexes. It is repeated to the
// leader until the applied state no longer has them.
func (s *Service) Confirm(releases ...Released) {
	if len(releases) == 0 {
		return
	}
	s.put(func() {
		for _, r := range releases {
			s.inbox.confirms[r.Key] = r.Index
		}
	})
}

// Live reports whether the lease under e is held now.
func (s *Service) Live(e fsm.Epoch) bool { return !s.Until(e).zero() }

// Superseded reports whether a grantor has named an agreed epoch of this node that it has not applied yet: what it has applied is
// overtaken, and others decide what it owned.
func (s *Service) Superseded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.holder.closed > s.machine.view.epoch
}

// Until is until when the lease under e is held; zero when it is not held now.
func (s *Service) Until(e fsm.Epoch) Instant {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.leases {
		if l := &s.leases[i]; e != 0 && l.Epoch == e {
			if s.opt.Clock.Now().before(l.Until) {
				return l.Until
			}
		}
	}
	return Instant{}
}

// Changed returns a channel that is closed when a lease is next gained or lost; not at renewals. Get it before asking Live.
func (s *Service) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Events are the leader's events and those for operators. They are for one reader.
func (s *Service) Events() <-chan LeaderEvent { return s.events }

// Hints is what the planner should know, empty where this node does not lead.
func (s *Service) Hints() fsm.Hints {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Hints(s.opt.Clock.Now())
}

// Status is what the lease of this node looks like.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.machine.Status(s.opt.Clock.Now())
	st.Priority, st.Late = s.priority, s.late
	return st
}
