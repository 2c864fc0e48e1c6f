package fsm

import (
	"cmp"
	"maps"
	"slices"
)

const (
	// DefaultMarkBase is the first firewall mark that a compound service gets, where the settings do not say another: far from the small numbers
	// that people and Docker's swarm use, and from the bits of Kubernetes (0x4000, 0x8000) and Tailscale (0xff0000).
	DefaultMarkBase = 0x51000000

	// markRange is how many marks from the first one on are the cluster's to hand out. Those of services that a change removes are not
	// handed out by the same change: the kernels would take the one service for the other.
	markRange   = 2 * MaxServices
	maxMarkBase = 1<<32 - markRange
)

// Marks are the first and the last of the firewall marks that compound services get.
func (s Settings) Marks() (first, last uint32) {
	first = cmp.Or(s.MarkBase, DefaultMarkBase)
	return first, first + (markRange - 1)
}

// handMarks gives each compound service a firewall mark, the lowest one that is free, and leaves it the one that it has. All directors have to
// use the same: it is in what they tell each other of connections.
func (e *entry) handMarks() {
	first, last := e.next.Config.Settings.Marks()
	old, marks, used := e.next.Marks, map[string]uint32{}, map[uint32]bool{}
	for name, m := range old {
		used[m] = true
		if e.next.Config.Services[name].Compound() && first <= m && m <= last {
			marks[name] = m
		}
	}
	free := first
	for _, name := range slices.Sorted(maps.Keys(e.next.Config.Services)) {
		if _, has := marks[name]; has || !e.next.Config.Services[name].Compound() {
			continue
		}
		for used[free] {
			free++
		}
		marks[name], used[free] = free, true
	}
	if e.next.Marks = marks; len(marks) == 0 {
		e.next.Marks = nil
	}
}
