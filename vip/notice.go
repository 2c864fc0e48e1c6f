package vip

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// expirySlack is by how much the kernel may drop an address early (ADDRCONF_TIMER_FUZZ, 1/50 s) with room for our own delay.
const expirySlack = 50 * time.Millisecond

// notice compares the first list of a pass with what we left there, and records what others did in between.
func (a *Actuator) notice(have []Address, links map[string]Link, now time.Time) {
	at := make(map[key]Address, len(have)) // one that is ours, if there is one
	for _, h := range have {
		if !at[h.key()].Ours {
			at[h.key()] = h
		}
	}
	for _, w := range a.want {
		k := w.key()
		r := a.records[k]
		h, there := at[k]
		if h.Ours && !r.held { // left by the process before this one
			r.held, r.expires = true, now.Add(min(h.ValidFor, time.Hour))
		}
		if h.Ours || !r.held {
			continue
		}
		if w.lingers() {
			r.held, r.lost = false, false // it was about to go anyway
			continue
		}
		r.held, r.lost = false, true
		switch {
		case there:
			a.event(EventChanged, w.Prefix, w.Link, fmt.Sprintf("another program changed %s, which is ours; it is taken back", w))
		case linkError(links, w) != nil:
			// It went with its link; the link's state says so. Coming back is no put-back.
			r.lost = false
		case !now.Before(r.expires.Add(-expirySlack)):
			r.lost = false
			a.event(EventExpired, w.Prefix, w.Link, fmt.Sprintf("the lifetime of %s ran out before it was renewed", w))
		default:
			a.event(EventRemoved, w.Prefix, w.Link, fmt.Sprintf("another program removed %s, which is ours; it is put back", w))
		}
	}
	a.noticeLinks(links, now)
}

// noticeLinks starts announcing again what sits on a link that came back or changed its MAC: its neighbours may have forgotten.
func (a *Actuator) noticeLinks(links map[string]Link, now time.Time) {
	states := make(map[string]linkState, len(links))
	for name, l := range links {
		s := linkState{ready: l.Up && l.Carrier, mac: l.MAC.String()}
		states[name] = s
		old, known := a.links[name]
		if !known || s == old || !s.ready {
			continue
		}
		for k, r := range a.records {
			if k.Link == name && r.held && !r.lingers {
				a.schedule.begin(k, now)
				a.announce(k, now)
			}
		}
	}
	a.links = states
}

// conflicts reports foreign holders of the cluster's addresses, once when they appear and once when they are gone.
func (a *Actuator) conflicts(found []Address) {
	is := make(map[Address]struct{}, len(found))
	for _, c := range found {
		c.ValidFor = 0
		is[c] = struct{}{}
		if _, known := a.foreign[c]; !known {
			a.event(EventForeign, c.Prefix, c.Link, fmt.Sprintf("this host holds %s on %s outside our control: remove it (ip address del %[1]s dev %[2]s) and find out what put it there", c.Prefix, c.Link))
		}
	}
	for c := range a.foreign {
		if _, still := is[c]; !still {
			a.event(EventForeignGone, c.Prefix, c.Link, fmt.Sprintf("this host no longer holds %s on %s outside our control", c.Prefix, c.Link))
		}
	}
	a.foreign = is
}

