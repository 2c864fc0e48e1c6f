package vip

import (
	"fmt"
	"net/netip"
	"time"
)

// EventKind says what happened to an address without the caller asking for it.
type EventKind uint8

// The kinds of events.
const (
	_ EventKind = iota
	// EventRemoved: another program removed an address of ours; it is put back.
	EventRemoved
	// EventChanged: another program took our mark from an address of ours; it is taken back.
	EventChanged
	// EventFought: another program keeps removing an address of ours; it is put back once a second only.
	EventFought
	// EventExpired: the lifetime of a wanted address ran out in the kernel, as when this process was frozen.
	EventExpired
	// EventForeign: the host holds an address of the cluster outside our control.
	EventForeign
	// EventForeignGone: that conflict is over.
	EventForeignGone
	// EventTakenOver: a foreign address equal to a wanted one became ours.
	EventTakenOver
	// EventLapsed: the caller was silent for longer than the lifetime; the address was given up.
	EventLapsed
	// EventUngated: an address was given up, because its link lost the gate and could not be given it back.
	EventUngated
	// EventMended: a link had lost the gate, and has it back. Prefix is not set.
	EventMended
)

// String is the form used in logs, metrics and the API.
func (k EventKind) String() string {
	switch k {
	case EventRemoved:
		return "removed"
	case EventChanged:
		return "changed"
	case EventFought:
		return "fought"
	case EventExpired:
		return "expired"
	case EventForeign:
		return "foreign"
	case EventForeignGone:
		return "foreign-gone"
	case EventTakenOver:
		return "taken-over"
	case EventLapsed:
		return "lapsed"
	case EventUngated:
		return "ungated"
	case EventMended:
		return "mended"
	}
	return fmt.Sprintf("event(%d)", uint8(k))
}

// Event is something that happened to an address without the caller asking for it.
type Event struct {
	At     time.Time
	Kind   EventKind
	Prefix netip.Prefix
	Link   string
	Text   string // a sentence for a person
}
