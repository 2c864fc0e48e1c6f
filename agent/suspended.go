package agent

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
)

// askedFor is how long nobody else may answer for a suspended address before it is opened. A node that holds one without a quorum is
// silent for T at the longest (DESIGN.md), by a clock that may differ from this one by ρ and be slewed; the rest is for the way.
func askedFor(t fsm.Timing) time.Duration { return t.TTL*5/4 + 50*time.Millisecond }

// askRound is how long each round of questions lasts; it asks twice.
func askRound(t fsm.Timing) time.Duration { return max(t.TTL/2, 100*time.Millisecond) }

// besideRound is that of questions about what a router outside the cluster may still have: its kernel answers at once, or not at all. Until it has fallen silent for a round nobody serves.
func besideRound(t fsm.Timing) time.Duration { return min(askRound(t), 250*time.Millisecond) }

// asked is an address that is not opened yet, because others may still hold it: without a quorum, or by VRRP.
type asked struct {
	by     []fsm.NodeID
	router string // its virtual router, which speaks; "" = others of the cluster may hold it
	heard  heard
}

// text says so.
func (x asked) text() string {
	var names []string
	for _, n := range x.by {
		names = append(names, string(n))
	}
	if len(x.by) == 0 {
		switch {
		case x.heard.by != "":
			return fmt.Sprintf("this node speaks for virtual router %s, and %s still answers for the address: it is opened when nobody does", x.router, x.heard.by)
		case x.heard.err != nil && x.heard.deafLong(time.Now()):
			return fmt.Sprintf("this node does not speak for virtual router %s, so that another can: nobody can be asked whether one has the address: %v", x.router, x.heard.err)
		case x.heard.err != nil:
			return fmt.Sprintf("this node speaks for virtual router %s, and nobody can be asked whether another has the address: %v", x.router, x.heard.err)
		}
		return fmt.Sprintf("this node speaks for virtual router %s, and asks whether somebody else answers for the address", x.router)
	}
	text := fmt.Sprintf("suspended: %s may still claim it without a quorum", strings.Join(names, ", "))
	switch {
	case x.heard.by != "":
		return text + fmt.Sprintf(", and %s answers for it: this node opens it when nobody does", x.heard.by)
	case x.heard.err != nil:
		return text + fmt.Sprintf(", and nobody can be asked: %v", x.heard.err)
	}
	return text + "; this node is asking whether somebody answers for it"
}

// withoutQuorum adds to next what this node goes on claiming without a quorum. now was read before it was asked whether the lease
// is held.
func (a *actuator) withoutQuorum(s *fsm.State, local fsm.Local, timing fsm.Timing, now lease.Instant, leased bool, next lease.Opened) fsm.Local {
	own := map[fsm.AddressKey]string{}
	for _, v := range local.VIPs {
		if v.VIP.QuorumLost == fsm.HoldVIP && v.Link != "" && !a.nothing {
			own[v.Key] = v.VIP.Name
		}
	}
	on := a.hold.step(holdInput{
		now: now, wall: time.Now(), ttl: timing.TTL, leased: leased, superseded: a.lease.Superseded(),
		own: own, open: a.open, next: next, elected: a.vote.claims, against: a.against, led: a.led(),
		can: func(k fsm.AddressKey) bool { _, ok := carriable(s, a.self, k); return ok },
	})
	on = a.selfGrant(now, timing, on)
	maps.Copy(next, on)
	// What an operator has forced here need not be this node's: the rest of the pass carries it out all the same.
	var forced []fsm.AddressKey
	for k := range on {
		v, _ := carriable(s, a.self, k)
		if !slices.ContainsFunc(local.VIPs, func(x fsm.LocalVIP) bool { return x.Key == k }) {
			local.VIPs = append(local.VIPs[:len(local.VIPs):len(local.VIPs)], v)
			forced = append(forced, k)
		}
	}
	return local.WithServices(s, forced)
}

// carriable is a configured VIP on this node, if it is not in shadow, and the node is a director with an interface for it.
func carriable(s *fsm.State, self fsm.NodeID, k fsm.AddressKey) (fsm.LocalVIP, bool) {
	v, ok := s.VIPByKey(k)
	n := s.Nodes[self]
	if !ok || n.Role != fsm.Director || s.Config.Shadows(v) {
		return fsm.LocalVIP{}, false
	}
	link, ok := n.Facts.LinkFor(k.Addr, v.Interface)
	return fsm.LocalVIP{VIP: v, Key: k, Link: link}, ok
}

// against is what speaks against claiming an address without a quorum.
func (a *actuator) against(addr netip.Addr) string {
	if c := a.status.Load(); c != nil {
		for _, x := range c.addresses.Addresses {
			if x.Prefix.Addr() != addr {
				continue
			}
			for _, is := range []error{vip.ErrNoCarrier, vip.ErrLinkDown, vip.ErrNoLink} {
				if errors.Is(x.Err, is) {
					return "nobody else can be heard on its link: " + x.Err.Error()
				}
			}
		}
	}
	return a.ear.of(addr).against()
}

// ask takes out of next what others may still hold without a quorum, as long as it was not asked long enough whether one of them answers,
// and listens for whoever claims what this node holds so itself.
func (a *actuator) ask(s *fsm.State, local fsm.Local, timing fsm.Timing, next lease.Opened) map[fsm.AddressKey]asked {
	listen, wait := map[netip.Addr]string{}, map[fsm.AddressKey]asked{}
	round := askRound(timing)
	suspensions, beside := s.Suspensions(), a.speech.asked(local)
	for _, v := range local.VIPs {
		_, opens := next[v.Key]
		_, open := a.open[v.Key]
		_, held := a.hold.on[v.Key]
		by := suspensions.By(v.Key, a.self)
		h := a.ear.of(v.Key.Addr)
		switch {
		case v.Link == "" || !opens:
		case held:
			listen[v.Key.Addr] = v.Link
		case !open && len(by) > 0 && !h.silentFor(askedFor(timing)):
			listen[v.Key.Addr] = v.Link
			wait[v.Key] = asked{by: by, heard: h}
			delete(next, v.Key)
		case !open && beside[v.Key].router != "" && !h.gone(beside[v.Key].silent(timing)):
			listen[v.Key.Addr] = v.Link
			wait[v.Key] = asked{router: beside[v.Key].router, heard: h}
			delete(next, v.Key)
			round = besideRound(timing)
		}
	}
	if a.vote.listen {
		for _, r := range local.Routers {
			if !elects(r) || r.Shadow || r.Link == "" {
				continue
			}
			for _, v := range r.Router.VIPs {
				listen[v.Address.Addr()] = r.Link
			}
		}
	}
	a.ear.listen(listen, round)
	return wait
}

// claims are what this node still has in its kernel, or holds without a quorum, of what it should have ended by the state of c.
func (c *carried) claims(s *fsm.State, self fsm.NodeID) (out []netip.Addr) {
	for k, a := range s.Assignments {
		if !slices.ContainsFunc(a.Holders, func(h fsm.Holder) bool { return h.Node == self && h.Ended > 0 }) {
			continue
		}
		_, holds := c.held[k]
		if holds || a.Owner != self && !c.addresses.Absent(k.Addr) {
			out = append(out, k.Addr)
		}
	}
	return out
}
