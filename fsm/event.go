package fsm

import "time"

// EventKind names what happened.
type EventKind string

// The kinds of events.
const (
	EventCluster  EventKind = "cluster"  // formed, schema or grantor set changed
	EventNode     EventKind = "node"     // joined, left, drained, new address
	EventConfig   EventKind = "config"   // a configuration was applied
	EventAssign   EventKind = "assign"   // a VIP got an owner
	EventRelease  EventKind = "release"  // an owner was asked to give up
	EventCancel   EventKind = "cancel"   // a release was withdrawn
	EventFence    EventKind = "fence"    // a node was fenced
	EventRaise    EventKind = "raise"    // a node epoch was raised after an orphaned promise
	EventHealth   EventKind = "health"   // a server's verdict changed
	EventServer   EventKind = "server"   // an operator changed a server, or its drain ended
	EventService  EventKind = "service"  // a service lost its quorum of servers, or met it again; since schema 5
	EventNotify   EventKind = "notify"   // a notifier cannot be told, or can again, or loses events; since schema 6
	EventVRRP     EventKind = "vrrp"     // a router outside the cluster has the VIPs of a virtual router, or no longer; since schema 7
	EventShadow   EventKind = "shadow"   // what would have been done with a VIP in shadow; since schema 7
	EventReported EventKind = "reported" // a node reported something, e.g. an address removed by another program
)

// Event is one line of the cluster's timeline.
type Event struct {
	Index  uint64    `json:"index"`
	At     time.Time `json:"at"` // stamped by the leader that proposed it
	Kind   EventKind `json:"kind"`
	Actor  string    `json:"actor,omitempty"` // who caused it: "planner", "cli:root", "n2"
	Node   NodeID    `json:"node,omitempty"`
	VIP    string    `json:"vip,omitempty"`
	Server string    `json:"server,omitempty"`
	// Service is what an EventService is about. Since schema 5.
	Service string     `json:"service,omitempty"`
	Reason  ReasonCode `json:"reason,omitempty"`
	Text    string     `json:"text"`
	// Stages of a VIP that changed hands. Since schema 3.
	Stages Stages `json:"stages,omitzero"`
	// Notifier is what an EventNotify is about. Since schema 6.
	Notifier string `json:"notifier,omitempty"`
	// N is how many events of the same entry come before it: with Index it names the event for ever. 0 before schema 6.
	N int `json:"n,omitempty"`
}

// Place is where the event stands in the timeline.
func (e Event) Place() Place { return Place{e.Index, e.N} }

// Timeline is a bounded list of events, oldest first.
type Timeline []Event

// MaxEvents bounds the timeline; older events are forgotten.
const MaxEvents = 1000

// with returns a timeline that also has es. The receiver is not changed.
func (t Timeline) with(es ...Event) Timeline {
	if len(es) == 0 {
		return t
	}
	n := len(t) + len(es)
	drop := max(0, n-MaxEvents)
	out := make(Timeline, 0, min(n, MaxEvents))
	if drop < len(t) {
		out = append(out, t[drop:]...)
		drop = 0
	} else {
		drop -= len(t)
	}
	return append(out, es[drop:]...)
}
