package agent

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// holds decides which addresses this node goes on claiming without a quorum: DESIGN.md says why it is as it is. It is pure; time is an
// input. One goroutine, the actuator's.
type holds struct {
	// epoch stands for the node epoch in the gate: no log has one as high, and each process has its own, so that what a process before this
	// one had opened does not open again.
	epoch fsm.Epoch

	live    lease.Instant             // when this node was last seen to hold its lease
	granted lease.Instant             // until when it has granted itself; zero: it holds nothing
	on      map[fsm.AddressKey]held   // what it holds
	barred  map[fsm.AddressKey]string // what it may not hold any more before it has had its lease again, and why
	forced  map[fsm.AddressKey]force  // what an operator wants it to claim whoever owns it
	news    []holdNews
}

// held is one address that is held.
type held struct {
	VIP     string
	Since   time.Time // wall clock, for people
	Forced  bool      // an operator has asked for it
	Elected bool      // the nodes have elected this one, by VRRP
}

// force is an operator's order to claim an address without a quorum, whoever owns it.
type force struct {
	VIP   string
	By    string // who asked for it
	Until lease.Instant
	End   time.Time // the same on the wall clock
}

// holdNews is a change that the timeline should have once there is a quorum to write it.
type holdNews struct {
	Cluster string `json:"cluster"` // in whose timeline it belongs
	VIP     string `json:"vip"`
	Text    string `json:"text"`
}

// holdInput is what a decision is made of.
type holdInput struct {
	now        lease.Instant
	wall       time.Time
	ttl        time.Duration
	leased     bool                          // the lease under the node epoch of the applied state is held
	superseded bool                          // a grantor has named an agreed epoch that this node has not applied: others decide
	led        bool                          // there is a leader: a quorum, which decides who owns what
	can        func(fsm.AddressKey) bool     // the address is configured, and this node has an interface for it
	own        map[fsm.AddressKey]string     // owned by the applied state, with the policy hold: name of the VIP
	open       lease.Opened                  // what was open after the pass before
	next       lease.Opened                  // what is open by a lease
	elected    map[fsm.AddressKey]string     // for what fallbacks answer: it may be open, whatever is said here; name of the VIP
	against    func(netip.Addr) (why string) // what speaks against claiming the address: another claimant, nobody could be heard; "" = nothing
}

// firstHoldEpoch is above all epochs of nodes: those are indexes of the log.
const firstHoldEpoch = 1 << 63

// newHolds is for an actuator that starts at now.
func newHolds(now lease.Instant) holds {
	return holds{epoch: firstHoldEpoch | fsm.Epoch(now.Boot/time.Microsecond)}
}

// leased notes that the lease is held.
func (h *holds) leased(now lease.Instant) { h.live, h.barred = now, nil }

