package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Apply returns the state after the entry at index, and what came of the command. It is a pure function of its arguments:
// every replica gets the same State. The receiver is left as it is; what it returns shares with it what did not change.
// Apply takes the command over, so neither it nor what it points to may be changed afterwards.
//
// It accepts any command without a panic. A command that is refused, or that is empty, changes nothing but the index. Indexes
// must grow; an index that was already applied is refused and leaves all as it is.
func (s *State) Apply(index uint64, c Command) (*State, Result) {
	if index <= s.Index {
		return s, Result{Index: index, Err: fmt.Errorf("entry %d was already applied (the state is at %d): %w", index, s.Index, ErrStale)}
	}
	e := newEntry(s, index, c)
	if err := e.run(c); err != nil {
		refused := *s
		refused.Index = index
		return &refused, Result{Index: index, Err: err}
	}
	e.settleServices()
	e.keepBacklog(s.Events)
	e.next.Events = s.Events.with(e.events...)
	return e.next, Result{Index: index, Refused: e.refused}
}

// entry is one entry of the log while it is applied. The maps of next are the previous state's until the methods below
// copy them for writing, once for each entry.
type entry struct {
	index uint64
	at    time.Time
	actor string

	next    *State
	copied  struct{ nodes, assignments, servers, services, outbox, foreign bool }
	fencing NodeID // the node that this entry fences: what it loses, it has not confirmed
	// unsettled are the services whose servers the entry has changed, unsettledAll stands for all of them.
	unsettled    map[string]bool
	unsettledAll bool
	fallen       map[ServerKey]bool // they went from up to down with it
	events       []Event
	refused      []Refusal
}

func newEntry(s *State, index uint64, c Command) *entry {
	next := *s
	next.Index = index
	// JSON has no year beyond 9999, and a state must always fit into a snapshot.
	at := c.At.UTC().Round(0)
	if at.Year() < 1 || at.Year() > 9999 {
		at = time.Time{}
	}
	return &entry{index: index, at: at, actor: clip(c.Actor, 256), next: &next}
}

func (e *entry) run(c Command) error {
	if err := e.admit(c); err != nil {
		return err
	}
	switch {
	case c.Init != nil:
		return e.init(*c.Init, c.Schema)
	case c.PutNode != nil:
		return e.putNode(c.PutNode.Node)
	case c.RemoveNode != nil:
		return e.removeNode(*c.RemoveNode)
	case c.SetFacts != nil:
		return e.setFacts(*c.SetFacts)
	case c.SetDrain != nil:
		return e.setDrain(*c.SetDrain)
	case c.SetGrantors != nil:
		return e.setGrantors(*c.SetGrantors)
	case c.SetSchema != nil:
		return e.setSchema(*c.SetSchema)
	case c.Configure != nil:
		return e.configure(*c.Configure)
	case c.SetAdmin != nil:
		return e.setAdmin(*c.SetAdmin)
	case c.SetHealth != nil:
		return e.setHealth(*c.SetHealth)
	case c.Decide != nil:
		e.decide(*c.Decide)
	case c.Fenced != nil:
		return e.fenced(*c.Fenced)
	case c.Raise != nil:
		return e.raise(*c.Raise)
	case c.Record != nil:
		e.record(*c.Record)
	case c.HoldOff != nil:
		return e.holdOff(*c.HoldOff)
	case c.SetPaths != nil:
		e.setPaths(*c.SetPaths)
	case c.EndDrain != nil:
		return e.endDrain(*c.EndDrain)
	case c.Delivered != nil:
		return e.delivered(*c.Delivered)
	case c.SetNodeHealth != nil:
		return e.setNodeHealth(*c.SetNodeHealth)
	case c.SetForeign != nil:
		return e.setForeign(*c.SetForeign)
	case c.SetFresh != nil:
		e.setFresh(*c.SetFresh)
	}
	return nil
}

// admit refuses what no state would take.
func (e *entry) admit(c Command) error {
	formed := e.next.ClusterID != ""
	switch kind := c.Kind(); {
	case kind == "several":
		return fmt.Errorf("a command with more than one body: %w", ErrInvalid)
	case c.Schema > MaxSchema:
		return fmt.Errorf("%w %d is newer than this build understands (%d); upgrade quorate on this node", ErrSchema, c.Schema, MaxSchema)
	case formed && c.Schema > e.next.Schema:
		return fmt.Errorf("%w %d is newer than the cluster's (%d), which waits for its oldest member", ErrSchema, c.Schema, e.next.Schema)
	case kind == "init" && formed:
		return fmt.Errorf("cluster %s: %w", e.next.ClusterID, ErrInitDone)
	case formed && c.needs() > e.next.Schema:
		return fmt.Errorf("%s: %w", kind, tooNew(c.needs(), e.next.Schema))
	case kind != "init" && kind != "empty" && !formed:
		return fmt.Errorf("%s: %w; run `quorate bootstrap` on one node", kind, ErrNotInit)
	}
	return nil
}

// nodes, assignments, servers and services are the maps of the next state, to be written.
func (e *entry) nodes() map[NodeID]Node {
	return own(&e.next.Nodes, &e.copied.nodes)
}

func (e *entry) assignments() map[AddressKey]Assignment {
	return own(&e.next.Assignments, &e.copied.assignments)
}

func (e *entry) servers() map[ServerKey]ServerState {
	return own(&e.next.Servers, &e.copied.servers)
}

func (e *entry) services() map[string]ServiceState {
	return own(&e.next.Services, &e.copied.services)
}

func (e *entry) outbox() map[string]Outbox {
	return own(&e.next.Outbox, &e.copied.outbox)
}

// own makes a map of the state before this one into one of the next state's own, once.
func own[K comparable, V any](m *map[K]V, copied *bool) map[K]V {
	if !*copied {
		*m, *copied = cloneMap(*m), true
	}
	return *m
}

// cloneMap is maps.Clone that makes a map of a nil one.
func cloneMap[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return maps.Clone(m)
}

// event adds a line to the timeline, stamped with the entry's index, time and actor.
func (e *entry) event(ev Event) {
	ev.Index, ev.At, ev.Actor = e.index, e.at, cmp.Or(e.actor, ev.Actor)
	ev.Text = clip(ev.Text, 1024)
	if ev.N = 0; e.next.Schema >= schemaHealth {
		ev.N = len(e.events)
	}
	e.events = append(e.events, ev)
}

func (e *entry) refuse(k AddressKey, format string, args ...any) {
	e.refused = append(e.refused, Refusal{Key: k, Why: fmt.Sprintf(format, args...)})
}

func (e *entry) record(r Record) {
	ev := r.Event
	ev.Kind, ev.Notifier = EventReported, ""
	ev.Actor = clip(ev.Actor, 256)
	ev.Node = NodeID(clip(string(ev.Node), MaxName))
	ev.Service = clip(ev.Service, MaxName)
	ev.VIP, ev.Server, ev.Reason = clip(ev.VIP, MaxName), clip(ev.Server, 256), ReasonCode(clip(string(ev.Reason), MaxName))
	e.event(ev)
}

// clip makes a text from outside fit for the state: valid UTF-8 (JSON would change it otherwise), at most n bytes.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// plural is like "1 VIP", "2 VIPs".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (r Reason) clip() Reason {
	return Reason{Code: ReasonCode(clip(string(r.Code), MaxName)), Text: clip(r.Text, 1024)}
}

// sortedKeys are the keys of an assignment map in their order, because the order of a map differs between replicas.
func sortedKeys[V any](m map[AddressKey]V) []AddressKey {
	keys := make([]AddressKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, AddressKey.Compare)
	return keys
}
