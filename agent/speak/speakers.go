package speak

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/vip"
	"quorate/vip/vrrp"
)

// Options are what [Speakers] need. No function of theirs may block, nor call back.
type Options struct {
	// Links lists the host's links.
	Links func() ([]vip.Link, error)
	// Open opens the sockets of a line; nil is vrrp.Open.
	Open func(vrrp.ConnOptions) (Wire, error)
	// Live reports whether what was opened under an epoch may still be claimed, by the clock of this moment.
	Live func(epoch uint64) bool
	// Announce asks to announce a router's addresses again: somebody else has claimed them.
	Announce func(ID)
	// Tell is told what people should know; it limits how often itself.
	Tell func(Event)
	Log  *slog.Logger

	news chan struct{}
}

func (o *Options) rang() {
	select {
	case o.news <- struct{}{}:
	default:
	}
}

func (o *Options) announce(id ID) {
	if o.Announce != nil {
		o.Announce(id)
	}
}

func (o *Options) tell(e Event) {
	if o.Tell != nil {
		o.Tell(e)
	}
}

// EventKind is what an [Event] is about.
type EventKind uint8

const (
	// Alarmed: a router whose word does not count, or is not to be followed, claims to be active.
	Alarmed EventKind = iota
	// Differs: a router's adverts are not as ours.
	Differs
)

// Event is something that people should know.
type Event struct {
	ID         ID
	Router     string
	Kind       EventKind
	Cause      vrrp.Cause      // Alarmed
	Difference vrrp.Difference // Differs
	Role       vrrp.Role       // Differs
	Source     netip.Addr
	Priority   vrrp.Priority
	Text       string // Differs: what it leads to, and the cure
}

// Speakers run the virtual routers of this node. They are safe for concurrent use, and nobody waits for a socket but Run.
type Speakers struct {
	options Options
	bell    chan struct{}

	mu     sync.Mutex
	stated map[ID]bool    // by Want
	last   []Router       // of Want
	want   map[ID]*Router // those, and others that still speak
	voices map[ID]*voice
	lines  map[lineID]*line
}

