package lvs

import (
	"cmp"
	"slices"
)

// Overlapping finds matches that have packets in common, and tells of each pair the places in the list, the smaller one first. Of what overlaps many it
// does not tell every pair, but each match that is told of no pair overlaps no other such one.
//
// It sweeps over the addresses, and keeps what is there at each: those have different ports, so that they have an order. A thousand cost less than a
// millisecond.
func Overlapping(list []Match, tell func(i, j int)) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := list[i], list[j]
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), a.First.Compare(b.First), cmp.Compare(i, j))
	})
	var here []int // sorted by port, of one protocol, all reaching the address that the sweep is at
	next := -1     // that of them whose addresses end first
	for _, i := range order {
		m := list[i]
		if next >= 0 && (list[next].Protocol != m.Protocol || list[next].Last.Less(m.First)) {
			here = slices.DeleteFunc(here, func(j int) bool { return list[j].Protocol != m.Protocol || list[j].Last.Less(m.First) })
			next = -1
			for _, j := range here {
				next = endsFirst(list, next, j)
			}
		}
		from, to := m.ports()
		at, _ := slices.BinarySearchFunc(here, from, func(j int, port uint16) int {
			_, last := list[j].ports()
			return cmp.Compare(last, port)
		})
		if at < len(here) {
			if first, _ := list[here[at]].ports(); first <= to {
				tell(min(i, here[at]), max(i, here[at]))
				continue
			}
		}
		here = slices.Insert(here, at, i)
		next = endsFirst(list, next, i)
	}
}

func endsFirst(list []Match, i, j int) int {
	if i < 0 || list[j].Last.Less(list[i].Last) {
		return j
	}
	return i
}

// ports are those of the match, as the kernel compares them.
func (m Match) ports() (from, to uint16) {
	if m.FromPort == 0 {
		return 0, 65535
	}
	return m.FromPort, m.ToPort
}

// collisions refuses the later one of two services that would mark the same packets.
func collisions(services []Service, refuse func(later, earlier Service, a, b Match)) {
	var matches []Match
	var of []int
	for i, s := range services {
		for _, m := range s.Matches {
			matches, of = append(matches, m), append(of, i)
		}
	}
	Overlapping(matches, func(i, j int) {
		if of[i] != of[j] { // those of one service it has refused itself
			refuse(services[of[j]], services[of[i]], matches[j], matches[i])
		}
	})
}
