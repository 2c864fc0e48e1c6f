package vrrp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// Wire is where adverts come from and go to: [Conn].
type Wire interface {
	// Receive waits for datagrams, which are valid until the next Receive. What waits already is returned also when the deadline has passed: os.ErrDeadlineExceeded says that
	// nothing does.
	Receive() ([]Datagram, error)
	// Send sends a packet with its IP header.
	Send(packet []byte, to netip.Addr) error
	// SendFrom sends it from a MAC that need not be the link's.
	SendFrom(mac net.HardwareAddr, packet []byte, to netip.Addr) error
	// SetReadDeadline ends a Receive that waits.
	SetReadDeadline(time.Time) error
}

// SpeakerOptions are what a [Speaker] needs.
type SpeakerOptions struct {
	Wire Wire
	// Also are heard, and not spoken on: what [Conn.Rest] hears, and the Conn of adverts in authentication headers.
	Also []Wire
	// Act is told what is to be done, but for Send, which the Speaker does itself. It is called in order, by one goroutine at a time, and the Speaker waits for it:
	// it must not call the Speaker.
	Act func(VRID, Action)
	// Differs is told in what a router differs newly from ours. It is called as Act is. It may be nil.
	Differs func(VRID, Difference, Neighbour)
	// May is asked right before each advert that claims the addresses: false keeps it back, and the timers run on. So what the caller is allowed to claim may end
	// while nobody looks. Priority 0 claims nothing, and is not asked about. It is called as Act is. nil is always.
	May func(VRID) bool
	// From is asked right before each advert from which MAC it leaves; nil, also for the function, is the link's own. It is called as Act is.
	From func(VRID) net.HardwareAddr
	// Turned is told that a listed router has begun to speak, has said its last word, or speaks with another priority. It is called as Act is. It may be nil.
	Turned func(VRID)
	Log    *slog.Logger // Debug for each advert sent, Warn when sending begins to fail
}

// Speaker runs the virtual routers of one link and family. It is safe for concurrent use.
type Speaker struct {
	options SpeakerOptions
	begin   time.Time

	mu      sync.Mutex
	routers map[VRID]*Router
	unknown uint64 // datagrams of no router of ours
	ended   bool
	listens time.Duration // until then what waits is heard before the timers that are due; 0 = none is
}

// maxListens is for how long, at the most, timers that are due wait for what has come before. A process that was frozen finds a full queue, which is read in less.
const maxListens = 50 * time.Millisecond

// NewSpeaker makes a Speaker without routers. Nothing happens until Run.
func NewSpeaker(o SpeakerOptions) *Speaker {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Speaker{options: o, begin: time.Now(), routers: map[VRID]*Router{}}
}

// now is the clock of events.
func (s *Speaker) now() time.Duration { return time.Since(s.begin) }

// Add starts a router, or starts it anew with another configuration: an old one is not told to stop, so that nobody hears of the change. It is a Backup Router
// then; one of a cluster has to be appointed again.
func (s *Speaker) Add(c Config) error {
	r, err := NewRouter(c)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.routers[c.VRID]; old != nil {
		r.inherit(old)
	}
	s.routers[c.VRID] = r
	s.act(r, r.Step(Event{Kind: Startup, At: s.now()}))
	return s.rearm()
}

// Remove stops a router and forgets it.
func (s *Speaker) Remove(v VRID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.routers[v]; r != nil {
		s.act(r, r.Step(Event{Kind: Shutdown, At: s.now()}))
		delete(s.routers, v)
	}
	return s.rearm()
}

// Tell tells a router what has happened here; Priority is of Reprioritised only. What follows from it is done when Tell returns.
func (s *Speaker) Tell(v VRID, k EventKind, p Priority) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.routers[v]
	if r == nil {
		return fmt.Errorf("vrid %d is not among this link's virtual routers: add it first", v)
	}
	s.act(r, r.Step(Event{Kind: k, At: s.now(), Priority: p}))
	return s.rearm()
}

// RouterStatus is one virtual router as it is.
type RouterStatus struct {
	VRID         VRID
	State        State
	Priority     Priority
	ActiveRouter netip.Addr
	Form         Form // of the checksum that is sent
	Neighbours   []Neighbour
	// Activity is that of each neighbour.
	Activity []Activity
	// Heeded says of each whether it speaks with adverts that we accept.
	Heeded []bool
	Counts [Reasons]uint64
	// Sent is how many adverts were sent, to one peer at least, LastWords those of them that had priority 0, and Kept those that were not sent, as they might not.
	Sent, LastWords, Kept uint64
	// Now is the clock of the neighbours' times.
	Now time.Duration
}

// Status of a router; false if there is none.
func (s *Speaker) Status(v VRID) (RouterStatus, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.routers[v]
	if r == nil {
		return RouterStatus{}, false
	}
	m, now := r.Machine(), s.now()
	st := RouterStatus{VRID: v, State: m.State(), Priority: m.Priority(), ActiveRouter: m.ActiveRouter(), Form: r.checker.Form(), Neighbours: r.Neighbours(), Counts: r.Counts(),
		Sent: r.sent, LastWords: r.lastWords, Kept: r.kept, Now: now}
	for i := range st.Neighbours {
		st.Activity = append(st.Activity, st.Neighbours[i].Activity(now))
		st.Heeded = append(st.Heeded, st.Neighbours[i].Heeded(now))
	}
	return st, true
}

// Unknown is how many datagrams were of no router of ours.
func (s *Speaker) Unknown() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unknown
}

// Failing is why the last advert of a router that is Active could not be sent, or not to all of its peers; nil if it was.
func (s *Speaker) Failing(v VRID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.routers[v]; r != nil && r.machine.State() == Active {
		return r.failing
	}
	return nil
}

