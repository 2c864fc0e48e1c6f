package agent

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

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

// unasked are the virtual routers that this node has, and does not speak for since it cannot ask.
func (t *speech) unasked(local fsm.Local, why func(netip.Addr) error) map[string]unasked {
	var out map[string]unasked
	for _, r := range local.Routers {
		id, ok := routerID(r)
		if !ok || !t.dumb[id] || len(r.Router.Peers) == 0 { // else nobody is waiting for its silence
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
	return out
}

// cannotAsk states for which routers this node, which has their VIPs, cannot ask now. It does not block.
func (d *deafness) cannotAsk(now map[string]unasked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unasked = now
}

// try brings up to date for which routers it cannot be asked.
func (d *deafness) try(ctx context.Context, now time.Time) {
	d.mu.Lock()
	owned := d.unasked
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
	if now.Sub(d.tried) < tryAgain {
		return
	}
	d.tried = now
	there, byLink := map[string]bool{}, map[string][]netip.Addr{}
	for _, h := range d.heard() {
		there[h.Name] = true
	}
	for name, x := range d.silences {
		if _, still := owned[name]; !still && there[name] {
			byLink[x.link] = append(byLink[x.link], x.addrs...)
		}
	}
	errs := map[string]error{}
	for link, addrs := range byLink {
		errs[link] = d.ask.Ask(ctx, link, addrs, tryFor, func(netip.Addr, string) {})
	}
	for name, x := range d.silences {
		_, still := owned[name]
		switch {
		case still:
			continue
		case !there[name]:
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
	return fmt.Sprintf("on %s: nobody can be asked whether another router has its addresses: %s", x.link, x.why)
}
