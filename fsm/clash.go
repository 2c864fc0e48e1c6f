package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// taking is what a service takes of one address, or of a range of them.
type taking struct {
	service   string
	compound  bool
	addresses AddressRange // not of a VIP's address
	ports     PortRange
}

// spot is a VIP's address as one protocol has it.
type spot struct {
	vip      string
	protocol Protocol
}

// clashes finds, by service, packets that two services would take of which one is compound: the kernels look for a firewall mark first, whatever else
// there is for the address, and nothing but the order in which they were made would say which of two marks a packet gets. Of two that clash the one whose
// name comes later has the problem, and one of them where there are several. Two services that are not compound may have all ports of an address and
// one of them: the kernels look for the one first.
//
// It takes as long as sorting what all services take, for there may be thousands of them.
func (c Config) clashes() map[string]Problems {
	at := map[spot][]taking{}
	compound := map[spot]bool{}
	routed := map[Protocol][]taking{}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		for _, ports := range s.PortRanges() {
			if ports.From > ports.last() {
				continue // said elsewhere
			}
			t := taking{service: name, compound: s.Compound(), ports: ports}
			for _, vip := range s.On() {
				k := spot{vip, s.Protocol}
				at[k] = append(at[k], t)
				compound[k] = compound[k] || t.compound
			}
			for _, r := range s.Addresses {
				if t.addresses = r; r.First.BitLen() == r.Last.BitLen() && !r.Last.Less(r.First) {
					routed[s.Protocol] = append(routed[s.Protocol], t)
				}
			}
		}
	}
	found := clashSet{}
	for k := range compound {
		if compound[k] {
			clashesOfPorts(at[k], func(a, b taking) { found.add(a, b, "vip "+k.vip) })
		}
	}
	for _, list := range routed {
		clashesOfAddresses(list, func(a, b taking) { found.add(a, b, later(a, b).addresses.String()) })
	}
	return found.problems(c)
}

// clashesOfPorts reports each taking that overlaps one with lower ports, with one that it overlaps.
func clashesOfPorts(list []taking, report func(a, b taking)) {
	slices.SortFunc(list, func(a, b taking) int { return cmp.Or(a.ports.compare(b.ports), cmp.Compare(a.service, b.service)) })
	var far, farCompound *taking // those of the takings so far that reach the highest port
	reaches := func(t *taking, x *taking) bool { return t != nil && t.ports.last() >= x.ports.From }
	for i := range list {
		x := &list[i]
		switch {
		case x.compound && reaches(far, x):
			report(*far, *x)
		case reaches(farCompound, x):
			report(*farCompound, *x)
		}
		if far == nil || x.ports.last() > far.ports.last() {
			far = x
		}
		if x.compound && (farCompound == nil || x.ports.last() > farCompound.ports.last()) {
			farCompound = x
		}
	}
}

// clashesOfAddresses reports takings that overlap in both addresses and ports. It goes through them by their first addresses, with those at hand by
// their ports that have not ended yet, or have and were in nobody's way since; these are disjoint, so that only neighbours can be in the way.
func clashesOfAddresses(list []taking, report func(a, b taking)) {
	slices.SortFunc(list, func(a, b taking) int {
		return cmp.Or(a.addresses.compare(b.addresses), a.ports.compare(b.ports), cmp.Compare(a.service, b.service))
	})
	var open []taking // disjoint, by their ports
next:
	for _, x := range list {
		i, _ := slices.BinarySearchFunc(open, x.ports.From, func(t taking, port uint16) int { return cmp.Compare(t.ports.From, port) })
		if i > 0 && open[i-1].ports.last() >= x.ports.From {
			i--
		}
		end := i
		for ; end < len(open) && open[end].ports.overlaps(x.ports); end++ {
			if open[end].addresses.overlaps(x.addresses) {
				report(open[end], x)
				continue next
			}
		}
		open = slices.Replace(open, i, end, x)
	}
}

// later is the one of two whose service's name comes later.
func later(a, b taking) taking {
	if a.service > b.service {
		return a
	}
	return b
}

// clash is what two services would both take.
type clash struct {
	mine, other PortRange
	service     string // the other one
	where       string
}

// clashSet holds for each service one clash with some other: the one that comes first in an order of its own, as those of a map come in none.
type clashSet map[string]clash

func (f clashSet) add(a, b taking, where string) {
	if a.service == b.service {
		return // said where the service is looked at by itself
	}
	mine, other := b, a
	if later(a, b) == a {
		mine, other = a, b
	}
	x := clash{mine.ports, other.ports, other.service, where}
	if was, had := f[mine.service]; !had || x.compare(was) < 0 {
		f[mine.service] = x
	}
}

func (x clash) compare(o clash) int {
	return cmp.Or(cmp.Compare(x.service, o.service), cmp.Compare(x.where, o.where), x.mine.compare(o.mine), x.other.compare(o.other))
}

func (f clashSet) problems(c Config) map[string]Problems {
	out := make(map[string]Problems, len(f))
	for name, x := range f {
		key := "port"
		if len(c.Services[name].Ports) > 0 {
			key = "ports"
		}
		var ps Problems
		ps.add("service."+name, key, x.mine.String(), fmt.Sprintf("service %q takes %s of %s, too", x.service, x.other.words(), x.where),
			"give each packet to one service: use other ports, or other addresses")
		out[name] = ps
	}
	return out
}

// words are the ports in a sentence.
func (r PortRange) words() string {
	switch {
	case r.all():
		return "all ports"
	case r.From == r.To:
		return "port " + r.String()
	default:
		return "ports " + r.String()
	}
}
