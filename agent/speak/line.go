package speak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/vip/vrrp"
)

// Wire is the sockets of one link and family: [vrrp.Conn].
type Wire interface {
	vrrp.Wire
	// Only hears some virtual routers; what does not come from the hosts, which are those whose word counts, is for Rest. nil is everybody.
	Only(routers []vrrp.VRID, hosts []netip.Addr) error
	// Join hears multicast groups besides the family's own, these and no others.
	Join(groups []netip.Addr) error
	// Rest hears what else there is; nil = nothing.
	Rest() vrrp.Wire
	// Unread is how many adverts were dropped as there came too many.
	Unread() uint64
	Close() error
}

// line runs the virtual routers of one link and family.
type line struct {
	id      lineID
	options *Options
	log     *slog.Logger
	bell    chan struct{} // a token when something has to be looked at

	mu      sync.Mutex
	place   place
	want    map[vrrp.VRID]*Router
	voices  map[vrrp.VRID]*voice
	speaker *vrrp.Speaker // nil while there is no socket
	wires   []Wire        // that it has
	unread  uint64        // by those before
	problem error         // why there is none
	bad     map[vrrp.VRID]error
}

// retry is how long a line waits to open its sockets again.
const retry = time.Second

// yieldsFor is for how many of its intervals a better claim counts of which nothing more is heard because this node hears nothing, or has only begun to: a router
// may be silent for that long that is active all the same.
const yieldsFor = 4

// errMoved ends the sockets of a line whose link is not what it was.
var errMoved = errors.New("the link has changed")

func (l *line) ring() {
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

// open reports whether there are sockets. A nil line has none.
func (l *line) open() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.speaker != nil
}

// dropped is how many adverts were never read. A nil line has none.
func (l *line) dropped() uint64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.unread
	for _, w := range l.wires {
		n += w.Unread()
	}
	return n
}

// run opens sockets and runs a Speaker on them, until ctx ends.
func (l *line) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := l.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		again := l.problem == nil || err == nil || l.problem.Error() != err.Error()
		l.problem = err
		for id, v := range l.voices {
			v.active.Store(false)
			v.view.Store(nil)
			if v.deaf.IsZero() {
				v.deaf = time.Now()
			}
			if r := l.want[id]; r != nil && time.Since(v.deaf) >= yieldsFor*r.Config.Interval {
				v.yielded.Store(v.yields.Load()) // nobody knows any more
			}
		}
		l.mu.Unlock()
		if err != nil && !errors.Is(err, errMoved) && again {
			l.log.Warn("vrrp is neither spoken nor heard here", "reason", err)
		}
		l.options.rang()
		var wait <-chan time.Time
		if !errors.Is(err, errMoved) {
			wait = time.After(retry)
		}
		if wait == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-l.bell:
		case <-wait:
		}
	}
}

// serve runs a Speaker for as long as the link is the same.
func (l *line) serve(ctx context.Context) error {
	l.mu.Lock()
	at := l.place
	l.mu.Unlock()
	if at.index == 0 {
		return errors.New(at.why)
	}
	wire, err := l.options.Open(vrrp.ConnOptions{Link: l.id.link, Family: l.id.family, VRIDs: []vrrp.VRID{}, Apart: true, Log: l.log})
	if err != nil {
		return err
	}
	defer wire.Close()
	var also []vrrp.Wire
	if rest := wire.Rest(); rest != nil {
		also = append(also, rest)
	}
	wrapped, err := l.wrapped()
	if err != nil {
		l.log.Warn("adverts in authentication headers are not heard here", "reason", err)
	}
	wires := []Wire{wire}
	if wrapped != nil {
		defer wrapped.Close()
		also, wires = append(also, wrapped), append(wires, wrapped)
	}
	s := vrrp.NewSpeaker(vrrp.SpeakerOptions{Wire: wire, Also: also, Log: l.log, May: l.may, From: l.from, Act: l.act, Differs: l.differs, Turned: func(vrrp.VRID) { l.ring() }})
	l.mu.Lock()
	l.speaker, l.wires, l.problem = s, wires, nil
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		for _, w := range wires {
			l.unread += w.Unread()
		}
		l.speaker, l.wires = nil, nil
		l.mu.Unlock()
	}()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error { return l.tend(ctx, s, wire, wrapped, at.index) })
	return g.Wait()
}

