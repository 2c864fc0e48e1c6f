package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Form is what the checksum of a message covers besides the message. Version 3 over IPv4 is sent in three forms; the other versions have
// one each: version 2 over IPv4 [MessageOnly], IPv6 [PseudoHeader].
type Form uint8

const (
	// Learn is no form: the one that was heard last from the peers, or from a fellow that has learned one, [PseudoHeader] until then.
	Learn Form = iota
	// PseudoHeader: with the source, the real destination, the protocol and the length. keepalived's default, which up to 2.2.7 takes no other.
	PseudoHeader
	// MessageOnly: nothing else (RFC 9568 section 5.2.8). keepalived's v3_checksum_as_v2, and what many routers send.
	MessageOnly
	// MulticastHeader: the pseudo header of 224.0.0.18, though it is sent to one peer. keepalived up to 1.3.6.
	MulticastHeader
)

// String is "learn", "pseudo-header", "message-only" or "multicast-header".
func (f Form) String() string {
	switch f {
	case Learn:
		return "learn"
	case PseudoHeader:
		return "pseudo-header"
	case MessageOnly:
		return "message-only"
	case MulticastHeader:
		return "multicast-header"
	}
	return fmt.Sprintf("form %d", uint8(f))
}

// MarshalText implements encoding.TextMarshaler.
func (f Form) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// sum adds up sixteen-bit words (RFC 1071) without folding; 65,000 bytes do not overflow it.
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

// fold ends a sum; 0xffff for a message whose checksum is right.
func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// sumAddr adds an address to a sum.
func sumAddr(s uint32, a netip.Addr) uint32 {
	if a.Is4() {
		b := a.As4()
		return sum(s, b[:])
	}
	b := a.As16()
	return sum(s, b[:])
}

// pseudo is the sum of a pseudo header: RFC 768's for IPv4, RFC 8200 section 8.1's for IPv6.
func pseudo(source, destination netip.Addr, length int) uint32 {
	return sumAddr(sumAddr(0, source), destination) + Protocol + uint32(length)
}

// formOf finds the form in which the checksum of a message is right. message ends before the trailer over IPv4, behind it over IPv6.
func formOf(v Version, message []byte, source, destination netip.Addr) (Form, bool) {
	s := sum(0, message)
	right := func(with uint32) bool { return fold(s+with) == 0xffff }
	if source.Is6() {
		return PseudoHeader, right(pseudo(source, destination, len(message)))
	}
	if v != V2 {
		if right(pseudo(source, destination, len(message))) {
			return PseudoHeader, true
		}
		if destination != IPv4.Group() && right(pseudo(source, IPv4.Group(), len(message))) {
			return MulticastHeader, true
		}
	}
	return MessageOnly, right(0)
}

// checksumOf is the checksum of a message whose checksum field is zero.
func checksumOf(v Version, f Form, message []byte, source, destination netip.Addr) uint16 {
	s := sum(0, message)
	switch {
	case source.Is6():
		s += pseudo(source, destination, len(message))
	case v == V2 || f == MessageOnly:
	case f == MulticastHeader:
		s += pseudo(source, IPv4.Group(), len(message))
	default:
		s += pseudo(source, destination, len(message))
	}
	return ^fold(s)
}
