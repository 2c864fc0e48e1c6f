package marker

import (
	"net/netip"
	"slices"

	"quorate/lvs"
)

// routedPrefixes are the fewest prefixes that have exactly the routed addresses of the services, sorted.
func routedPrefixes(services []lvs.Service) (out []netip.Prefix) {
	var ranges []lvs.Match
	for _, s := range services {
		for _, m := range s.Matches {
			if m.Routed {
				ranges = append(ranges, m)
			}
		}
	}
	slices.SortFunc(ranges, func(a, b lvs.Match) int { return a.First.Compare(b.First) })
	for len(ranges) > 0 {
		first, last := ranges[0].First, ranges[0].Last
		// Those of other ports and protocols overlap, and neighbours are joined.
		for ranges = ranges[1:]; len(ranges) > 0 && ranges[0].First.BitLen() == first.BitLen(); ranges = ranges[1:] {
			if next := last.Next(); next.IsValid() && next.Less(ranges[0].First) {
				break
			}
			if last.Less(ranges[0].Last) {
				last = ranges[0].Last
			}
		}
		out = append(out, split(first, last)...)
	}
	return out
}

// split covers the addresses from first to last, which are of one family, by the fewest prefixes.
func split(first, last netip.Addr) (out []netip.Prefix) {
	for {
		bits := first.BitLen()
		for bits > 0 {
			wider := netip.PrefixFrom(first, bits-1)
			if wider.Masked().Addr() != first || last.Less(end(wider)) {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(first, bits)
		out = append(out, p)
		if first = end(p).Next(); !first.IsValid() || last.Less(first) {
			return out
		}
	}
}

// end is the last address of a prefix.
func end(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// covered reports whether some of the prefixes, which are sorted and do not overlap, have all addresses of the match.
func covered(m lvs.Match, by []netip.Prefix) bool {
	next := m.First
	for _, p := range by {
		if p.Contains(next) {
			if next = end(p).Next(); !next.IsValid() || m.Last.Less(next) {
				return true
			}
		}
	}
	return false
}
