package vrrp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Decode reads the message of d into a, reusing a's room for addresses, so that it allocates nothing once there is enough. It judges the form
// alone: version, type, length and checksum; what it says is for [Checker] to compare. form is the form of the checksum. What could be read of a message that
// is dropped for its type, interval or checksum is in a, and so is what is wrapped in an authentication header: it has addresses only if it is sound.
//
// The order is that of keepalived, so that both name the same fault of a message that has several.
func (a *Advert) Decode(d Datagram) (form Form, r Reason) {
	*a = Advert{Addresses: a.Addresses[:0]}
	if d.AH {
		if form, r = a.decode(unwrap(d.Payload), d); r == Truncated {
			return 0, Truncated
		} else if r != Accepted {
			a.Addresses = a.Addresses[:0]
		}
		a.Auth = AuthHeader
		return form, InAH
	}
	return a.decode(d.Payload, d)
}

// decode reads a message that is not wrapped.
func (a *Advert) decode(b []byte, d Datagram) (form Form, r Reason) {
	if len(b) < headerLen {
		return 0, Truncated
	}
	a.Version, a.VRID, a.Priority = Version(b[0]>>4), VRID(b[1]), Priority(b[2])
	if a.Version != V2 && a.Version != V3 {
		return 0, BadVersion
	}
	family := FamilyOf(d.Source)
	count, width := int(b[3]), family.width()
	length := headerLen + count*width
	if a.Version == V2 && family == IPv4 {
		length += passwordLen
	}
	switch len(b) {
	case length:
	case length + trailerLen:
		a.Signed = true
		a.Trailer.decode(b[length:])
	default:
		return 0, BadLength
	}
	if a.Version == V2 {
		a.Auth, a.Interval = AuthType(b[4]), time.Duration(b[5])*time.Second
		if family == IPv4 {
			a.Password = Password(b[length-passwordLen:])
		}
	} else { // the four bits above are reserved, and ignored (RFC 9568 section 5.2.6)
		a.Interval = time.Duration(binary.BigEndian.Uint16(b[4:])&0xfff) * centisecond
	}
	for i := range count {
		at := b[headerLen+i*width:]
		if family == IPv6 {
			a.Addresses = append(a.Addresses, netip.AddrFrom16([16]byte(at)))
		} else {
			a.Addresses = append(a.Addresses, netip.AddrFrom4([4]byte(at)))
		}
	}
	covered := b
	if family == IPv4 { // IPv6's checksum is the kernel's as a rule, which knows of no trailer and covers all
		covered = b[:length]
	}
	form, right := formOf(a.Version, covered, d.Source, d.Destination)
	switch {
	case count == 0:
		return form, NoAddresses
	case b[0]&0xf != typeAdvertisement:
		return form, BadType
	case a.Interval == 0 && a.Version == V3:
		return form, ZeroInterval
	case !right:
		return form, BadChecksum
	}
	return form, Accepted
}
