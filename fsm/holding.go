package fsm

import (
	"cmp"
	"net/netip"
	"slices"
)

// holding is a range of addresses that is somebody's.
type holding struct {
	AddressRange
	name string
}

// holdings are sorted by their first addresses.
type holdings []holding

func (l holdings) sorted() holdings {
	slices.SortFunc(l, func(a, b holding) int { return cmp.Or(a.compare(b.AddressRange), cmp.Compare(a.name, b.name)) })
	return l.widest()
}

// widest leaves out what is wholly in one before, so that the last addresses rise with the first ones, and a search finds each overlap.
func (l holdings) widest() holdings {
	var last netip.Addr
	return slices.DeleteFunc(l, func(x holding) bool {
		inside := last.IsValid() && last.BitLen() == x.Last.BitLen() && x.Last.Compare(last) <= 0
		if !inside {
			last = x.Last
		}
		return inside
	})
}

// find is the first holding that has an address of the range.
func (l holdings) find(r AddressRange) (holding, bool) {
	i, _ := slices.BinarySearchFunc(l, r.First, func(x holding, a netip.Addr) int { return x.Last.Compare(a) })
	if i < len(l) && l[i].overlaps(r) {
		return l[i], true
	}
	return holding{}, false
}
