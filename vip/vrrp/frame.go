package vrrp

import (
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	etherHeader = 14
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
)

// groupMAC is where a multicast group is reached on Ethernet (RFC 1112 section 6.4, RFC 2464 section 7).
func groupMAC(group netip.Addr) [6]byte {
	if group.Is4() {
		a := group.As4()
		return [6]byte{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
	}
	a := group.As16()
	return [6]byte{0x33, 0x33, a[12], a[13], a[14], a[15]}
}

// appendFrame appends to b the Ethernet frame of a packet to a multicast group, with the checksum of its IPv4 header, which nobody fills in below.
func appendFrame(b []byte, from net.HardwareAddr, group netip.Addr, packet []byte) []byte {
	to, kind := groupMAC(group), uint16(etherIPv4)
	if group.Is6() {
		kind = etherIPv6
	}
	b = append(append(b, to[:]...), from...)
	b = binary.BigEndian.AppendUint16(b, kind)
	at := len(b)
	b = append(b, packet...)
	if group.Is4() && len(packet) >= ipv4Header {
		header := b[at : at+ipv4Header]
		header[10], header[11] = 0, 0
		binary.BigEndian.PutUint16(header[10:], ^fold(sum(0, header)))
	}
	return b
}