// Run hears, speaks and keeps the timers until ctx ends. It says nothing at its end: see [EventKind] for what has to be told before.
func (s *Speaker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = true
		_ = s.rearm()
	})()
	g.Go(func() error { return s.hear(ctx, s.options.Wire, true) })
	for _, w := range s.options.Also {
		g.Go(func() error { return s.hear(ctx, w, false) })
	}
	return g.Wait()
}

// hear reads from a wire. The one that is spoken on keeps the timers too, by the deadline of its Receive. What waits is heard before a timer is stepped: who was frozen, or
// gets too little of a processor, must not speak before it knows who has spoken meanwhile.
func (s *Speaker) hear(ctx context.Context, w Wire, timers bool) error {
	for ctx.Err() == nil {
		heard, err := w.Receive()
		more := false
		switch {
		case err == nil:
			s.take(heard)
			more = true
		case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		case errors.Is(err, syscall.ENETDOWN): // said once when the link goes down; it hears again when it is up
			if timers {
				s.options.Log.Warn("vrrp link is down", "reason", err)
			}
		default:
			return err
		}
		if timers {
			if err := s.tick(more); err != nil {
				return err
			}
		}
	}
	return nil
}

// tick steps the routers whose timer has fired. While there may be more to hear they wait, for as long again as they are late: a flood delays nobody who is in time.
func (s *Speaker) tick(more bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	late := time.Duration(-1)
	for _, r := range s.routers {
		if due, runs := r.Machine().Deadline(); runs {
			late = max(late, now-due)
		}
	}
	if late >= 0 && more {
		if s.listens == 0 {
			s.listens = now + min(late, maxListens)
		}
		if now < s.listens {
			return s.rearm()
		}
	}
	s.listens = 0
	for _, r := range s.routers {
		if due, runs := r.Machine().Deadline(); runs && due <= now {
			s.act(r, r.Step(Event{Kind: Tick, At: now}))
		}
	}
	return s.rearm()
}

// take gives each router what is its.
func (s *Speaker) take(heard []Datagram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wall := s.now(), time.Now()
	for _, d := range heard {
		r := s.routers[vridOf(d)]
		if r == nil {
			s.unknown++
			continue
		}
		before := r.listener(d.Source, now)
		h, fresh := r.Hear(d, now, wall)
		if h.Role == Listed && h.Sound && s.options.Turned != nil && before != r.listener(d.Source, now) {
			s.options.Turned(r.config.VRID)
		}
		if fresh != 0 && s.options.Differs != nil {
			if n := r.neighbours.find(h.Advert.VRID, h.Source); n != nil {
				for _, f := range fresh.All() {
					s.options.Differs(r.config.VRID, f, *n)
				}
			}
		}
	}
	for _, r := range s.routers {
		r.Deliver(func(actions []Action) { s.act(r, actions) })
	}
}

// vridOf is whose a datagram is; 0 for nobody's.
func vridOf(d Datagram) VRID {
	b := d.Payload
	if d.AH {
		b = unwrap(b)
	}
	if len(b) < 2 {
		return 0
	}
	return VRID(b[1])
}

func (s *Speaker) act(r *Router, actions []Action) {
	for _, a := range actions {
		if a.Kind != Send {
			if s.options.Act != nil {
				s.options.Act(r.config.VRID, a)
			}
			continue
		}
		if a.Priority != Releasing && s.options.May != nil && !s.options.May(r.config.VRID) {
			r.kept++
			continue
		}
		s.send(r, a.Priority)
	}
}

// send sends an advert, and says when that begins to fail, and when it does no more.
func (s *Speaker) send(r *Router, p Priority) {
	out, send := 0, s.sends(r.config.VRID)
	err := r.Compose(p, time.Now(), func(packet []byte, to netip.Addr) error {
		err := send(packet, to)
		if err == nil {
			out++
		}
		return err
	})
	if out > 0 {
		r.sent++
		if p == Releasing {
			r.lastWords++
		}
	}
	log, v := s.options.Log, r.config.VRID
	log.Debug("vrrp advert sent", "vrid", v, "priority", p, "reason", err)
	failing, unheard := err != nil, err != nil && out == 0
	switch {
	case failing == (r.failing != nil) && unheard == r.unheard:
	case !failing:
		log.Info("vrrp adverts are sent again", "vrid", v)
	case unheard:
		log.Warn("vrrp adverts cannot be sent: other routers will take over", "vrid", v, "reason", err)
	default:
		log.Warn("vrrp adverts do not reach all peers: those may take over", "vrid", v, "reason", err)
	}
	r.failing, r.unheard = err, unheard
}

// sends is how an advert of the router leaves.
func (s *Speaker) sends(v VRID) func(packet []byte, to netip.Addr) error {
	if s.options.From != nil {
		if mac := s.options.From(v); mac != nil {
			return func(packet []byte, to netip.Addr) error { return s.options.Wire.SendFrom(mac, packet, to) }
		}
	}
	return s.options.Wire.Send
}

// rearm sets when the timers are looked at next.
func (s *Speaker) rearm() error {
	var next time.Time
	for _, r := range s.routers {
		if due, runs := r.Machine().Deadline(); runs && (next.IsZero() || s.begin.Add(due).Before(next)) {
			next = s.begin.Add(due)
		}
	}
	if s.ended {
		next = time.Now()
	}
	err := s.options.Wire.SetReadDeadline(next)
	if s.ended {
		for _, w := range s.options.Also {
			err = errors.Join(err, w.SetReadDeadline(next))
		}
	}
	return err
}
