package lease

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/fsm"
)

// Options of a Service. All but LastIndex, OnLease and Log are required.
type Options struct {
	Self fsm.Grantor
	Boot BootID // 0 = drawn at random, which is what every process should do
	// Clock is read before each Step. The data directory must be locked before the Service is made: that is when its start
	// time is read.
	Clock Clock
	// Conn carries the datagrams. Run closes it.
	Conn net.PacketConn
	// Resolve says where a node's lease socket is. It is called for each datagram and must not block.
	Resolve func(fsm.NodeID) (net.Addr, bool)
	Key     []byte // the cluster key, 32 bytes
	Store   DurableStore
	// LastIndex is the last index in this node's Raft log now, before Raft has been started. Peers that have heard of a later
	// one shut this node out: its data directory went back.
	LastIndex uint64
	// OnLease is called at each renewal and loss, one call at a time and in order. The next Renew waits for it, so it must not
	// block. It is where a kernel gate's deadline is written.
	OnLease func(LeaseChanged)
	Log     *slog.Logger
}

// Service is the thin shell around a [Machine]: a socket, a timer, and one Step at a time. Datagrams are stepped by the
// goroutine that reads them, everything else by the one that waits for the timer: an idle node wakes once for each datagram and
// once for each round. Promises are written by another goroutine, so that a slow disk never delays a Renew.
//
// Its methods are safe for concurrent use and never block. Those that feed it may be called before Run.
type Service struct {
	opt    Options
	sealer *Sealer
	inbox  inbox
	saves  chan Persist
	saved  chan uint64
	events chan LeaderEvent

	stepping      sync.Mutex    // held during a Step and what it asks for
	plain, sealed []byte        // guarded by stepping
	armed         time.Duration // RAW for which loop's timer is set; guarded by stepping
	rearm         chan struct{} // the Machine wants to be looked at earlier than that

	mu      sync.Mutex // held for moments; guards what follows
	machine *Machine
	leases  [maxLeases]LeaseChanged // copies that Live reads without waiting for a Step
	changed chan struct{}
}

const (
	// eventBuffer holds the leader's events until they are taken. When it is full they are dropped and said again later.
	eventBuffer = 256
	// sendWithin bounds what one Step's datagrams may take; those that do not get out are lost, as any datagram may be.
	sendWithin = 5 * time.Millisecond
)

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
		sealer:  sealer,
		inbox:   newInbox(),
		saves:   make(chan Persist, 1),
		saved:   make(chan uint64, 1),
		events:  make(chan LeaderEvent, eventBuffer),
		rearm:   make(chan struct{}, 1),
		machine: NewMachine(o.Self, o.Boot, d, o.Clock.Now()),
		changed: make(chan struct{}),
	}
	return s, nil
}

// Run works until ctx ends, then returns nil; the lease runs out by itself. It returns an error when the socket fails. It
// may be called once.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		<-ctx.Done()
		s.opt.Conn.Close() // wakes receive
		return ctx.Err()
	})
	g.Go(func() error { return s.receive(ctx) })
	g.Go(func() error { return s.save(ctx) })
	g.Go(func() error { return s.loop(ctx) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Applied hands over the state that was applied last.
func (s *Service) Applied(st *fsm.State) { s.inbox.put(func() { s.inbox.state = st }) }

// BarrierPassed says that this process has applied past a read index that a quorum confirmed after its start.
func (s *Service) BarrierPassed() { s.inbox.put(func() { s.inbox.barrier = true }) }

// Alive says that a part ticks. Each part calls it at least every T/2, also when it has nothing to do. It is heard at the
// next round, but counts from now.
func (s *Service) Alive(p Part) {
	if p >= parts {
		return
	}
	now := s.opt.Clock.Now() // here, not when the loop gets to it
	s.inbox.leave(func() { s.inbox.alive[p] = now })
}

// Lead says that this node leads term; lastIndex is the last entry of its log when it was elected.
func (s *Service) Lead(term, lastIndex uint64) {
	s.inbox.put(func() { s.inbox.role = Lead{Term: term, LastIndex: lastIndex} })
}

// Follow says that this node does not lead; leader is "" while none is known.
func (s *Service) Follow(leader fsm.NodeID) {
	s.inbox.put(func() { s.inbox.role = Follow{Leader: leader} })
}

// Confirm says that the kernel was seen without the address, for the Release of this index. It is repeated to the leader
// until the applied state no longer has that Release.
func (s *Service) Confirm(k fsm.AddressKey, releaseIndex uint64) {
	s.inbox.put(func() { s.inbox.confirms[k] = releaseIndex })
}

// Live reports whether the lease under e is held now.
func (s *Service) Live(e fsm.Epoch) bool { return !s.Until(e).zero() }

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
	return s.machine.Status(s.opt.Clock.Now())
}

// loop steps the Machine for all but datagrams.
func (s *Service) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	s.step(Log{LastIndex: s.opt.LastIndex})
	for {
		var last Input = Tick{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case seq := <-s.saved:
			last = Persisted{Seq: seq}
		case <-s.inbox.wake:
		case <-s.rearm:
		case <-timer.C:
		}
		// What the parts have said comes first: a Renew may depend on it.
		for _, in := range s.inbox.take() {
			s.step(in)
		}
		s.step(last)
		timer.Reset(s.arm())
	}
}

