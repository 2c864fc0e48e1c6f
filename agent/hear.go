package agent

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"quorate/vip/probe"
)

// asker asks on a link who else answers for addresses, and hears meanwhile who claims them.
type asker interface {
	// Ask lasts as long as wait, or until ctx ends; then its error is ctx's. heard is called as claims come. An error says that not
	// everybody could be heard.
	Ask(ctx context.Context, link string, addrs []netip.Addr, wait time.Duration, heard func(addr netip.Addr, mac string)) error
}

// ear listens for other claimants of addresses, and asks for them, round after round, on each link by itself.
type ear struct {
	asker asker
	log   *slog.Logger
	news  chan struct{} // a token when something was heard, or a round has ended

	mu    sync.Mutex
	round time.Duration
	want  map[netip.Addr]string // and on which link
	heard map[netip.Addr]heard  // of those that are wanted
	turn  chan struct{}         // closed when want changes
}

// heard is what the rounds for one address have shown.
type heard struct {
	since time.Time // when the first round began in which nobody else was heard; zero: none yet
	last  time.Time // when the last round began that came to its end
	by    string    // the MAC that was heard last; "" = none
	err   error     // of the last round
	anew  bool      // the round that runs has begun too early to count

	deaf time.Time // since when no round has come to its end; zero: the last one did

	first, until time.Time // when others were heard first and last; zero: never
}

const (
	// givesWay is for how long a router goes on answering at the longest that has heard that it is to give way. On a busy machine.
	givesWay = 250 * time.Millisecond
	// stubborn is how long one must be silent that went on for longer: it has not heard it, or its kernel has outlived it, and that may take its time to answer.
	stubborn = 2 * time.Second
)

// patientlyDeaf is how long an owner that speaks waits until it can ask. A router outside the cluster that hears it leaves it the addresses, so it must not be for ever.
const patientlyDeaf = 5 * time.Second

// deafLong reports whether it could not be asked for too long.
func (h heard) deafLong(now time.Time) bool {
	return !h.deaf.IsZero() && now.Sub(h.deaf) > patientlyDeaf
}

// gone reports whether nobody else answers any more, of those who were told to give way: for d, or longer where somebody went on.
func (h heard) gone(d time.Duration) bool {
	if h.until.Sub(h.first) > givesWay {
		d = max(d, stubborn)
	}
	return h.silentFor(d)
}

func newEar(a asker, log *slog.Logger) *ear {
	return &ear{asker: a, log: log, news: make(chan struct{}, 1), turn: make(chan struct{}), want: map[netip.Addr]string{}, heard: map[netip.Addr]heard{}}
}

// listen states for which addresses to listen on which links, in rounds that last so long. What was heard of others is forgotten. The map is
// kept.
func (e *ear) listen(want map[netip.Addr]string, round time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.round = round
	if maps.Equal(want, e.want) {
		return
	}
	maps.DeleteFunc(e.heard, func(a netip.Addr, _ heard) bool { return want[a] == "" || want[a] != e.want[a] })
	e.want = want
	close(e.turn)
	e.turn = make(chan struct{})
}

// of is what was heard of the address.
func (e *ear) of(a netip.Addr) heard {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.heard[a]
}

// silentFor reports whether nobody else has claimed or answered, in rounds the last of which began at least d after the first.
func (h heard) silentFor(d time.Duration) bool {
	return h.err == nil && !h.since.IsZero() && h.last.Sub(h.since) >= d
}

// silentLately is silentFor, and that the rounds go on.
func (h heard) silentLately(d, round time.Duration, now time.Time) bool {
	return h.silentFor(d) && now.Sub(h.last) <= 3*round
}

// forget begins anew what is heard of addresses: silence before this moment counts no more. Who has answered for long until just now is remembered.
func (e *ear) forget(addrs []netip.Addr) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range addrs {
		h := e.heard[a]
		if h.by != "" || h.err != nil {
			continue
		}
		anew := heard{anew: true}
		if time.Since(h.until) < stubborn {
			anew.first, anew.until = h.first, h.until
		}
		e.heard[a] = anew
	}
}

// against is why an address should not be claimed without a quorum; "" = nothing is known.
func (h heard) against() string {
	switch {
	case h.by != "":
		return fmt.Sprintf("%s claims it", h.by)
	case h.err != nil:
		return fmt.Sprintf("nobody else can be heard on its link: %v", h.err)
	}
	return ""
}

// run listens until ctx ends.
func (e *ear) run(ctx context.Context) error {
	for {
		e.mu.Lock()
		turn, links := e.turn, map[string][]netip.Addr{}
		for a, l := range e.want {
			links[l] = append(links[l], a)
		}
		e.mu.Unlock()
		round, stop := context.WithCancel(ctx)
		g, round := errgroup.WithContext(round)
		for l, addrs := range links {
			slices.SortFunc(addrs, netip.Addr.Compare)
			g.Go(func() error { e.rounds(round, l, addrs); return nil })
		}
		select {
		case <-ctx.Done():
		case <-turn:
		}
		stop()
		_ = g.Wait()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// rounds asks on one link until ctx ends.
func (e *ear) rounds(ctx context.Context, link string, addrs []netip.Addr) {
	for ctx.Err() == nil {
		began := time.Now()
		e.mu.Lock()
		wait := e.round
		e.mu.Unlock()
		err := e.asker.Ask(ctx, link, addrs, wait, func(a netip.Addr, mac string) { e.note(a, link, mac) })
		if ctx.Err() != nil {
			return
		}
		e.ended(link, addrs, began, err)
		if err == nil {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
}

// note takes in that another one claims the address.
func (e *ear) note(a netip.Addr, link, mac string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.want[a] != link {
		return
	}
	h, now := e.heard[a], time.Now()
	if h.by != mac {
		e.log.Warn("another host claims the address", "vip", a, "link", link, "mac", mac)
	}
	if h.first.IsZero() {
		h.first = now
	}
	e.heard[a] = heard{by: mac, first: h.first, until: now, deaf: h.deaf}
	signal(e.news)
}

// ended takes in a whole round.
func (e *ear) ended(link string, addrs []netip.Addr, began time.Time, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range addrs {
		h := e.heard[a]
		switch {
		case e.want[a] != link:
			continue
		case !probe.Asked(a, err):
			if h.deaf.IsZero() {
				h.deaf = began
			}
			h = heard{by: h.by, err: err, first: h.first, until: h.until, deaf: h.deaf}
		case h.since.IsZero():
			// What was heard in this very round, or in a round that failed, begins the silence with the next.
			h.since, h.last = time.Now(), began
			if h.by == "" && h.err == nil && !h.anew {
				h.since = began
			}
			h.err, h.anew, h.deaf = nil, false, time.Time{}
		default:
			h.last, h.by, h.deaf = began, "", time.Time{}
		}
		e.heard[a] = h
	}
	signal(e.news)
}