// New makes Speakers without routers. Nothing happens until Run.
func New(o Options) *Speakers {
	if o.Open == nil {
		o.Open = func(c vrrp.ConnOptions) (Wire, error) { return vrrp.Open(c) }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.news = make(chan struct{}, 1)
	return &Speakers{options: o, bell: make(chan struct{}, 1), want: map[ID]*Router{}, voices: map[ID]*voice{}, lines: map[lineID]*line{}}
}

// News has a token when a [View] is another than before.
func (s *Speakers) News() <-chan struct{} { return s.options.news }

// Look has the links looked at again: one has come, gone or changed.
func (s *Speakers) Look() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Want states which virtual routers there are; of two with the same ID the first counts. One that is not among them any more stays for as long as it speaks.
// The slice is not changed afterwards: when it comes again nothing is compared anew.
func (s *Speakers) Want(routers []Router) {
	s.mu.Lock()
	same := s.again(routers) || s.take(routers)
	gone := s.prune()
	s.mu.Unlock()
	if !same || gone {
		s.Look()
	}
}

// again reports whether these are the very routers that were stated last.
func (s *Speakers) again(routers []Router) bool {
	return len(routers) == len(s.last) && (len(routers) == 0 || &routers[0] == &s.last[0])
}

// take takes what is stated, with mu held, and reports whether it says what was said before.
func (s *Speakers) take(routers []Router) (same bool) {
	s.last = routers
	next := make(map[ID]*Router, len(routers))
	for i := range routers {
		r := &routers[i]
		if next[r.ID] != nil {
			continue
		}
		if was := s.want[r.ID]; was != nil && was.equal(r) {
			r = was
		}
		next[r.ID] = r
	}
	s.stated = make(map[ID]bool, len(next))
	for id := range next {
		s.stated[id] = true
	}
	for id, r := range s.want {
		if next[id] == nil {
			next[id] = r
		}
	}
	same = maps.Equal(s.want, next)
	s.want = next
	for id := range next {
		if s.voices[id] == nil {
			s.voices[id] = &voice{id: id}
		}
	}
	return same
}

// prune forgets routers that nobody states and that say nothing any more, with mu held.
func (s *Speakers) prune() (gone bool) {
	for id := range s.want {
		v := s.voices[id]
		if s.stated[id] || v.busy() && s.lines[id.line()].open() {
			continue
		}
		delete(s.want, id)
		delete(s.voices, id)
		gone = true
	}
	return gone
}

// Speak lets a router advertise for as long as epoch is live.
func (s *Speakers) Speak(id ID, epoch uint64) { s.say(id, speaking, epoch) }

// Silence ends the adverts of a router, without a word: a fellow node gets the addresses, or the others are to find out by themselves.
func (s *Speakers) Silence(id ID) { s.say(id, silent, 0) }

// LastWord ends the adverts of a router with one that says so: its addresses are gone from this host, and no other node gets them.
func (s *Speakers) LastWord(id ID) { s.say(id, lastWord, 0) }

// Elect lets a router take part in an election of the Active one, with a priority and for as long as epoch is live: there is no quorum that says who speaks.
// Speak, Silence and LastWord end it.
func (s *Speakers) Elect(id ID, epoch uint64, priority vrrp.Priority) {
	s.mu.Lock()
	v, l := s.voices[id], s.lines[id.line()]
	s.mu.Unlock()
	if v == nil {
		return
	}
	if v.priority.Swap(uint32(priority)) != uint32(priority) && l != nil {
		defer l.ring()
	}
	s.say(id, electing, epoch)
}

// Abstain has a router that takes part in an election be silent, and wait from the beginning.
func (s *Speakers) Abstain(id ID) {
	s.mu.Lock()
	v, l := s.voices[id], s.lines[id.line()]
	s.mu.Unlock()
	if v == nil || order(v.order.Load()) != electing {
		return
	}
	v.abstains.Store(true)
	v.carries.Store(false)
	if l != nil {
		l.ring()
	}
}

// Carries says whether a router's addresses are here, with its virtual MAC, from which its adverts leave then: before that they leave from the link's own, so that no
// switch looks here for what another host still serves. Silence and Abstain end it, and so does a last word once it was said.
func (s *Speakers) Carries(id ID, here bool) {
	s.mu.Lock()
	v := s.voices[id]
	s.mu.Unlock()
	if v == nil {
		return
	}
	if o := order(v.order.Load()); o == speaking || o == electing {
		v.carries.Store(here)
	}
}

func (s *Speakers) say(id ID, o order, epoch uint64) {
	s.mu.Lock()
	v, l := s.voices[id], s.lines[id.line()]
	s.mu.Unlock()
	if v == nil {
		return
	}
	if o != electing {
		v.abstains.Store(false)
	}
	if o == silent {
		v.carries.Store(false)
	}
	was := v.epoch.Swap(epoch)
	if order(v.order.Swap(uint32(o))) != o || was != epoch {
		if l != nil {
			l.ring()
		}
	}
}

// Mute keeps a router's adverts back until more is said of it: its addresses are about to go.
func (s *Speakers) Mute(id ID) { s.say(id, speaking, 0) }

// Flush waits until every last word has been said that can be, or ctx ends.
func (s *Speakers) Flush(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for s.unsaid() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// unsaid reports whether a last word waits for its line.
func (s *Speakers) unsaid() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, v := range s.voices {
		if (order(v.order.Load()) == lastWord || v.active.Load() && order(v.order.Load()) == silent) && s.lines[id.line()].open() {
			return true
		}
	}
	return false
}

// View is what is heard of a router; the zero value where nothing is, as there is no socket.
func (s *Speakers) View(id ID) View {
	s.mu.Lock()
	v := s.voices[id]
	s.mu.Unlock()
	if v == nil {
		return View{}
	}
	var out View
	if p := v.view.Load(); p != nil {
		out = *p
	}
	out.Yielded = v.hasYielded()
	out.Speaks = v.active.Load() && !v.abstains.Load()
	return out
}

// sweep is how often the links are looked at though nobody said that they changed.
const sweep = 5 * time.Second

// Run keeps a line for each link and family with routers, until ctx ends. It says nothing at its end: what there is to say was said before.
func (s *Speakers) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stops := map[lineID]context.CancelFunc{}
	ended := map[lineID]chan struct{}{}
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	for {
		links, err := s.links()
		if err != nil {
			s.options.Log.Warn("interfaces cannot be listed", "reason", err)
		}
		want, voices := s.byLine()
		for id, stop := range stops {
			if want[id] == nil {
				stop()
			}
		}
		for id := range stops {
			if want[id] == nil {
				<-ended[id]
				delete(stops, id)
				delete(ended, id)
				s.mu.Lock()
				delete(s.lines, id)
				s.mu.Unlock()
			}
		}
		for _, id := range slices.SortedFunc(maps.Keys(want), compareLines) {
			s.mu.Lock()
			l := s.lines[id]
			if l == nil {
				l = &line{id: id, options: &s.options, log: s.options.Log.With("link", id.link, "family", id.family.String()), bell: make(chan struct{}, 1), problem: errors.New(opening)}
				s.lines[id] = l
			}
			s.mu.Unlock()
			l.mu.Lock()
			l.want, l.voices = want[id], voices[id]
			if err == nil {
				l.place = placeOf(id, links)
			}
			l.mu.Unlock()
			if stops[id] == nil {
				on, stop := context.WithCancel(ctx)
				done := make(chan struct{})
				stops[id], ended[id] = stop, done
				wg.Go(func() { defer close(done); l.run(on) })
			}
			l.ring()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.bell:
		case <-tick.C:
		}
	}
}

// links lists the links, if there is anything to do on them.
func (s *Speakers) links() ([]vip.Link, error) {
	s.mu.Lock()
	none := len(s.want) == 0
	s.mu.Unlock()
	if none {
		return nil, nil
	}
	return s.options.Links()
}

func (s *Speakers) byLine() (map[lineID]map[vrrp.VRID]*Router, map[lineID]map[vrrp.VRID]*voice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prune()
	want, voices := map[lineID]map[vrrp.VRID]*Router{}, map[lineID]map[vrrp.VRID]*voice{}
	for id, r := range s.want {
		at := id.line()
		if want[at] == nil {
			want[at], voices[at] = map[vrrp.VRID]*Router{}, map[vrrp.VRID]*voice{}
		}
		want[at][id.VRID], voices[at][id.VRID] = r, s.voices[id]
	}
	return want, voices
}

func compareLines(a, b lineID) int {
	if a.link != b.link {
		if a.link < b.link {
			return -1
		}
		return 1
	}
	return int(a.family) - int(b.family)
}
