package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Without a quorum the directors of a virtual router whose VIPs are [VRRPVIP] elect among themselves who has them, by priorities that follow from the
// agreed state. All of them stay below the router's own priority: a node that was appointed by a quorum outranks them.

const (
	// leastFallback is the least priority of a virtual router that leaves room for an election below it.
	leastFallback = 32
	// fallbackGap is how far the priorities of two nodes are apart, if there is room: who waits less is known by an eighth of an interval.
	fallbackGap = 32
)

// FallbackPriorities are by which priorities the directors elect who has the router's VIPs while there is no quorum: their owner first, then as they are preferred, then
// by name. Nil when there is to be no such election.
func (s *State) FallbackPriorities(r ResolvedRouter) map[NodeID]uint8 {
	if len(r.VIPs) == 0 {
		return nil
	}
	var owner NodeID
	for i, v := range r.VIPs {
		a, known := s.Assignments[v.Key()]
		// Without a record there is nobody who would remember who may claim it.
		if v.QuorumLost != VRRPVIP || s.Config.Shadows(v) || !known || !s.Config.Matches(a, v) {
			return nil
		}
		if i > 0 && a.Owner != owner {
			owner = ""
			continue
		}
		owner = a.Owner
	}
	nodes := s.fit(r, needs.inTime) // without a quorum nobody says what has changed
	prefer := r.VIPs[0].Prefer
	if g, ok := s.Config.Groups[r.VIPs[0].Group]; ok {
		prefer = g.Prefer
	}
	rank := func(id NodeID) int {
		if id == owner {
			return -1
		}
		if i := slices.Index(prefer, id); i >= 0 {
			return i
		}
		return len(prefer)
	}
	slices.SortFunc(nodes, func(a, b NodeID) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(string(a), string(b))
	})
	out := make(map[NodeID]uint8, len(nodes))
	top := int(r.Whole().Priority) - 1
	gap := max(1, min(fallbackGap, (top-1)/max(1, len(nodes)-1)))
	for i, id := range nodes {
		out[id] = uint8(max(1, top-i*gap)) // where there are more nodes than priorities, the last of them are told apart by their addresses
	}
	return out
}

// Fit are the directors that could have all VIPs of the router, in no order: they fit, and are neither drained nor leaving.
func (s *State) Fit(r ResolvedRouter) []NodeID {
	return s.fit(r, func(n needs) needs { return n })
}

func (s *State) fit(r ResolvedRouter, of func(needs) needs) (nodes []NodeID) {
	all := s.Config.needsOf()
	for id, n := range s.Nodes {
		if !n.Draining && !n.Leaving && !slices.ContainsFunc(r.VIPs, func(v VIP) bool { return n.misfit(of(all[v.Name])) != "" }) {
			nodes = append(nodes, id)
		}
	}
	return nodes
}

// fallbackWire is where an election for an address takes place: routers of another one do not hear it.
type fallbackWire struct {
	vrid               uint8
	network, iface, id string
}

// fallbacks are the addresses for which nodes elect among themselves without a quorum.
func (c Config) fallbacks() map[AddressKey]fallbackWire {
	var out map[AddressKey]fallbackWire
	for _, r := range c.VirtualRouters() {
		for _, v := range r.VIPs {
			if v.QuorumLost != VRRPVIP || c.Shadows(v) {
				continue
			}
			if out == nil {
				out = map[AddressKey]fallbackWire{}
			}
			out[v.Key()] = fallbackWire{r.VRID, v.Network, v.Interface, v.Name}
		}
	}
	return out
}

// endFallbacks remembers who may go on with elections that a change of the configuration has ended: any director, as one that nobody hears does not know of the change.
// Until it has said that it does, the VIP is suspended, whatever its policy is now.
func (e *entry) endFallbacks(before Config) {
	was := before.fallbacks()
	if len(was) == 0 {
		return
	}
	now := e.next.Config.fallbacks()
	for _, k := range sortedKeys(was) {
		a, known := e.next.Assignments[k]
		if !known || now[k] == was[k] {
			continue
		}
		a.Holders = slices.Clone(a.Holders)
		for _, id := range slices.Sorted(maps.Keys(e.next.Nodes)) {
			i := slices.IndexFunc(a.Holders, func(h Holder) bool { return h.Node == id })
			switch {
			case e.next.Nodes[id].Role != Director:
			case i < 0:
				a.Holders = append(a.Holders, Holder{Node: id, Ended: e.index})
			case a.Holders[i].Ended > 0:
				a.Holders[i].Ended = e.index
			}
		}
		e.assignments()[k] = a
	}
}

// validateFallback judges the policy vrrp of the router's VIPs.
func (r ResolvedRouter) validateFallback(ps *Problems, object string) {
	if !slices.ContainsFunc(r.VIPs, func(v VIP) bool { return v.QuorumLost == VRRPVIP }) {
		return
	}
	if r.Priority > 0 && r.Priority < leastFallback {
		ps.add(object, "priority", itoa(uint32(r.Priority)), `its VIPs have quorum_lost = "vrrp", and the nodes elect below this priority: that leaves too little room`,
			fmt.Sprintf("use %d to 254", leastFallback))
	}
	if r.Unicast {
		ps.add(object, "unicast", "true", `its VIPs have quorum_lost = "vrrp", and the nodes would not hear each other's adverts`, "use multicast, or release or hold")
	}
}

// warnFallback says what the policy vrrp costs.
func (c Config) warnFallback(ps *Problems) {
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		if c.VIPs[name].QuorumLost == VRRPVIP {
			ps.add("vip."+name, "quorum_lost", string(VRRPVIP),
				"nodes without a quorum elect its owner by plain VRRP: the promise of one owner is suspended then, and two nodes that do not hear each other on the link both claim it",
				"use release where two owners are worse than none")
		}
	}
}
