package lease

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// tally is what a node has heard of the grantors' suspicions. Every node keeps one, so that a new leader can count at once.
type tally struct {
	nodes map[fsm.NodeID]map[fsm.Grantor]*suspicion
}

// suspicion is one grantor's word about one node. It is void when it was not repeated for T, or when the node's epoch is
// another.
type suspicion struct {
	boot      BootID
	seq       uint64
	epoch     fsm.Epoch
	heard     time.Duration
	silent    time.Duration
	withdrawn bool
}

// note takes a Suspect. Only members of the applied set have a word, and only about nodes of the applied state.
func (t *tally) note(now Instant, from fsm.Grantor, boot BootID, s Suspect, v *view) {
	if !v.set.Has(from) || v.agreed(s.Node) == 0 {
		return
	}
	by := t.nodes[s.Node]
	if by == nil {
		if t.nodes == nil {
			t.nodes = make(map[fsm.NodeID]map[fsm.Grantor]*suspicion)
		}
		by = make(map[fsm.Grantor]*suspicion)
		t.nodes[s.Node] = by
	}
	if old := by[from]; old != nil && old.boot == boot && s.Seq <= old.seq {
		return
	}
	by[from] = &suspicion{boot: boot, seq: s.Seq, epoch: s.Epoch, heard: now.Raw, silent: s.Silent, withdrawn: s.Withdrawn}
}

// applied forgets who is no longer a node or a member.
func (t *tally) applied(v *view) {
	maps.DeleteFunc(t.nodes, func(n fsm.NodeID, by map[fsm.Grantor]*suspicion) bool {
		maps.DeleteFunc(by, func(g fsm.Grantor, _ *suspicion) bool { return !v.set.Has(g) })
		return v.agreed(n) == 0
	})
}

// says reports whether g suspects n at its applied epoch.
func (t *tally) says(now Instant, n fsm.NodeID, g fsm.Grantor, v *view) bool {
	s := t.nodes[n][g]
	return s != nil && !s.withdrawn && s.epoch == v.agreed(n) && now.Raw-s.heard <= v.ttl
}

// count is how many members of the set suspect n.
func (t *tally) count(now Instant, n fsm.NodeID, v *view) int {
	if len(t.nodes[n]) == 0 {
		return 0
	}
	c := 0
	for _, g := range v.set.Members {
		if t.says(now, n, g, v) {
			c++
		}
	}
	return c
}

// silence is the longest time for which a member that suspects n has heard nothing of it.
func (t *tally) silence(now Instant, n fsm.NodeID, v *view) time.Duration {
	var silent time.Duration
	for _, g := range v.set.Members {
		if t.says(now, n, g, v) {
			silent = max(silent, t.nodes[n][g].silent)
		}
	}
	return silent
}

// text is the suspicion in words, for the timeline.
func (t *tally) text(now Instant, n fsm.NodeID, v *view) string {
	var by []string
	for _, g := range v.set.Members {
		if t.says(now, n, g, v) {
			by = append(by, string(g.Node))
		}
	}
	slices.Sort(by)
	return fmt.Sprintf("silent for %.2f s at %s", t.silence(now, n, v).Seconds(), strings.Join(by, ", "))
}
