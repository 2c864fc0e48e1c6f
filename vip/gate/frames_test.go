package gate

import (
	"encoding/binary"
	"net/netip"
)

// Frames for tests. The MACs: lo, on which programs are tried out, has the MAC zero.

var (
	macOurs  = [6]byte{}
	macOther = [6]byte{2, 0, 0, 0, 0, 9}
	macAll   = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// ether puts an Ethernet header, with tags, before a payload.
func ether(to [6]byte, typ uint16, payload []byte, tags ...uint16) []byte {
	f := append(append([]byte{}, to[:]...), macOther[:]...)
	for _, t := range tags {
		f = binary.BigEndian.AppendUint16(f, t)
		f = append(f, 0, 7)
	}
	return append(binary.BigEndian.AppendUint16(f, typ), payload...)
}

const (
	request = 1
	reply   = 2
)

func arpPacket(op byte, sender, target string) []byte {
	p := []byte{0, 1, 8, 0, 6, 4, 0, op}
	p = append(append(p, macOther[:]...), ip(sender).AsSlice()...)
	return append(append(p, make([]byte, 6)...), ip(target).AsSlice()...)
}

func arpFrame(op byte, sender, target string, tags ...uint16) []byte {
	return ether(macAll, 0x0806, arpPacket(op, sender, target), tags...)
}

func ip4(source, destination string) []byte {
	p := make([]byte, 28)
	p[0], p[8], p[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(p[2:], 28)
	copy(p[12:], ip(source).AsSlice())
	copy(p[16:], ip(destination).AsSlice())
	return p
}

func ip6(source, destination string, next byte, payload []byte) []byte {
	p := make([]byte, 40, 40+len(payload))
	p[0], p[6], p[7] = 0x60, next, 255
	binary.BigEndian.PutUint16(p[4:], uint16(len(payload)))
	copy(p[8:], ip(source).AsSlice())
	copy(p[24:], ip(destination).AsSlice())
	return append(p, payload...)
}

// nd is a neighbour discovery message with a target.
func nd(typ byte, target string) []byte {
	return append([]byte{typ, 0, 0, 0, 0, 0, 0, 0}, ip(target).AsSlice()...)
}
