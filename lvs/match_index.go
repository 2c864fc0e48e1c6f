package lvs

import (
	"net/netip"
	"slices"
)

// MatchIndex tells which of several matches a packet belongs to, without looking at all of them: of those for single addresses, which are most, only at
// some of the address. It is not changed after NewMatchIndex; safe for concurrent use.
type MatchIndex struct {
	single map[matchPoint][]indexed // by their first ports
	ranges []indexed
}

type matchPoint struct {
	protocol string
	addr     netip.Addr
}

type indexed struct {
	Match
	n int
}

// NewMatchIndex indexes matches of which none overlap. Of those that do any one may be found.
func NewMatchIndex(matches []Match) *MatchIndex {
	x := &MatchIndex{single: map[matchPoint][]indexed{}}
	for n, m := range matches {
		m = m.canonical()
		if m.First != m.Last {
			x.ranges = append(x.ranges, indexed{m, n})
			continue
		}
		k := matchPoint{m.Protocol, m.First}
		x.single[k] = append(x.single[k], indexed{m, n})
	}
	for _, list := range x.single {
		slices.SortFunc(list, func(a, b indexed) int { return int(a.FromPort) - int(b.FromPort) })
	}
	return x
}

// Find is the number, in the list that the index was made of, of the match that has a packet of the protocol to an address and port; ok is false where none has.
func (x *MatchIndex) Find(protocol string, to netip.AddrPort) (n int, ok bool) {
	to = canonical(to)
	list := x.single[matchPoint{protocol, to.Addr()}]
	i, exact := slices.BinarySearchFunc(list, to.Port(), func(m indexed, port uint16) int { return int(m.FromPort) - int(port) })
	if !exact {
		i--
	}
	if i >= 0 && i < len(list) && list[i].takes(protocol, to) {
		return list[i].n, true
	}
	for _, m := range x.ranges {
		if m.takes(protocol, to) {
			return m.n, true
		}
	}
	return 0, false
}

// takes reports whether a packet to an address and port belongs to the match.
func (m Match) takes(protocol string, to netip.AddrPort) bool {
	return m.Protocol == protocol && m.First.BitLen() == to.Addr().BitLen() && m.First.Compare(to.Addr()) <= 0 && to.Addr().Compare(m.Last) <= 0 &&
		(m.FromPort == 0 || m.FromPort <= to.Port() && to.Port() <= m.ToPort)
}
