package fsm

import (
	"cmp"
	"slices"
	"strings"
)

// Observers are the nodes that probe a server: as many as the settings say, chosen by rendezvous hashing among the
// directors that are not leaving, or all of those where there are fewer. Sorted by name. Every node works this out by
// itself, so builds must agree on it.
func Observers(s *State, server ServerKey) []NodeID {
	k := s.Config.Settings.Observers
	if k <= 0 {
		k = DefaultSettings().Observers
	}
	type candidate struct {
		id   NodeID
		cost uint64
	}
	key := hashText(server.String())
	all := make([]candidate, 0, len(s.Nodes))
	for id, n := range s.Nodes {
		if n.Role == Director && !n.Leaving {
			all = append(all, candidate{id, hashPair(key, hashText(string(id)))})
		}
	}
	if len(all) > k {
		slices.SortFunc(all, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.cost, b.cost), strings.Compare(string(a.id), string(b.id)))
		})
		all = all[:k]
	}
	out := make([]NodeID, len(all))
	for i, c := range all {
		out[i] = c.id
	}
	slices.Sort(out)
	return out
}
