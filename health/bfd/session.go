package bfd

import "time"

// Params are what an operator says of a session.
type Params struct {
	Transmit   time.Duration // between two packets sent, at least, while it is up (bfd.DesiredMinTxInterval)
	Receive    time.Duration // between two packets that can be received (bfd.RequiredMinRxInterval)
	Multiplier uint8         // packets that the neighbour may miss (bfd.DetectMult)
	Passive    bool          // nothing is sent before the neighbour is heard
}

// idle is the least interval of transmission while a session is not up (RFC 5880 §6.8.3).
const idle = time.Second

// Session is one end of a session (RFC 5880 §6.8). It has no clock and sends nothing: its owner hands it what is heard, asks it by [Session.Packet] for what is to
// be sent until there is nothing, and comes back at [Session.Next]. Its methods must not be called at the same time.
type Session struct {
	params Params
	random func() float64 // in [0, 1)

	state       State
	diag        Diag
	remoteState State
	remoteDiag  Diag
	mine, yours uint32 // discriminators; yours is 0 as long as it is not known

	desiredMinTx, requiredMinRx time.Duration // that are announced
	// What still counts while the neighbour has not confirmed the announced ones by a Final (§6.8.3); 0 = the announced ones.
	oldTx, oldRx time.Duration
	polling      bool
	final        bool // a Poll has come and is to be answered

	remoteMinRx, remoteMinTx time.Duration
	remoteMultiplier         uint8
	remoteDemand             bool

	heard time.Time // the last packet; zero = none since yours is 0
	sent  time.Time // the last packet but answers to a Poll; zero = none
	share float64   // of the interval until the next one
	last  Packet    // the last sent, without Poll and Final
}

// NewSession returns a session that is down. The discriminator must not be 0 nor that of another session here; random, which is for jitter, gives numbers in [0, 1).
func NewSession(p Params, discriminator uint32, random func() float64) *Session {
	s := &Session{params: p, random: random, state: Down, remoteState: Down, mine: discriminator, desiredMinTx: max(p.Transmit, idle), requiredMinRx: p.Receive, remoteMinRx: time.Microsecond}
	s.share = s.jitter()
	return s
}

// State of the session, and why it is not up.
func (s *Session) State() (State, Diag) { return s.state, s.diag }

// Remote is what the neighbour last said of its end.
func (s *Session) Remote() (State, Diag) { return s.remoteState, s.remoteDiag }

// Configure changes the parameters; the session stays as it is, and the neighbour is told by a Poll Sequence (§6.8.3).
func (s *Session) Configure(p Params) {
	s.params = p
	s.announce()
}

// announce sets the intervals that the state and the parameters ask for.
func (s *Session) announce() {
	tx, rx := s.params.Transmit, s.params.Receive
	if s.state != Up {
		tx = max(tx, idle)
	}
	if tx == s.desiredMinTx && rx == s.requiredMinRx {
		return
	}
	if s.state == Up { // a longer interval of ours, or a shorter one of the neighbour's, counts from its Final on
		if s.oldTx == 0 && tx > s.desiredMinTx {
			s.oldTx = s.desiredMinTx
		}
		if s.oldRx == 0 && rx < s.requiredMinRx {
			s.oldRx = s.requiredMinRx
		}
	}
	s.desiredMinTx, s.requiredMinRx = tx, rx
	s.polling = s.yours != 0 // else there is nobody who could answer
}

// Disable has the session be AdminDown for good: what it sends tells the neighbour, and what it hears changes nothing (§6.8.16).
func (s *Session) Disable() { s.become(AdminDown, DiagAdmin) }

func (s *Session) become(to State, why Diag) {
	if s.state == to {
		return
	}
	s.state, s.diag = to, why
	if to != Up {
		s.oldTx, s.oldRx = 0, 0
	}
	s.announce()
}

