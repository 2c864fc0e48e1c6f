package vrrp

import (
	"net/netip"
	"testing"
)

// The speaker's tests are outside the package, as the cable on which they run imports it. This is what they take from those inside.

func Base() Config                      { return base() }
func Addr(s string) netip.Addr          { return addr(s) }
func Addrs(list ...string) []netip.Addr { return addrs(list...) }

// PacketInAH is an advert of version 2 in an authentication header.
func PacketInAH(t testing.TB, v VRID) []byte {
	t.Helper()
	v2 := unhex(t, vectors[0].hex)
	v2[1] = byte(v)
	v2 = inAH(v2)
	packet := appendIP(nil, addr("192.168.1.10"), IPv4.Group(), 1, len(v2))
	packet[9] = protocolAH
	return append(packet, v2...)
}

// inAH puts an authentication header before a message, with the 96 bits of HMAC-MD5 that VRRPv2 prescribes (RFC 2338 section 5.3.6.3).
func inAH(message []byte) []byte {
	const length = ahFixed + 12
	return append(append([]byte{Protocol, length/4 - 2}, make([]byte, length-2)...), message...)
}
