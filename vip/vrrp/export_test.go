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
	packet := appendIP(nil, addr("192.168.1.10"), IPv4.Group(), 1, ahLen+len(v2))
	packet[9] = protocolAH
	return append(append(packet, append([]byte{Protocol, 4}, make([]byte, ahLen-2)...)...), v2...)
}