// Receive takes a packet that Parse has let through and that is for this session; the rules are those of §6.8.6, in its order.
func (s *Session) Receive(p Packet, now time.Time) {
	s.yours, s.remoteState, s.remoteDiag, s.remoteDemand = p.Mine, p.State, p.Diag, p.Demand
	s.remoteMinRx, s.remoteMinTx, s.remoteMultiplier = p.RequiredMinRx, p.DesiredMinTx, p.Multiplier
	if p.Final {
		s.polling, s.oldTx, s.oldRx = false, 0, 0
	}
	s.heard = now
	if s.state == AdminDown {
		return
	}
	switch s.state {
	case Down:
		switch p.State {
		case Down:
			s.become(Init, s.diag)
		case Init:
			s.become(Up, NoDiag)
		case AdminDown, Up:
		}
	case Init:
		switch p.State {
		case AdminDown:
			s.become(Down, NeighborDown)
		case Init, Up:
			s.become(Up, NoDiag)
		case Down:
		}
	case Up:
		if p.State == AdminDown || p.State == Down {
			s.become(Down, NeighborDown)
		}
	case AdminDown:
	}
	s.final = s.final || p.Poll
}

// DetectionTime is how long the neighbour may be silent (§6.8.4); 0 as long as it has not been heard.
func (s *Session) DetectionTime() time.Duration {
	rx := s.requiredMinRx
	if s.oldRx != 0 {
		rx = s.oldRx
	}
	return time.Duration(s.remoteMultiplier) * max(rx, s.remoteMinTx)
}

// Expire takes in that time has passed, and has the session go down when the neighbour was silent for too long.
func (s *Session) Expire(now time.Time) {
	if end := s.End(); end.IsZero() || now.Before(end) {
		return
	}
	s.yours, s.heard, s.polling, s.final, s.remoteDemand = 0, time.Time{}, false, false, false
	if s.remoteMinRx == 0 {
		s.remoteMinRx = time.Microsecond // who is silent may be another by now, and wants to hear us
	}
	if s.state == Init || s.state == Up {
		s.become(Down, TimeExpired)
		s.polling = false
	}
}

// Packet is what is to be sent now; false when there is nothing.
func (s *Session) Packet(now time.Time) (Packet, bool) {
	p := s.content()
	if s.final {
		s.final = false
		answer := p
		answer.Final = true
		return answer, true
	}
	if !s.speaks() || now.Before(s.due(p)) {
		return Packet{}, false
	}
	s.sent, s.share, s.last = now, s.jitter(), p
	p.Poll = s.polling
	return p, true
}

func (s *Session) content() Packet {
	return Packet{Diag: s.diag, State: s.state, Multiplier: s.params.Multiplier, Mine: s.mine, Yours: s.yours, DesiredMinTx: s.desiredMinTx, RequiredMinRx: s.requiredMinRx}
}

// speaks reports whether packets are sent without being asked for (§6.8.7).
func (s *Session) speaks() bool {
	switch {
	case s.params.Passive && s.yours == 0 && s.state != AdminDown:
		return false
	case s.remoteMinRx == 0:
		return false
	case s.remoteDemand && s.state == Up && s.remoteState == Up:
		return s.polling
	default:
		return true
	}
}

// due is when the packet is to be sent: at once when it says something new (§6.8.7), else when the interval is over.
func (s *Session) due(p Packet) time.Time {
	if s.sent.IsZero() || p != s.last {
		return time.Time{}
	}
	return s.sent.Add(time.Duration(s.share * float64(s.Interval())))
}

// Interval is that of transmission, without jitter (§6.8.2).
func (s *Session) Interval() time.Duration {
	tx := s.desiredMinTx
	if s.oldTx != 0 {
		tx = s.oldTx
	}
	return max(tx, s.remoteMinRx)
}

// jitter is the share of the interval until the next packet: 75 to 100 %, or to 90 % where each packet counts (§6.8.7).
func (s *Session) jitter() float64 {
	span := 0.25
	if s.params.Multiplier == 1 {
		span = 0.15
	}
	return 0.75 + span*s.random()
}

// End is when the session goes down unless the neighbour is heard; zero = it has not been heard.
func (s *Session) End() time.Time {
	if s.heard.IsZero() {
		return time.Time{}
	}
	return s.heard.Add(s.DetectionTime())
}

// Next is when Expire and Packet are to be called again; zero = not before something is heard.
func (s *Session) Next() time.Time {
	next := s.End()
	if s.speaks() {
		if due := s.due(s.content()); next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next
}
