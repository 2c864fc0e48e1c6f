package vip

import (
	"net/netip"
	"time"
)

// AddressStatus is one address that is wanted, or is ours, or is the cluster's and held by this host outside our control.
type AddressStatus struct {
	Prefix netip.Prefix
	// Link is the one that carries it: with a virtual MAC the one that was made for that.
	Link string
	// Parent is the link that was named, where the address is on a virtual MAC over it; "" = it is on Link itself.
	Parent string
	// Wanted is what the caller's last word said, as far as it still holds.
	Wanted bool
	// Actual says that the kernel's list has it on this link.
	Actual bool
	// Err is why Wanted and Actual differ, or what else is wrong with it; nil when all is well.
	Err error
	// AnnouncedAt is when neighbours were last told; zero when never.
	AnnouncedAt time.Time
	// Lingers says that it is wanted only for as long as it is being handed over; then it is no fault that it has gone.
	Lingers bool
}

// Status is what the kernel's list showed at the end of a pass.
type Status struct {
	At        time.Time
	Addresses []AddressStatus // sorted by link, then address
	// Err is set when the kernel could not be listed; then every Actual is false for want of knowledge.
	Err error
	// Gate is what is wrong with the gate, so that addresses may not be opened or closed as they should be; nil when all is
	// well or there is none. What one link lacks is in the Err of its addresses.
	Gate error

	present map[netip.Addr]struct{}
	silent  map[netip.Addr]struct{}
}

// Silent says that this host does not claim addr any more, and will not until Reconcile is told to: the address is absent, or
// it lingers, and the gate was told and is on the link that the kernel's list has it on.
func (s Status) Silent(addr netip.Addr) bool {
	_, lingers := s.silent[addr]
	return s.Absent(addr) || s.Err == nil && lingers
}

// Absent says that the kernel's list was read and has addr on no link, ours or foreign: only then may the address be
// confirmed as given up.
func (s Status) Absent(addr netip.Addr) bool {
	_, there := s.present[addr]
	return s.Err == nil && s.present != nil && !there
}
