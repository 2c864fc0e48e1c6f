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

// fallbacks decides what this node's virtual routers do without a quorum, and which of their addresses it claims then: DESIGN.md says why it is as
// it is. It is pure; time is an input. One goroutine, the actuator's.
type fallbacks struct {
	last    lease.Instant // the step before; zero: there was none
	lost    lease.Instant // since when there is neither a lease nor a leader; zero: there is one
	routers map[string]*fallback
	news    []holdNews
}

// fallback is one virtual router whose Active Router is elected, for want of a quorum.
type fallback struct {
	// serves: its addresses may be open here. Only an Active Router serves, and only one beside which nobody else answers.
	serves bool
	// overtaken: a newer epoch is agreed than the one that was applied. The edge counts: those who agreed may have lost the quorum since.
	overtaken bool
	since     time.Time // wall clock, for people
	vips      map[fsm.AddressKey]string
	priority  uint8
}

// fallbackInput is what a decision is made of.
type fallbackInput struct {
	now        lease.Instant
	wall       time.Time
	timing     fsm.Timing
	leased     bool // the lease under the node epoch of the applied state is held
	lapsed     bool // it has ended at least once since the step before
	led        bool // there is a leader, so an end is near
	superseded bool // a newer epoch is agreed than the one that was applied
	routers    []candidacy
	against    func(netip.Addr) (why string) // what speaks against claiming the address
	silent     func(netip.Addr) bool         // it was asked for long enough, and until now, whether somebody answers, and nobody does
}

// candidacy is what this node may be to a virtual router whose policy is vrrp.
type candidacy struct {
	name     string
	priority uint8                     // the agreed one for elections without a quorum; 0: it takes no part
	owner    bool                      // the applied state gives all its VIPs to this node, and asks for none of them
	active   bool                      // its machine is Active: it speaks
	open     bool                      // all its addresses were open after the pass before
	vips     map[fsm.AddressKey]string // and their names
}

// fallbackOutput is what is to be done, in this order: elect is told, addresses open and close, abstain is told. Whatever is not in elect is the cluster's,
// which says so to the machine by its own words, also for the first time.
type fallbackOutput struct {
	elect   map[string]uint8          // the routers that elect, and this node's priority among them
	claims  map[fsm.AddressKey]string // the addresses that may be open without a lease, and their VIPs
	abstain []string                  // the routers that have to be silent and wait from the beginning, once their addresses are gone
	listen  bool                      // it has to be asked who answers for all addresses of the candidacies
	// doubt says that this node stood still for so long that another may have taken what was open: a node that was elected, or a router outside the cluster, where nobody elects, too.
	// It is closed, whatever the lease says, and asked for.
	doubt bool
}

// clearTime is how long there has to be neither a lease nor a leader before nodes elect among themselves. It is part of the time that a router waits anyway,
// which counts from the last advert. An election of a leader takes less, and a lost renewal much less.
func clearTime(t fsm.Timing) time.Duration { return max(time.Second, 2*t.TTL) }

// leased notes that this node is not still, and has its lease.
func (f *fallbacks) leased(now lease.Instant, ttl time.Duration) {
	if !f.stood(now, ttl) { // else the next step has to know
		f.last = now
	}
}

// stood reports whether this node did nothing for ttl.
func (f *fallbacks) stood(now lease.Instant, ttl time.Duration) bool {
	if f.last == (lease.Instant{}) {
		return false
	}
	end := after(f.last, ttl)
	return now.Raw >= end.Raw || now.Boot >= end.Boot
}

// doubts reports whether others may have taken since the step before what this node had open.
func (f *fallbacks) doubts(in fallbackInput) bool {
	return f.stood(in.now, in.timing.TTL) && (in.lapsed || !in.leased)
}

