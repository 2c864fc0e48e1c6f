package fsm

import (
	"cmp"
	"slices"
	"strings"
)

// OwnersOf are the nodes that own VIPs of the service, sorted.
func (s *State) OwnersOf(service string) []NodeID {
	svc, ok := s.Config.Services[service]
	if !ok {
		return nil
	}
	var out []NodeID
	for _, name := range svc.On() {
		v, ok := s.Config.VIPs[name]
		if owner := s.Assignments[v.Key()].Owner; ok && owner != "" {
			out = append(out, owner)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Observers are the nodes that probe a server: as many as the settings say, chosen by rendezvous hashing among the
// directors that are not leaving, or all of those where there are fewer; where a check goes through the forwarding path, those
// that can probe so come first. Sorted by name. Every node works this out by
// itself, so builds must agree on it.
func Observers(s *State, server ServerKey) []NodeID {
	k := s.Config.Settings.Observers
	if k <= 0 {
		k = DefaultSettings().Observers
	}
	out := make([]NodeID, 0, len(s.Nodes))
	for id, n := range s.Nodes {
		if n.Role == Director && !n.Leaving {
			out = append(out, id)
		}
	}
	if len(out) > k {
		out = s.nearest(server, out, k)
	}
	slices.Sort(out)
	return out
}

// nearest are the k of the directors that are to probe the server.
func (s *State) nearest(server ServerKey, directors []NodeID, k int) []NodeID {
	type candidate struct {
		id   NodeID
		cost uint64
		last bool // it can only probe the server's own address, and that is not what is asked
	}
	through := s.Config.Services[server.Service].ChecksThrough()
	key := hashText(server.String())
	all := make([]candidate, len(directors))
	for i, id := range directors {
		all[i] = candidate{id, hashPair(key, hashText(string(id))), through && !ProbesThrough(s, server, id)}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		if a.last != b.last {
			return map[bool]int{true: 1, false: -1}[a.last]
		}
		return cmp.Or(cmp.Compare(a.cost, b.cost), strings.Compare(string(a.id), string(b.id)))
	})
	out := directors[:0]
	for _, c := range all[:k] {
		out = append(out, c.id)
	}
	return out
}
