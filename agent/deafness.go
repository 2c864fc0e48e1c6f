package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"quorate/agent/speak"
	"quorate/fsm"
)

// deafness knows for which virtual routers this node neither hears nor speaks, as its facts say it: then their VIPs go to a director that does, while this one keeps
// them closed, see speech. It says so once that has lasted for as long as an owner goes on without sockets, where it speaks for the router, and else soon, as it would open nothing that it
// gets; and until it has heard for a while: sockets are opened again each second, and VIPs do not follow each of them. The same for an owner that is silent since it cannot ask.
type deafness struct {
	heard   func() []speak.Heard
	refresh func() // the facts may have changed
	ask     asker  // whether it can be asked who answers

	mu      sync.Mutex
	said    []fsm.DeafRouter
	unasked map[string]unasked // by the actuator's last pass
	asked   map[string]bool    // by the same
	// What is known of each router by name. The goroutine's alone.
	ears     map[string]earshot
	silences map[string]silence
	tried    time.Time
}

// earshot is how well a router is heard.
type earshot struct {
	deaf  time.Time // since when it is not; zero: it is
	hears time.Time // since when it is, though it is said that it is not
	said  string    // why it is not
	gone  time.Time // since when there is no such router here, as while its link has no carrier; zero: there is
}

const (
	// listensFor is how long a router has to be heard that was not.
	listensFor = 3 * time.Second
	// deafLeast is for how long sockets may be missing in any case, as while they are opened.
	deafLeast = 500 * time.Millisecond
	// deafGone is for how long it goes on being said of a router that is there no more.
	deafGone = 10 * time.Second
	// deafLook is how often it is looked at.
	deafLook = 250 * time.Millisecond
)

// run looks until ctx ends.
func (d *deafness) run(ctx context.Context) error {
	tick := time.NewTicker(deafLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			owned, there := d.take()
			if d.look(now) {
				d.refresh()
			}
			d.try(ctx, now, owned, there)
		}
	}
}

// facts are what the node says of it.
func (d *deafness) facts() []fsm.DeafRouter {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said
}

// look reports whether there is something else to be said than before.
func (d *deafness) look(now time.Time) (news bool) {
	ears := map[string]earshot{}
	var said []fsm.DeafRouter
	for _, h := range d.heard() {
		if len(h.Config.Listed) == 0 {
			continue // nobody takes its addresses
		}
		ears[h.Name] = d.ears[h.Name].next(h, now)
	}
	for name, e := range d.ears {
		if _, there := ears[name]; there || e.said == "" {
			continue
		}
		if e = e.without(now); now.Sub(e.gone) < deafGone {
			ears[name] = e
		}
	}
	for name, e := range ears {
		if e.said != "" {
			said = append(said, fsm.DeafRouter{Router: name, Reason: e.said})
		}
	}
	for name, x := range d.silences {
		if ears[name].said == "" {
			said = append(said, fsm.DeafRouter{Router: name, Reason: x.text()})
		}
	}
	slices.SortFunc(said, func(a, b fsm.DeafRouter) int { return strings.Compare(a.Router, b.Router) })
	d.ears = ears
	d.mu.Lock()
	defer d.mu.Unlock()
	news = !slices.Equal(said, d.said)
	d.said = said
	return news
}

// next is the earshot after a look at the router.
func (e earshot) next(h speak.Heard, now time.Time) earshot {
	e.gone = time.Time{}
	switch {
	case h.Problem == "":
		e.deaf = time.Time{}
		if e.hears.IsZero() {
			e.hears = now
		}
		if now.Sub(e.hears) >= listensFor {
			e.said = ""
		}
		return e
	case e.deaf.IsZero():
		e.deaf = now
	}
	e.hears = time.Time{}
	grace := deafLeast
	if h.Speaks { // what is open stays so for as long
		grace = max(grace, deafAfter(h.Config.Interval))
	}
	if e.said == "" && now.Sub(e.deaf) >= grace { // why is said once: it may change with each attempt
		e.said = fmt.Sprintf("on %s: %s", h.ID.Link, h.Problem)
	}
	return e
}

// without is the earshot after a look at which there was no such router.
func (e earshot) without(now time.Time) earshot {
	e.hears = time.Time{}
	if e.gone.IsZero() {
		e.gone = now
	}
	return e
}
