package vip

import "errors"

// What callers may branch on; they arrive wrapped in [AddressStatus].Err with the place and the cure.
var (
	// ErrNoLink: the host has no such interface now.
	ErrNoLink = errors.New("no such link")
	// ErrLinkDown: the interface is administratively down.
	ErrLinkDown = errors.New("link is down")
	// ErrNoCarrier: the address is there, but the link passes no frames.
	ErrNoCarrier = errors.New("link has no carrier")
	// ErrForeign: the host holds the address outside our control.
	ErrForeign = errors.New("held by this host outside our control")
	// ErrFought: another program keeps removing the address; it is put back more slowly.
	ErrFought = errors.New("another program keeps removing it")
	// ErrUnmarked: the kernel did not keep our mark, so we could not tell the address from a foreign one.
	ErrUnmarked = errors.New("the kernel did not keep our mark")
	// ErrTwice: the same address is wanted more than once, on other links or with other prefix lengths.
	ErrTwice = errors.New("wanted twice")
	// ErrPermission: the process lacks a capability.
	ErrPermission = errors.New("not permitted")
	// ErrNoNeighbours: the link has no neighbours to tell (no Ethernet address); not a failure.
	ErrNoNeighbours = errors.New("link has no neighbours to tell")
	// ErrNoVirtual: this kernel cannot make a link with a virtual MAC.
	ErrNoVirtual = errors.New("no link with a virtual MAC can be made")
	// ErrInterrupted: a Clear cut the pass short.
	ErrInterrupted = errors.New("interrupted by Clear")
)
