package agent

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/agent/speak"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip/vrrp"
)

// elections decides what this node's virtual routers do without a quorum, and takes from what is open what others may have claimed meanwhile. now was read
// before it was asked whether the lease is held.
func (a *actuator) elections(s *fsm.State, local fsm.Local, timing fsm.Timing, now lease.Instant, leased bool) {
	candidacies, rivals := a.candidacies(s, local), rivals(local)
	a.lapsed, a.doubted = a.lapse(), false
	a.guard(len(rivals) > 0)
	in := fallbackInput{now: now, wall: time.Now(), timing: timing, leased: leased, lapsed: a.lapsed != 0, led: a.led(), superseded: a.lease.Superseded(),
		routers: candidacies, against: a.against, silent: func(x netip.Addr) bool {
			return a.ear.of(x).silentLately(askedFor(timing), askRound(timing), time.Now())
		}}
	if len(candidacies) == 0 && len(a.fall.routers) == 0 {
		a.vote = fallbackOutput{doubt: a.fall.doubts(in)}
		a.fall.last, a.fall.lost = now, lease.Instant{}
	} else {
		a.vote = a.fall.step(in)
	}
	if !a.vote.doubt {
		a.looked() // what is open was looked after all the time
		return
	}
	a.open = maps.Clone(a.open)
	for _, k := range rivals {
		if _, was := a.open[k]; was {
			a.doubted = true
			delete(a.open, k)
		}
	}
}

// rivals are the addresses that another router may have had while this node stood still: a neighbour outside the cluster, or a node that was elected.
func rivals(local fsm.Local) (out []fsm.AddressKey) {
	for _, r := range local.Routers {
		if _, ok := routerID(r); ok && !r.Shadow && (elects(r) || len(r.Router.Peers) > 0) {
			out = append(out, routerKeys(r)...)
		}
	}
	return out
}

// candidacies are the virtual routers for which this node may be elected.
func (a *actuator) candidacies(s *fsm.State, local fsm.Local) (out []candidacy) {
	for _, r := range local.Routers {
		id, ok := routerID(r)
		if !ok || !elects(r) || r.Shadow || a.nothing {
			continue
		}
		c := candidacy{name: r.Router.Name, priority: s.FallbackPriorities(r.Router)[a.self], owner: r.Part == fsm.RouterSpeaks,
			active: a.speech.voices.View(id).Speaks, open: allIn(a.open, routerKeys(r)), vips: map[fsm.AddressKey]string{}}
		for _, v := range r.Router.VIPs {
			c.vips[v.Key()] = v.Name
		}
		out = append(out, c)
	}
	return out
}

// elects reports whether the nodes of a virtual router elect among themselves without a quorum.
func elects(r fsm.LocalRouter) bool {
	return slices.ContainsFunc(r.Router.VIPs, func(v fsm.VIP) bool { return v.QuorumLost == fsm.VRRPVIP })
}

// selfGrant tells the gate, and whoever speaks, until when this node may claim what it claims without a lease.
func (a *actuator) selfGrant(now lease.Instant, timing fsm.Timing, on lease.Opened) lease.Opened {
	until := a.hold.granted
	if until == (lease.Instant{}) && len(a.vote.elect) > 0 { // it speaks before it opens anything
		until = after(now, timing.TTL)
	}
	if !a.granted && until == (lease.Instant{}) {
		return on
	}
	// The deadline comes before the addresses that are opened by it. It is absolute: if this process freezes here, it opens nothing late.
	if err := a.grant(a.hold.epoch, until); err != nil && len(on) > 0 {
		a.hold.fail(err, time.Now())
		return nil
	}
	a.granted = until != (lease.Instant{})
	return on
}

// lapse is which lease has come back and waits; 0 = none.
func (a *actuator) lapse() uint64 {
	if a.lapses == nil {
		return 0
	}
	return a.lapses.lapsed()
}

func (a *actuator) guard(on bool) {
	if a.lapses != nil {
		a.mind(a.lapses.guard(on))
	}
}

// looked lets the lease that had come back into the gate: what it would open by itself is as it should be. If it came back once more since, as this process stood still
// in the middle of a pass, that one waits for the next.
func (a *actuator) looked() {
	if a.lapses != nil && a.lapsed != 0 {
		a.mind(a.lapses.resume(a.lapsed))
	}
}

func (a *actuator) mind(err error) {
	if err != nil {
		a.log.Error("a lease that came back is not in the kernel's gate, so addresses are silent", "reason", err)
	}
}

// elect tells the voices of the routers that elect for want of a quorum.
func (t *speech) elect(in speechInput, epoch fsm.Epoch) {
	for _, r := range in.local.Routers {
		id, ok := routerID(r)
		p, elects := in.elect[r.Router.Name]
		if !ok || !elects {
			continue
		}
		t.voices.Elect(id, uint64(epoch), vrrp.Priority(p))
		t.spoken[id] = spoken{name: r.Router.Name, keys: routerKeys(r), elects: true}
	}
}

// abstain has routers that elect be silent: their addresses have gone.
func (t *speech) abstain(in speechInput, names []string) {
	for _, r := range in.local.Routers {
		if id, ok := routerID(r); ok && slices.Contains(names, r.Router.Name) {
			t.voices.Abstain(id)
		}
	}
}

// alone reports whether no node that was elected without a quorum can have a router's addresses: a fellow has spoken for the cluster so lately that nobody else has
// waited for long enough.
func alone(r fsm.LocalRouter, v speak.View, now time.Time) bool {
	return !v.Led.IsZero() && now.Sub(v.Led) <= 2*r.Router.Interval
}

// begun are the addresses for which asking begins in this pass, now that it was spoken for them; and forgets them.
func (t *speech) begun() []netip.Addr {
	out := t.anew
	t.anew = nil
	return out
}
