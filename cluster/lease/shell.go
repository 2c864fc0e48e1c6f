package lease

import (
	"context"
	"errors"
	"net"
	"time"
)

// loop steps the Machine.
func (s *Service) loop(ctx context.Context) error {
	link, err := s.open()
	if err != nil {
		return err
	}
	defer s.shut(link)
	s.step(Log{LastIndex: s.opt.LastIndex})
	var last Input = Tick{}
	for ctx.Err() == nil {
		// What the parts have said comes first: a Renew may depend on it.
		for _, in := range s.inbox.take() {
			s.step(in)
		}
		select {
		case seq := <-s.saved:
			s.step(Persisted{Seq: seq})
		default:
		}
		s.step(last)
		last = Tick{}
		b, err := link.wait(s.pause())
		switch {
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil && ctx.Err() == nil:
			// An ICMP error of an earlier datagram, for instance. Not at full speed, should it last.
			s.opt.Log.Debug("lease socket", "err", err)
			wait(ctx, time.Millisecond)
		case b != nil:
			if in, ok := s.parse(b); ok {
				last = in
			}
		}
	}
	return ctx.Err()
}

// open makes the link, and says once what its thread was not granted.
func (s *Service) open() (link, error) {
	l, p, err := newLink(s.opt.Conn)
	if err != nil {
		return nil, err
	}
	if p.Why != nil {
		s.opt.Log.Warn("the lease has no real-time thread; a machine with too much to do may lose its lease", "class", string(p.Class), "reason", p.Why)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link, s.priority = l, p
	return l, nil
}

func (s *Service) shut(l link) {
	s.mu.Lock()
	s.link = nil
	s.mu.Unlock()
	l.close()
}

// put leaves something in the inbox and wakes loop.
func (s *Service) put(f func()) {
	s.inbox.leave(f)
	s.ring()
}

// ring wakes loop, which begins with what is there already.
func (s *Service) ring() {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l != nil {
		l.ring()
	}
}

// pause is how long the Machine need not be looked at.
func (s *Service) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(0, s.machine.NextTimer()-s.opt.Clock.Now().Raw)
}

// step is one Step and what it asks for. The lock that Live takes is not held while a datagram is sent.
func (s *Service) step(in Input) {
	s.mu.Lock()
	outs := s.machine.Step(s.opt.Clock.Now(), in)
	for _, o := range outs {
		if c, ok := o.(*LeaseChanged); ok {
			s.lease(*c)
		}
	}
	late, round := s.machine.late()
	s.late = max(s.late, late)
	s.mu.Unlock()
	if round && s.opt.OnRound != nil {
		s.opt.OnRound(late)
	}
	for _, o := range outs {
		s.act(o)
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
	case *Send:
		s.send(o)
	case Persist:
		s.saves <- o // has room: there is never more than one under way
	case *LeaseChanged:
		if s.opt.OnLease != nil {
			if err := s.opt.OnLease(*o); err != nil {
				s.opt.Log.Error("who is told of the lease has failed", "epoch", o.Epoch, "err", err)
			}
		}
	case LeaderEvent:
		s.log(o)
		select {
		case s.events <- o:
		default:
		}
	}
}

func (s *Service) send(o *Send) {
	addr, ok := s.opt.Resolve(o.To)
	if !ok {
		return
	}
	var err error
	s.sealed, s.plain, err = s.sealer.SealMessage(s.sealed[:0], s.plain, s.opt.Self.Node, o.Msg)
	if err == nil {
		err = s.link.send(s.sealed, addr)
	}
	if err != nil {
		// The protocol repeats itself; a peer that is down is seen by its silence.
		s.opt.Log.Debug("lease datagram not sent", "peer", o.To, "err", err)
	}
}

// parse opens a datagram.
func (s *Service) parse(b []byte) (Input, bool) {
	var err error
	if s.plain, err = s.sealer.Open(s.plain[:0], b); err == nil {
		var in Input
		if in, err = s.parser.received(s.plain); err == nil {
			return in, true
		}
	}
	s.opt.Log.Debug("lease datagram dropped", "err", err)
	return nil, false
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
			s.ring()
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
	case LeaderSilent:
		s.opt.Log.Warn("a majority does not hear the leader", "node", e.Leader, "turn", e.Turn)
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
