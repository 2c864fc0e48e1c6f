package lease

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

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