// step is to be called in each pass.
func (f *fallbacks) step(in fallbackInput) (out fallbackOutput) {
	out.doubt = f.doubts(in)
	f.last = in.now
	if in.leased {
		f.lost = lease.Instant{}
		f.end(in)
		return out
	}
	out.listen = true
	if f.lost == (lease.Instant{}) || in.led {
		f.lost = in.now
	}
	clear := after(f.lost, clearTime(in.timing))
	begin := !in.led && in.now.Raw >= clear.Raw && in.now.Boot >= clear.Boot
	out.elect, out.claims = map[string]uint8{}, map[fsm.AddressKey]string{}
	if f.routers == nil {
		f.routers = map[string]*fallback{}
	}
	known := map[string]bool{}
	for _, r := range in.routers {
		if r.priority == 0 {
			continue
		}
		known[r.name] = true
		x := f.routers[r.name]
		why, silent := "", true
		for _, k := range slices.SortedFunc(maps.Keys(r.vips), fsm.AddressKey.Compare) {
			if why == "" {
				why = in.against(k.Addr)
			}
			silent = silent && in.silent(k.Addr)
		}
		goesOn := false
		switch {
		case x == nil:
			goesOn = r.owner && r.open && r.active && !out.doubt && !in.superseded && why == ""
			if !goesOn && !begin {
				continue
			}
			x = &fallback{overtaken: in.superseded}
			f.routers[r.name] = x
			if r.active && !goesOn {
				out.abstain = append(out.abstain, r.name)
			}
		case out.doubt:
			f.stop(x, in, "this agent stood still, so that it was silent for a moment, and another node may have it by now")
			out.abstain = append(out.abstain, r.name)
		case in.superseded && !x.overtaken:
			f.stop(x, in, "the others have agreed on something that this node has not heard yet")
			out.abstain = append(out.abstain, r.name)
		case !r.active:
			f.stop(x, in, "another router speaks for it that has the better claim")
		case why != "":
			f.stop(x, in, why)
			out.abstain = append(out.abstain, r.name)
		case !x.serves && silent:
			goesOn = true
		}
		x.overtaken, x.priority = in.superseded, r.priority
		out.elect[r.name] = r.priority
		if goesOn {
			f.serve(x, r, in)
		}
		if x.serves {
			x.vips = r.vips
			maps.Copy(out.claims, r.vips)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.routers)) {
		if !known[name] {
			f.stop(f.routers[name], in, "this node takes no part in its election any more")
			delete(f.routers, name)
		}
	}
	return out
}

// end is the return of the quorum.
func (f *fallbacks) end(in fallbackInput) {
	for _, name := range slices.Sorted(maps.Keys(f.routers)) {
		why := "the quorum is back, and it is not this node's"
		if i := slices.IndexFunc(in.routers, func(r candidacy) bool { return r.name == name }); i >= 0 && in.routers[i].owner {
			why = "the quorum is back, and it is this node's"
		}
		f.stop(f.routers[name], in, why)
	}
	clear(f.routers)
}

func (f *fallbacks) serve(x *fallback, r candidacy, in fallbackInput) {
	x.serves, x.since = true, in.wall
	for _, k := range slices.SortedFunc(maps.Keys(r.vips), fsm.AddressKey.Compare) {
		f.news = append(f.news, holdNews{VIP: r.vips[k], Text: fmt.Sprintf(
			"%s (%v) is CLAIMED WITHOUT A QUORUM since %s, by VRRP with priority %d, as its policy says: the promise of one owner is suspended", r.vips[k], k, stamp(in.wall), r.priority)})
	}
}

func (f *fallbacks) stop(x *fallback, in fallbackInput, why string) {
	if !x.serves {
		return
	}
	x.serves = false
	for _, k := range slices.SortedFunc(maps.Keys(x.vips), fsm.AddressKey.Compare) {
		f.news = append(f.news, holdNews{VIP: x.vips[k], Text: fmt.Sprintf(
			"%s (%v) was claimed without a quorum by VRRP from %s to %s: %s", x.vips[k], k, stamp(x.since), stamp(in.wall), why)})
	}
}

// fail ends all elections of this node.
func (f *fallbacks) fail(why string, wall time.Time) {
	for _, name := range slices.Sorted(maps.Keys(f.routers)) {
		f.stop(f.routers[name], fallbackInput{wall: wall}, why)
	}
	clear(f.routers)
}

// busy reports whether a pass has to look at it though nothing else has changed.
func (f *fallbacks) busy() bool { return f.lost != (lease.Instant{}) }

// told returns the news and forgets them.
func (f *fallbacks) told() []holdNews {
	n := f.news
	f.news = nil
	return n
}
