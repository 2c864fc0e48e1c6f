package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// VRID names a virtual router on a link, for one address family: 1 to 255.
type VRID uint8

// Version is the version of the protocol.
type Version uint8

const (
	// V2 is RFC 3768. keepalived speaks it over IPv6 too, which no RFC knows.
	V2 Version = 2
	// V3 is RFC 5798 and RFC 9568.
	V3 Version = 3
)

// Priority of a router for a virtual router: 1 to 254, or one of the two that mean something else.
type Priority uint8

const (
	// Releasing is advertised by an Active Router that stops, so that a Backup Router takes over after no more than Skew_Time
	// (RFC 9568 section 5.2.4).
	Releasing Priority = 0
	// Owner is the priority of the router whose own addresses these are (RFC 9568 section 5.2.4).
	Owner Priority = 255
)

// Family is the address family of a virtual router, by the version of IP.
type Family uint8

const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// FamilyOf is the family of an address; 0 for none.
func FamilyOf(a netip.Addr) Family {
	switch {
	case a.Is4():
		return IPv4
	case a.Is6() && !a.Is4In6():
		return IPv6
	}
	return 0
}

// Group is where adverts of the family are sent (RFC 9568 sections 5.1.1.2, 5.1.2.2): 224.0.0.18 or ff02::12.
func (f Family) Group() netip.Addr {
	if f == IPv6 {
		return netip.AddrFrom16([16]byte{0xff, 0x02, 15: 0x12})
	}
	return netip.AddrFrom4([4]byte{224, 0, 0, 18})
}

// String is "IPv4" or "IPv6".
func (f Family) String() string { return fmt.Sprintf("IPv%d", uint8(f)) }

// width is the length of an address of the family in bytes.
func (f Family) width() int {
	if f == IPv6 {
		return 16
	}
	return 4
}

const (
	// Protocol is VRRP's number in the IP header.
	Protocol = 112
	// protocolAH is the IP authentication header (RFC 2402), in which VRRPv2 could be wrapped (RFC 2338 section 5.3.6.3).
	protocolAH = 51

	typeAdvertisement = 1
	headerLen         = 8 // of a VRRP message, without addresses
	passwordLen       = 8 // authentication data that ends a VRRPv2 message over IPv4, whatever its type
	centisecond       = 10 * time.Millisecond
	// MaxIntervalV3 is the longest interval that twelve bits of centiseconds hold.
	MaxIntervalV3 = 4095 * centisecond
	// MaxIntervalV2 is the longest that eight bits of seconds hold.
	MaxIntervalV2 = 255 * time.Second
)

// AuthType is how VRRPv2 authenticates (RFC 2338 section 5.3.6; RFC 3768 took it out, keepalived kept it).
type AuthType uint8

const (
	AuthNone     AuthType = 0
	AuthPassword AuthType = 1
	// AuthHeader is the IP authentication header. It is recognised, never spoken: HMAC-MD5 protects nobody any more.
	AuthHeader AuthType = 2
)

// String is "none", "password", "ah" or the number.
func (a AuthType) String() string {
	switch a {
	case AuthNone:
		return "none"
	case AuthPassword:
		return "password"
	case AuthHeader:
		return "ah"
	}
	return fmt.Sprintf("type %d", uint8(a))
}

// Password is the simple text password of VRRPv2, padded with zeros. Everybody on the link can read it: it guards against mistakes.
type Password [passwordLen]byte

// PasswordOf is the password as it is sent. Of a longer one keepalived takes the first eight bytes, and so does this.
func PasswordOf(s string) (p Password) {
	copy(p[:], s)
	return p
}

// Advert is an ADVERTISEMENT as it is on the wire (RFC 9568 section 5.2, RFC 3768 section 5.3).
type Advert struct {
	Version  Version
	VRID     VRID
	Priority Priority
	// Interval between two adverts: whole seconds to [MaxIntervalV2] in version 2, 10 ms steps to [MaxIntervalV3] in version 3.
	Interval time.Duration
	// Addresses of the virtual router, all of the family of the IP header. Prefix lengths are not on the wire.
	Addresses []netip.Addr
	// Auth and Password are version 2's over IPv4. Version 2 over IPv6 has the type and no data.
	Auth     AuthType
	Password Password
	// Signed says that a trailer follows.
	Signed  bool
	Trailer Trailer
}

// DestinationKind is "multicast" or "unicast".
func DestinationKind(a netip.Addr) string {
	if a.IsMulticast() {
		return "multicast"
	}
	return "unicast"
}
