package vip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"quorate/vip/gate"
)

// fence is what the last pass knows of the gate.
type fence struct {
	ours    []netip.Addr // addresses of ours that the kernel had when it was last listed
	flagErr error        // of Set
	linkErr error        // of Check
	gating  bool         // there are addresses to gate
	report  *gate.Report // of the last Check that could tell; nil: none yet, or there is no gate
}

// saw notes which addresses of ours are in the kernel: they stay gated until they have left it, also when the cluster has
// forgotten them.
func (f *fence) saw(have []Address) {
	f.ours = f.ours[:0]
	for _, h := range have {
		if h.Ours {
			f.ours = append(f.ours, h.Prefix.Addr())
		}
	}
}

// link says why no address may be on a link; nil: one may.
func (f *fence) link(name string) error {
	if f.report == nil {
		return f.linkErr
	}
	return f.report.Fenced(name)
}

// err is what is wrong with the gate itself.
func (f *fence) err() error { return errors.Join(f.flagErr, f.linkErr) }

// flag tells the gate what is open: what is wanted. All else that is the cluster's, or is ours, is closed. It comes before
// anything else of a pass, so that what is given up is silent before it is removed, and what is taken over can be
// announced as soon as it is put.
func (a *Actuator) flag() {
	if a.gate == nil {
		return
	}
	entries := make(map[netip.Addr]gate.Entry, len(a.managed)+len(a.want))
	for addr := range a.managed {
		entries[addr] = gate.Entry{Addr: addr}
	}
	for _, addr := range a.fence.ours {
		entries[addr] = gate.Entry{Addr: addr}
	}
	for _, w := range a.want {
		if addr := w.Prefix.Addr(); w.check() == nil {
			entries[addr] = gate.Entry{Addr: addr, Epoch: w.Epoch, ARP: !w.lingers(), IP: true, IPUntil: w.IPUntil}
		}
	}
	list := make([]gate.Entry, 0, len(entries))
	for _, e := range entries {
		if e.Addr.Is4In6() || e.Addr.Zone() != "" {
			continue // no link can carry it
		}
		list = append(list, e)
	}
	a.fence.flagErr = a.gate.Set(list)
	a.fence.idle(len(list) == 0)
	a.complain("addresses cannot be opened or closed in the kernel", a.fence.flagErr)
	if a.fence.flagErr != nil {
		return
	}
	for _, w := range a.want {
		if r := a.records[w.key()]; r.lingers && !w.lingers() { // it stays after all; neighbours may have asked in vain
			r.lingers = false
			a.schedule.begin(w.key(), time.Now())
		}
	}
}

// endLingers gives up what lingers when nothing makes it silent: the gate could not be told or asked, or there is none.
func (a *Actuator) endLingers() {
	if a.gate != nil && a.fence.err() == nil {
		return
	}
	a.want = slices.DeleteFunc(a.want, func(w Wanted) bool {
		if !w.lingers() {
			return false
		}
		a.schedule.cancel(w.key())
		delete(a.records, w.key())
		return true
	})
}

// silent says that an address that lingers is claimed nowhere on this host: the gate has been told so, and carries every link
// on which the kernel has the address.
func (f *fence) silent(w Wanted, have []Address) bool {
	if f.report == nil || f.err() != nil {
		return false
	}
	for _, h := range have {
		if h.Prefix.Addr() == w.Prefix.Addr() && (!h.Ours || h.Link != w.Link || f.report.Fenced(h.Link) != nil) {
			return false
		}
	}
	return true
}

// idle forgets the links when no address is gated: a host that carries nothing for a cluster is left as it is.
func (f *fence) idle(yes bool) {
	if f.gating = !yes; yes {
		f.report, f.linkErr = nil, nil
	}
}

// checkGate sees to it that every link carries the gate.
func (a *Actuator) checkGate() {
	if a.gate == nil || !a.fence.gating {
		return
	}
	r, err := a.gate.Check()
	a.fence.linkErr = err
	a.complain("whether the links carry the gate is not known", err)
	if err != nil {
		return // as when addresses cannot be listed: what is there stays as long as the caller's word is good
	}
	a.fence.report = &r
	for _, l := range r.Links {
		if l.Mended != "" {
			a.event(EventMended, netip.Prefix{}, l.Name, fmt.Sprintf("the gate was gone from %s and is back: %s: find the program that took it off (bpftool net, tc filter)", l.Name, l.Mended))
		}
	}
}

// complain logs what is wrong with the gate, and has it tried again soon.
func (a *Actuator) complain(what string, err error) {
	if err != nil {
		a.log.Warn(what, "reason", err)
		a.retryAt = earlier(a.retryAt, time.Now().Add(retryEvery))
	}
}