// wrapped opens what hears adverts in authentication headers, which are not spoken, so that a router is named that nobody would hear else. Nobody has to have it: nil.
func (l *line) wrapped() (Wire, error) {
	if l.id.family != vrrp.IPv4 {
		return nil, nil
	}
	w, err := l.options.Open(vrrp.ConnOptions{Link: l.id.link, Family: l.id.family, VRIDs: []vrrp.VRID{}, AH: true, Log: l.log})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// running is a router as the Speaker has it.
type running struct {
	router *Router
	own    Claim
	hosts  []netip.Addr // whose word counts; nil is everybody's
}

// tend keeps the Speaker's routers as they are wanted, and what is known of them as it is, until ctx ends or the link is another.
func (l *line) tend(ctx context.Context, s *vrrp.Speaker, wire, wrapped Wire, index int) error {
	have := map[vrrp.VRID]running{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time
	for {
		l.mu.Lock()
		at, want, voices := l.place, l.want, l.voices
		l.mu.Unlock()
		if at.index != index {
			return errMoved
		}
		unsure, err := l.match(s, wire, wrapped, at, want, voices, have)
		if err != nil {
			return err
		}
		next := lookPause - time.Since(looked) // what others say may change with each advert
		if next <= 0 {
			looked = time.Now()
			next = l.look(s, voices, have)
		}
		if unsure {
			next = min(next, lookPause)
		}
		timer.Reset(next)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.bell:
		case <-timer.C:
		}
	}
}

// match adds, changes and removes routers, and tells each what is to be said. wrapped is nil where there is none. unsure says that one was not told to begin: see surprised.
func (l *line) match(s *vrrp.Speaker, wire, wrapped Wire, at place, want map[vrrp.VRID]*Router, voices map[vrrp.VRID]*voice, have map[vrrp.VRID]running) (unsure bool, err error) {
	bad := map[vrrp.VRID]error{}
	filter := false
	for _, v := range slices.Sorted(maps.Keys(have)) {
		if want[v] != nil {
			continue
		}
		if err := s.Remove(v); err != nil {
			return false, err
		}
		delete(have, v)
		filter = true
	}
	for _, v := range slices.Sorted(maps.Keys(want)) {
		r := want[v]
		if was, is := have[v]; is && was.own.Source == r.source(at) && (was.router == r || was.router.equal(r)) {
			continue
		}
		c, err := r.config(at)
		if err == nil {
			voices[v].active.Store(false) // it begins anew
			voices[v].elected = 0
			err = s.Add(c)
		}
		if err != nil {
			bad[v] = err
			if _, is := have[v]; is { // it is not to go on from where this node was
				if err := voices[v].drop(s); err != nil {
					return false, err
				}
				delete(have, v)
				filter = true
				l.options.rang() // no look does: it is not among those that are looked at any more
			}
			if voices[v].order.CompareAndSwap(uint32(lastWord), uint32(silent)) { // there is nobody to say it
				voices[v].carries.Store(false)
			}
			continue
		}
		have[v] = running{r, Claim{c.Source, c.Priority}, c.Hosts()}
		filter = true
	}
	if filter {
		vrids := append([]vrrp.VRID{}, slices.Sorted(maps.Keys(have))...)
		if err := listen(wire, vrids, hosts(have), groups(have)); err != nil {
			return false, err
		}
		if wrapped != nil { // of everybody: no word of it counts, and strangers are named too
			if err := listen(wrapped, vrids, nil, groups(have)); err != nil {
				return false, err
			}
		}
	}
	l.mu.Lock()
	l.bad = bad
	l.mu.Unlock()
	for v, r := range have {
		if voices[v].begins() && surprised(s, voices[v], r) {
			unsure = true
			continue
		}
		if err := voices[v].settle(s); err != nil {
			return false, err
		}
	}
	return unsure, nil
}

// surprised reports whether a router has begun to speak that the actuator did not know of when it gave its order, or one that is to be left what it has: the actuator decides anew
// first. It is so after a freeze: the lease is back as soon as what waited in the socket is heard.
func surprised(s *vrrp.Speaker, v *voice, r running) bool {
	st, ok := s.Status(v.id.VRID)
	if !ok {
		return false
	}
	was := v.view.Load()
	is := viewOf(st, r.own, false, was, time.Now())
	return is.Outranks && !r.router.Config.Contest || was != nil && is.Active.Source.IsValid() && !was.Active.Source.IsValid()
}

// listen has a wire hear other virtual routers, and where they are.
func listen(w Wire, vrids []vrrp.VRID, hosts, groups []netip.Addr) error {
	if err := w.Only(vrids, hosts); err != nil {
		return fmt.Errorf("hear other virtual routers: %w", err)
	}
	if err := w.Join(groups); err != nil {
		return fmt.Errorf("hear other groups: %w", err)
	}
	return nil
}

// hosts are those whose word counts for any of the routers; nil is everybody.
func hosts(have map[vrrp.VRID]running) []netip.Addr {
	all := []netip.Addr{}
	for _, r := range have {
		if r.hosts == nil {
			return nil
		}
		all = append(all, r.hosts...)
	}
	return all
}

// groups are those of the routers that have another than the usual one.
func groups(have map[vrrp.VRID]running) (all []netip.Addr) {
	for _, r := range have {
		if g := r.router.Config.Group; g.IsValid() {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// lookPause is the least time between two looks.
const lookPause = 10 * time.Millisecond

// lookEvery is how often what is heard is looked at though nothing was said to have changed.
const lookEvery = time.Second

// look renews what the actuator sees of each router, and returns when to look again.
func (l *line) look(s *vrrp.Speaker, voices map[vrrp.VRID]*voice, have map[vrrp.VRID]running) time.Duration {
	wait := lookEvery
	news := false
	for id, r := range have {
		v := voices[id]
		yields := v.yields.Load() // before the status: a yield in between is not lost
		st, ok := s.Status(id)
		if !ok {
			continue
		}
		was := v.view.Load()
		view := viewOf(st, r.own, false, was, time.Now())
		v.deaf = time.Time{}
		if over := !view.Outranks && time.Since(view.Since) >= yieldsFor*r.router.Config.Interval; over || r.router.Config.Contest {
			if v.yielded.Swap(yields) != yields {
				wait = 0 // what it was told before stands again
			}
		}
		view.Yielded = v.hasYielded()
		view.Speaks = v.active.Load()
		if r.router.Elects {
			wait = min(wait, max(r.router.Config.Interval/2, lookPause))
		}
		if view.next > 0 {
			wait = min(wait, max(view.next-st.Now+time.Millisecond, time.Millisecond))
		}
		v.view.Store(view)
		news = news || !view.equal(was)
		if view.Yielded && !view.Outranks { // until it has listened for long enough
			wait = min(wait, max(yieldsFor*r.router.Config.Interval-time.Since(view.Since), time.Millisecond))
		}
	}
	if news {
		l.options.rang()
	}
	return wait
}

// may is asked by the Speaker right before an advert.
func (l *line) may(id vrrp.VRID) bool {
	l.mu.Lock()
	v := l.voices[id]
	l.mu.Unlock()
	return v != nil && v.may(l.options.Live)
}

// from is asked by the Speaker from which MAC an advert leaves.
func (l *line) from(id vrrp.VRID) net.HardwareAddr {
	l.mu.Lock()
	v, r := l.voices[id], l.want[id]
	l.mu.Unlock()
	if v == nil || r == nil || !v.carries.Load() {
		return nil
	}
	return r.MAC
}

// act is called by the Speaker with its lock held, and does not call it.
func (l *line) act(id vrrp.VRID, a vrrp.Action) {
	l.mu.Lock()
	v, r := l.voices[id], l.want[id]
	l.mu.Unlock()
	if v == nil {
		return
	}
	switch a.Kind {
	case vrrp.Enter:
		v.active.Store(a.State == vrrp.Active)
		if a.Cause != vrrp.Started {
			l.log.Info("vrrp "+a.State.String(), "router", name(r), "vrid", id, "reason", a.Cause.String())
		}
	case vrrp.Yield:
		v.yields.Add(1)
		l.options.rang() // at once: the address is given up before anything else
	case vrrp.Announce:
		l.options.announce(v.id)
	case vrrp.Alarm:
		l.options.tell(Event{ID: v.id, Router: name(r), Kind: Alarmed, Cause: a.Cause, Source: a.Source, Priority: a.Priority})
	case vrrp.Send, vrrp.Vacant:
	}
	l.ring()
}

// differs is called by the Speaker as act is.
func (l *line) differs(id vrrp.VRID, d vrrp.Difference, n vrrp.Neighbour) {
	l.mu.Lock()
	r, at := l.want[id], l.place
	l.mu.Unlock()
	if r == nil {
		return
	}
	c, err := r.config(at)
	if err != nil {
		return
	}
	l.options.tell(Event{ID: r.ID, Router: r.Name, Kind: Differs, Difference: d, Role: n.Role, Source: n.Source, Priority: n.Priority, Text: c.Explain(d, n)})
}

func name(r *Router) string {
	if r == nil {
		return ""
	}
	return r.Name
}
