package vip

import (
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

var mac = net.HardwareAddr{0x02, 0x00, 0x5e, 0x10, 0x20, 0x30}

// TestFrames compares whole frames with what RFC 5227 section 2.3 and RFC 4861 section 4.4 prescribe, field by field.
func TestFrames(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.10": `
			ffffffffffff 02005e102030 0806          Ethernet: broadcast, from us, ARP
			0001 0800 06 04 0001                    Ethernet, IPv4, lengths, request
			02005e102030 c000020a                   sender: our MAC, the VIP
			000000000000 c000020a                   target: ignored, the VIP`,
		"2001:db8::10": `
			333300000001 02005e102030 86dd          Ethernet: all nodes, from us, IPv6
			60000000 0020 3a ff                     version, length 32, ICMPv6, hop limit 255
			20010db8000000000000000000000010        source: the VIP
			ff020000000000000000000000000001        destination: all nodes
			88 00 7acd 20000000                     advertisement, checksum, override alone
			20010db8000000000000000000000010        target: the VIP
			02 01 02005e102030                      target link-layer address option`,
	} {
		frame, _, err := announcement(mac, netip.MustParseAddr(addr))
		must(t, err)
		var hexes strings.Builder
		for line := range strings.Lines(strings.TrimSpace(want)) {
			bytes, _, _ := strings.Cut(strings.TrimSpace(line), "   ")
			hexes.WriteString(strings.ReplaceAll(bytes, " ", ""))
		}
		if got := hex.EncodeToString(frame); got != hexes.String() {
			t.Errorf("%s:\n%s want\n%s", addr, got, hexes.String())
		}
		if addr == "2001:db8::10" && checksum(frame) != 0xffff {
			t.Errorf("ICMPv6 checksum is wrong: sum %#x", checksum(frame))
		}
	}
	if _, _, err := announcement(make([]byte, 20), netip.MustParseAddr("192.0.2.10")); !errors.Is(err, ErrNoNeighbours) {
		t.Errorf("an InfiniBand address: %v", err)
	}
}

// checksum adds up pseudo-header and message of an ICMPv6 frame (RFC 8200 section 8.1); all ones when it is right.
func checksum(frame []byte) uint32 {
	ip := frame[14:]
	b := append([]byte{}, ip[8:40]...)
	b = append(b, 0, 0, ip[4], ip[5], 0, 0, 0, 58)
	b = append(b, ip[40:]...)
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}