// arm is how long the timer has to wait.
func (s *Service) arm() time.Duration {
	s.stepping.Lock()
	defer s.stepping.Unlock()
	s.armed = s.machine.NextTimer()
	return max(0, s.armed-s.opt.Clock.Now().Raw)
}

// step is one Step and what it asks for. The lock that Live takes is not held while a datagram is sent.
func (s *Service) step(in Input) {
	s.stepping.Lock()
	defer s.stepping.Unlock()
	s.mu.Lock()
	outs := s.machine.Step(s.opt.Clock.Now(), in)
	for _, o := range outs {
		if c, ok := o.(LeaseChanged); ok {
			s.lease(c)
		}
	}
	s.mu.Unlock()
	bounded := false
	for _, o := range outs {
		if _, ok := o.(Send); ok && !bounded {
			// A full socket must not hold up the next Renew.
			bounded = s.opt.Conn.SetWriteDeadline(time.Now().Add(sendWithin)) == nil
		}
		s.act(o)
	}
	if s.machine.NextTimer() < s.armed {
		select {
		case s.rearm <- struct{}{}:
		default:
		}
	}
}

// lease keeps the copy that Live reads. An entry whose deadline has passed may be overwritten.
func (s *Service) lease(c LeaseChanged) {
	at, oldest := -1, 0
	for i := range s.leases {
		switch l := &s.leases[i]; {
		case l.Epoch == c.Epoch:
			at = i
		case l.Epoch < s.leases[oldest].Epoch:
			oldest = i
		}
	}
	if at < 0 {
		at = oldest
		s.leases[at] = LeaseChanged{Epoch: c.Epoch}
	}
	turned := s.leases[at].Until.zero() != c.Until.zero()
	s.leases[at] = c
	if turned {
		close(s.changed)
		s.changed = make(chan struct{})
	}
}

func (s *Service) act(o Output) {
	switch o := o.(type) {
	case Send:
		s.send(o)
	case Persist:
		s.saves <- o // has room: there is never more than one under way
	case LeaseChanged:
		if s.opt.OnLease != nil {
			s.opt.OnLease(o)
		}
	case LeaderEvent:
		s.log(o)
		select {
		case s.events <- o:
		default:
		}
	}
}

func (s *Service) send(o Send) {
	addr, ok := s.opt.Resolve(o.To)
	if !ok {
		return
	}
	var err error
	s.sealed, s.plain, err = s.sealer.SealMessage(s.sealed[:0], s.plain, s.opt.Self.Node, o.Msg)
	if err == nil {
		_, err = s.opt.Conn.WriteTo(s.sealed, addr)
	}
	if err != nil {
		// The protocol repeats itself; a peer that is down is seen by its silence.
		s.opt.Log.Debug("lease datagram not sent", "peer", o.To, "err", err)
	}
}

// receive reads the socket and steps the Machine with what comes.
func (s *Service) receive(ctx context.Context) error {
	buf := make([]byte, MaxDatagram+1)
	var plain []byte
	for {
		n, from, err := s.opt.Conn.ReadFrom(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("lease socket: %w", err)
			}
			// An ICMP error of an earlier datagram, for instance. Not at full speed, should it last.
			s.opt.Log.Debug("lease socket", "err", err)
			if !wait(ctx, time.Millisecond) {
				return ctx.Err()
			}
			continue
		}
		if plain, err = s.sealer.Open(plain[:0], buf[:n]); err != nil {
			s.opt.Log.Debug("lease datagram dropped", "addr", from, "err", err)
			continue
		}
		node, msg, err := Unmarshal(plain)
		if err != nil {
			s.opt.Log.Debug("lease datagram dropped", "addr", from, "err", err)
			continue
		}
		s.step(Received{From: node, Msg: msg})
	}
}

// save writes what the Machine asks for, and again until it succeeds: what is not on disk is not promised.
func (s *Service) save(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-s.saves:
			for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
				err := s.opt.Store.Save(p.Durable)
				if err == nil {
					break
				}
				s.opt.Log.Error("promise not durable; this node answers no fence until it is", "err", err)
				if !wait(ctx, pause) {
					return ctx.Err()
				}
			}
			s.saved <- p.Seq // has room for the one under way
		}
	}
}

// wait reports false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (s *Service) log(e LeaderEvent) {
	switch e := e.(type) {
	case SuspicionChanged:
		s.opt.Log.Info("lease suspicion", "node", e.Node, "epoch", e.Epoch, "suspected", e.Suspected, "silent", e.Silent)
	case ShutOut:
		s.opt.Log.Error("store shut out: remove the node, then join it again with an empty data directory", "node", e.Grantor.Node, "store", e.Grantor.Store, "reason", e.Why)
	case Unreached:
		s.opt.Log.Warn("this leader does not hear a node that the majority hears", "node", e.Node, "term", e.Term)
	case BetterLeader:
		s.opt.Log.Warn("another node reaches more grantors than this leader", "node", e.To, "reach", e.Reach, "own", e.Own, "term", e.Term)
	case FenceReady:
		s.opt.Log.Debug("fence ready", "node", e.Node, "epoch", e.Epoch, "term", e.Term, "reason", e.Text)
	case RaiseWanted:
		s.opt.Log.Debug("raise wanted", "node", e.Node, "epoch", e.Epoch, "term", e.Term)
	case GrantorChangeAllowed, Confirmed, HintsChanged:
	}
}