// step returns what is held from now on, until h.granted at the longest unless step is called again before that. Nothing that was
// not open is ever in it, and nothing whose claim has ceased for a moment longer than it takes to notice that the lease is over.
func (h *holds) step(in holdInput) lease.Opened {
	if in.leased {
		h.leased(in.now)
	}
	deadline := h.granted
	if deadline == (lease.Instant{}) { // a lease that was held at h.live ended after it
		deadline = after(h.live, in.ttl)
	}
	over := h.endForced(in)
	stood := h.live == (lease.Instant{}) && h.granted == (lease.Instant{}) || in.now.Raw >= deadline.Raw || in.now.Boot >= deadline.Boot
	on := map[fsm.AddressKey]held{}
	names := maps.Clone(in.own)
	for k, f := range h.forced {
		names[k] = f.VIP
	}
	maps.Copy(names, in.elected)
	for _, k := range slices.SortedFunc(maps.Keys(names), fsm.AddressKey.Compare) {
		_, forced := h.forced[k]
		_, leased := in.next[k]
		_, open := in.open[k]
		was, holding := h.on[k]
		why := h.barred[k]
		if _, elected := in.elected[k]; elected && !leased {
			if !holding || !was.Elected {
				was = held{VIP: names[k], Since: in.wall, Elected: true}
			}
			on[k] = was
			continue
		}
		switch {
		case leased || why != "" || !open && !forced:
			continue
		case in.superseded:
			why = "the others have agreed on something that this node has not heard yet"
		case stood && (holding || !forced):
			why = "this agent stood still, so that it was silent for a moment, and another node may have it by now"
		default:
			why = in.against(k.Addr)
		}
		if why != "" {
			delete(h.forced, k)
			h.bar(k, names[k], why, holding, in.wall)
			continue
		}
		if !holding {
			was = held{VIP: names[k], Since: in.wall}
		}
		if was.Forced = forced; !holding && !forced {
			h.tell(was.VIP, fmt.Sprintf("%s (%v) is HELD WITHOUT A QUORUM since %s, as its policy says: another node may claim it too", was.VIP, k, stamp(in.wall)))
		}
		on[k] = was
	}
	for _, k := range slices.SortedFunc(maps.Keys(h.on), fsm.AddressKey.Compare) {
		if _, still := on[k]; still || h.barred[k] != "" || h.on[k].Elected {
			continue
		}
		why := "it is no longer this node's"
		if _, leased := in.next[k]; leased {
			why = "the quorum is back, and it is this node's"
		} else if over[k] != "" {
			why = over[k]
		}
		h.tell(h.on[k].VIP, fmt.Sprintf("%s (%v) was held without a quorum from %s to %s: %s", h.on[k].VIP, k, stamp(h.on[k].Since), stamp(in.wall), why))
	}
	h.on, h.granted = on, lease.Instant{}
	if len(on) == 0 {
		return nil
	}
	h.granted = after(in.now, in.ttl)
	out := make(lease.Opened, len(on))
	for k := range on {
		out[k] = h.epoch
	}
	return out
}

// order takes an operator's order.
func (h *holds) order(k fsm.AddressKey, f force) {
	if h.forced == nil {
		h.forced = map[fsm.AddressKey]force{}
	}
	h.forced[k] = f
	delete(h.barred, k)
	h.tell(f.VIP, fmt.Sprintf("%s (%v) is FORCED onto this node WITHOUT A QUORUM by %s, until %s at the latest: another node may claim it too", f.VIP, k, f.By, stamp(f.End)))
}

// endForced ends orders whose time is over, or that are not needed any more, and says why.
func (h *holds) endForced(in holdInput) map[fsm.AddressKey]string {
	over := map[fsm.AddressKey]string{}
	for k, f := range h.forced {
		switch {
		case in.leased || in.led:
			over[k] = "there is a quorum again"
		case in.now.Raw >= f.Until.Raw || in.now.Boot >= f.Until.Boot:
			over[k] = "the time for which it was forced is over"
		case !in.can(k):
			over[k] = "it is not configured any more, or this node has no interface for it"
		default:
			continue
		}
		delete(h.forced, k)
	}
	return over
}

// bar ends what is held, or keeps it from being held.
func (h *holds) bar(k fsm.AddressKey, vip, why string, holding bool, wall time.Time) {
	if h.barred == nil {
		h.barred = map[fsm.AddressKey]string{}
	}
	h.barred[k] = why
	text := fmt.Sprintf("%s (%v) is not held without a quorum: %s", vip, k, why)
	if holding {
		text = fmt.Sprintf("%s (%v) was held without a quorum from %s to %s and is given up: %s", vip, k, stamp(h.on[k].Since), stamp(wall), why)
	}
	h.tell(vip, text)
}

// fail ends all that is held, for a reason that has nothing to do with who else may claim it.
func (h *holds) fail(err error, wall time.Time) {
	for _, k := range slices.SortedFunc(maps.Keys(h.on), fsm.AddressKey.Compare) {
		if h.on[k].Elected { // fallbacks tell of it, and decide when it may be claimed again
			continue
		}
		h.bar(k, h.on[k].VIP, err.Error(), true, wall)
	}
	h.on, h.granted = nil, lease.Instant{}
}

func (h *holds) tell(vip, text string) { h.news = append(h.news, holdNews{VIP: vip, Text: text}) }

// told returns the news and forgets them.
func (h *holds) told() []holdNews {
	n := h.news
	h.news = nil
	return n
}

// after is d later on both clocks.
func after(i lease.Instant, d time.Duration) lease.Instant {
	return lease.Instant{Raw: i.Raw + d, Boot: i.Boot + d}
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
