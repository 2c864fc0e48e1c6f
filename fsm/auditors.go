package fsm

import (
	"cmp"
	"slices"
	"strings"
)

// Auditors are the nodes that can look from outside whether the owner of an address answers for it: the directors with a link to
// its network, without the owner, who does not hear himself, and without those that were fenced and are not back. The first
// does it, and the others, in turn, where those before them seem dead; each address has an order of its own, so that the work is spread
// (rendezvous hashing). There are none for what nobody is to answer for: what is in shadow, and what a router outside the cluster has. Nothing is lost where two nodes are of different opinion about it: an address is looked at twice then.
func Auditors(s *State, k AddressKey) []NodeID {
	type candidate struct {
		id   NodeID
		cost uint64
	}
	a := s.Assignments[k]
	if a.Shadow || s.foreignHas(k) {
		return nil
	}
	key := hashText("audit/" + k.String())
	var all []candidate
	for id, n := range s.Nodes {
		if id == a.Owner || n.Role != Director || n.Leaving || n.Flap.Away {
			continue
		}
		if _, ok := n.Facts.LinkFor(k.Addr, a.Interface); ok {
			all = append(all, candidate{id, hashPair(key, hashText(string(id)))})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), strings.Compare(string(a.id), string(b.id)))
	})
	out := make([]NodeID, len(all))
	for i, c := range all {
		out[i] = c.id
	}
	return out
}