// report makes the status out of the last list of a pass.
func (a *Actuator) report(have []Address, links map[string]Link, p plan, failed map[key]error) {
	now := time.Now()
	s := Status{At: now, Gate: a.fence.err(), present: make(map[netip.Addr]struct{}, len(have)), silent: map[netip.Addr]struct{}{}}
	at := make(map[key][]Address, len(have))
	for _, h := range have {
		s.present[h.Prefix.Addr()] = struct{}{}
		at[h.key()] = append(at[h.key()], h)
	}
	problem := map[Wanted]error{}
	for _, b := range p.Blocked {
		problem[b.Wanted] = b.Err
	}

	for _, w := range a.want {
		r := a.records[w.key()]
		st := AddressStatus{Prefix: w.Prefix, Link: w.Link, Parent: w.parent, Wanted: true, AnnouncedAt: r.announced, Lingers: w.lingers()}
		marked := false
		for _, h := range at[w.key()] {
			if h.Prefix == w.Prefix {
				st.Actual, marked = true, h.Ours
			}
		}
		err := errors.Join(problem[w], failed[w.key()])
		if w.lingers() && a.fence.silent(w, have) {
			s.silent[w.Prefix.Addr()] = struct{}{}
		}
		switch {
		case err != nil:
		case w.lingers():
		case st.Actual && !marked:
			err = fmt.Errorf("%w: %s", ErrUnmarked, w)
		case !st.Actual:
			err = fmt.Errorf("%s: gone again as soon as it was put; another program removes it (ip monitor address)", w)
		case links != nil && !links[w.Link].Carrier:
			err = fmt.Errorf("%w: %s (for %s): check its cable, switch port or peer", ErrNoCarrier, cmp.Or(w.parent, w.Link), w.Prefix)
		}
		if lacks := a.overlays.lacks(w.Link); err == nil && lacks != nil {
			err = fmt.Errorf("%s: %w", w.Prefix, lacks)
		}
		st.Err = err
		s.Addresses = append(s.Addresses, st)
		// A link that is down or an address that makes no sense needs an event, not another try.
		if err != nil && !errors.Is(err, ErrNoCarrier) && w.check() == nil {
			a.retryAt = earlier(a.retryAt, now.Add(retryEvery))
		}
	}
	wanted := make(map[key]bool, len(a.want))
	for _, w := range a.want {
		wanted[w.key()] = true
	}
	for _, h := range have {
		if !h.Ours || wanted[h.key()] {
			continue
		}
		err := failed[h.key()]
		if err == nil {
			err = fmt.Errorf("%s on %s: ours, not wanted, and still there", h.Prefix, h.Link)
		}
		s.Addresses = append(s.Addresses, AddressStatus{Prefix: h.Prefix, Link: h.Link, Actual: true, Err: err})
		a.retryAt = earlier(a.retryAt, now.Add(retryEvery))
	}
	for c := range a.foreign {
		s.Addresses = append(s.Addresses, AddressStatus{Prefix: c.Prefix, Link: c.Link, Actual: true,
			Err: fmt.Errorf("%w: %s on %s: ip address del %[2]s dev %[3]s", ErrForeign, c.Prefix, c.Link)})
	}
	slices.SortFunc(s.Addresses, func(x, y AddressStatus) int {
		return compareAddresses(Address{Prefix: x.Prefix, Link: x.Link}, Address{Prefix: y.Prefix, Link: y.Link})
	})
	a.status = s
}

// snapshot is the status for the caller, with what has been announced since the pass.
func (a *Actuator) snapshot() Status {
	s := a.status
	s.Addresses = slices.Clone(s.Addresses)
	for i := range s.Addresses {
		st := &s.Addresses[i]
		if r := a.records[key{st.Prefix.Addr(), st.Link}]; r != nil && st.Wanted {
			st.AnnouncedAt = r.announced
			if st.Err == nil {
				st.Err = r.announce
			}
		}
	}
	return s
}

// event records what is to be told once the lock is free.
func (a *Actuator) event(kind EventKind, p netip.Prefix, link, text string) {
	a.events = append(a.events, Event{At: time.Now(), Kind: kind, Prefix: p, Link: link, Text: text})
}

func (a *Actuator) takeEvents() []Event {
	e := a.events
	a.events = nil
	return e
}

// deliver tells of events. It is called without the lock, so that the receiver may call the Actuator.
func (a *Actuator) deliver(events []Event) {
	for _, e := range events {
		a.log.Warn(e.Text, "vip", e.Prefix, "link", e.Link, "reason", e.Kind)
		if a.onEvent != nil {
			a.onEvent(e)
		}
	}
}
