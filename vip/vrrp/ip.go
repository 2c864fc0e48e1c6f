package vrrp

import (
	"encoding/binary"
	"net/netip"
)

const (
	ipv4Header = 20
	ipv6Header = 40
	// wireTTL is that of every advert: one that has passed a router has less (RFC 9568 sections 5.1.1.3, 5.1.2.3; RFC 5082).
	wireTTL = 255
	// trafficClass is CS6, network control, as keepalived has it.
	trafficClass = 0xc0
)

// Datagram is a VRRP message with what its IP header says.
type Datagram struct {
	Source, Destination netip.Addr
	TTL                 uint8 // the hop limit of IPv6
	AH                  bool  // the message is wrapped in an authentication header, and Payload begins with that
	Payload             []byte
}

// ParseIPv4 reads a packet from its IPv4 header on, as a raw socket gives it. Payload is part of b, without the padding of short frames. Options are
// passed over. Fragments are refused: no advert needs any.
func ParseIPv4(b []byte) (d Datagram, r Reason) {
	if len(b) < ipv4Header {
		return d, Truncated
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case b[0]>>4 != 4:
		return d, NotVRRP
	case header < ipv4Header || total < header || total > len(b):
		return d, Truncated
	case binary.BigEndian.Uint16(b[6:])&0x3fff != 0: // more fragments, or an offset
		return d, NotVRRP
	case b[9] != Protocol && b[9] != protocolAH:
		return d, NotVRRP
	}
	if b[9] == protocolAH {
		if message := unwrap(b[header:total]); message == nil || b[header] != Protocol {
			return d, NotVRRP
		}
	}
	return Datagram{
		Source: netip.AddrFrom4([4]byte(b[12:])), Destination: netip.AddrFrom4([4]byte(b[16:])),
		TTL: b[8], AH: b[9] == protocolAH, Payload: b[header:total],
	}, Accepted
}

// ahFixed is how long an authentication header is without its check value (RFC 2402 section 2). The next header is its first byte; the second says how long it is.
const ahFixed = 12

// unwrap is what follows an authentication header; nil if that is not whole.
func unwrap(b []byte) []byte {
	if len(b) < ahFixed {
		return nil
	}
	n := (int(b[1]) + 2) * 4
	if n < ahFixed || n > len(b) {
		return nil
	}
	return b[n:]
}

// appendIP appends the IP header of a message to b. The IPv4 header's own checksum is the kernel's to fill in; its identification is never zero,
// which would leave it to the kernel.
func appendIP(b []byte, source, destination netip.Addr, id uint16, length int) []byte {
	if source.Is4() {
		s, d := source.As4(), destination.As4()
		b = append(b, 0x45, trafficClass)
		b = binary.BigEndian.AppendUint16(b, uint16(ipv4Header+length))
		b = binary.BigEndian.AppendUint16(b, max(id, 1))
		b = append(b, 0, 0, wireTTL, Protocol, 0, 0)
		b = append(b, s[:]...)
		return append(b, d[:]...)
	}
	s, d := source.As16(), destination.As16()
	b = append(b, 0x60|trafficClass>>4, trafficClass<<4&0xff, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, Protocol, wireTTL)
	b = append(b, s[:]...)
	return append(b, d[:]...)
}
