package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (e *entry) setGrantors(c SetGrantors) error {
	set := e.next.Grantors
	if set.Index != c.Prev {
		return fmt.Errorf("grantors: %w: the set is that of entry %d, not %d", ErrStale, set.Index, c.Prev)
	}
	if len(c.Members) == 0 {
		return fmt.Errorf("grantors: %w: the set would be empty, and nobody could ever hold a lease again", ErrInvalid)
	}
	for _, g := range c.Members {
		if _, err := e.member(g.Node, g.Store); err != nil {
			return fmt.Errorf("grantors: %w", err)
		}
	}
	members := slices.SortedFunc(slices.Values(c.Members), func(a, b Grantor) int { return strings.Compare(string(a.Node), string(b.Node)) })
	if len(slices.Compact(slices.Clone(members))) != len(members) {
		return fmt.Errorf("grantors: %w: a member is listed twice", ErrInvalid)
	}
	next := GrantorSet{Index: e.index, Members: members}
	var texts []string
	for _, g := range set.Members {
		if !next.Has(g) {
			texts = append(texts, fmt.Sprintf("%s grants no leases any more", g.Node))
		}
	}
	for _, g := range members {
		if !set.Has(g) {
			texts = append(texts, fmt.Sprintf("%s grants leases", g.Node))
		}
	}
	// Majorities of two sets meet only if the sets differ in one member (design §3 “Grantor changes”).
	if len(texts) != 1 {
		return fmt.Errorf("grantors: %w: exactly one member may be added or removed at a time, not %d", ErrInvalid, len(texts))
	}
	e.next.Grantors = next
	e.event(Event{Kind: EventCluster, Text: fmt.Sprintf("%s (now %d of %d make a majority)", texts[0], next.Majority(), len(members))})
	return nil
}

func (e *entry) setSchema(c SetSchema) error {
	if c.Schema <= e.next.Schema {
		return fmt.Errorf("%w: the cluster is at %d already and never goes back, so not to %d", ErrSchema, e.next.Schema, c.Schema)
	}
	for _, id := range slices.Sorted(maps.Keys(e.next.Nodes)) {
		if newest := e.next.Nodes[id].Facts.Schema; newest < c.Schema {
			return fmt.Errorf("%w: node %s understands no more than %d, so the cluster cannot move to %d; upgrade quorate on %s", ErrSchema, id, newest, c.Schema, id)
		}
	}
	was := e.next.Schema
	e.next.Schema = c.Schema
	e.unsettledAll = true
	e.event(Event{Kind: EventCluster, Text: fmt.Sprintf("schema %d → %d", was, c.Schema)})
	return nil
}
