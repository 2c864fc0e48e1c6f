package agent

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/agent/speak"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip/probe"
)

// unasked is a virtual router that this node does not speak for, though it has its VIPs, since nobody can be asked whether a router outside the cluster has them.
type unasked struct {
	link  string
	addrs []netip.Addr
	why   string
}

// silence is an unasked router of which the facts say so. Once its VIPs are another's, nobody asks for them here: it is tried from time to time, or they would come back to a node
// that opens nothing.
type silence struct {
	unasked
	asks time.Time // since when it can be asked again; zero: it cannot
	gone time.Time // since when there is no such router here; zero: there is
}

const (
	// tryAgain is how often it is tried to ask.
	tryAgain = time.Second
	// tryFor is how long answers are waited for: what counts is whether they could be heard.
	tryFor = 100 * time.Millisecond
)

// unasked are the virtual routers that this node has, and does not speak for since it cannot ask; and asked those that it has open: it could.
func (t *speech) unasked(local fsm.Local, open lease.Opened, why func(netip.Addr) error) (out map[string]unasked, asked map[string]bool) {
	for _, r := range local.Routers {
		id, ok := routerID(r)
		if !ok || len(r.Router.Peers) == 0 { // else nobody is waiting for its silence
			continue
		}
		if !t.dumb[id] {
			if anyIn(open, routerKeys(r)) {
				if asked == nil {
					asked = map[string]bool{}
				}
				asked[r.Router.Name] = true
			}
			continue
		}
		if out == nil {
			out = map[string]unasked{}
		}
		x := unasked{link: r.Link, addrs: r.Router.Addrs()}
		for _, a := range x.addrs {
			if err := why(a); err != nil {
				x.why = cmp.Or(x.why, err.Error())
			}
		}
		out[r.Router.Name] = x
	}
	return out, asked
}

// cannotAsk states for which routers this node, which has their VIPs, cannot ask now, and for which it could. It does not block.
func (d *deafness) cannotAsk(cannot map[string]unasked, can map[string]bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unasked, d.asked = cannot, can
}

// take brings up to date what the owner's passes say, and forgets what is of another link than its router: whether that can be asked is not known.
func (d *deafness) take() (owned map[string]unasked, there map[string]speak.Heard) {
	d.mu.Lock()
	owned, could := d.unasked, d.asked
	d.mu.Unlock()
	if d.silences == nil {
		d.silences = map[string]silence{}
	}
	for name, u := range owned {
		x := d.silences[name]
		x.link, x.addrs, x.asks, x.gone = u.link, u.addrs, time.Time{}, time.Time{}
		x.why = cmp.Or(x.why, u.why) // it is said once: it may change with each attempt
		d.silences[name] = x
	}
	there = map[string]speak.Heard{}
	for _, h := range d.heard() {
		there[h.Name] = h
	}
	for name, x := range d.silences {
		_, still := owned[name]
		h, is := there[name]
		if could[name] || !still && is && h.ID.Link != x.link {
			delete(d.silences, name)
		}
	}
	return owned, there
}

// try asks for the routers that are not this node's any more, on all links at once.
func (d *deafness) try(ctx context.Context, now time.Time, owned map[string]unasked, there map[string]speak.Heard) {
	if now.Sub(d.tried) < tryAgain {
		return
	}
	d.tried = now
	byLink := map[string][]netip.Addr{}
	for name, x := range d.silences {
		h, is := there[name]
		if _, still := owned[name]; still || !is {
			continue
		}
		x.addrs = h.Config.Addresses // they may be others by now
		d.silences[name] = x
		byLink[x.link] = append(byLink[x.link], x.addrs...)
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	errs := map[string]error{}
	for link, addrs := range byLink {
		asking.Go(func() {
			err := d.ask.Ask(ctx, link, addrs, tryFor, func(netip.Addr, string) {})
			mu.Lock()
			defer mu.Unlock()
			errs[link] = err
		})
	}
	asking.Wait()
	for name, x := range d.silences {
		_, still := owned[name]
		_, is := there[name]
		switch {
		case still:
			continue
		case !is:
			if x.asks = (time.Time{}); x.gone.IsZero() {
				x.gone = now
			}
		case slices.ContainsFunc(x.addrs, func(a netip.Addr) bool { return !probe.Asked(a, errs[x.link]) }):
			x.asks, x.gone = time.Time{}, time.Time{}
		default:
			if x.gone = (time.Time{}); x.asks.IsZero() {
				x.asks = now
			}
		}
		if d.silences[name] = x; !x.asks.IsZero() && now.Sub(x.asks) >= listensFor || !x.gone.IsZero() && now.Sub(x.gone) >= deafGone {
			delete(d.silences, name)
		}
	}
}

// text says why.
func (x silence) text() string {
	return fmt.Sprintf("on %s: nobody can be asked whether another router has its addresses: %s", x.link, cmp.Or(x.why, "no answers are heard"))
}
