package lab

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"golang.org/x/net/bpf"
)

// Frame is one that a host sent about an address.
type Frame struct {
	At   Instant
	Host string
	Kind FrameKind
}

// FrameKind is how a frame says that its sender has an address.
type FrameKind uint8

// The kinds of frames.
const (
	FrameARP    FrameKind = iota // ARP with the address as sender: an answer, a question from it, a gratuitous one
	FrameNDP                     // neighbour advertisement for it
	FrameAdvert                  // VRRP advertisement that lists it, with a priority above 0
	FrameIP                      // any other IP packet from it
)

// String names the kind.
func (k FrameKind) String() string {
	switch k {
	case FrameARP:
		return "ARP"
	case FrameNDP:
		return "NDP"
	case FrameAdvert:
		return "VRRP"
	case FrameIP:
		return "IP"
	default:
		return fmt.Sprintf("FrameKind(%d)", uint8(k))
	}
}

// Claims says whether the frame makes other hosts send to its sender. An IP packet does not: in a planned move the old
// owner may go on answering what is still sent to it.
func (k FrameKind) Claims() bool { return k != FrameIP }

// statement is what a frame says about one address.
type statement struct {
	addr netip.Addr
	kind FrameKind
}

// Offsets in an Ethernet frame, and numbers of IANA.
const (
	etherLen   = 14
	offARPSPA  = etherLen + 14 // RFC 826: sender protocol address, of Ethernet and IPv4
	offProto4  = etherLen + 9
	offSource4 = etherLen + 12
	offNext6   = etherLen + 6
	offSource6 = etherLen + 8
	offType6   = etherLen + ipv6HeaderLen     // of ICMPv6
	offTarget6 = etherLen + ipv6HeaderLen + 8 // RFC 4861 §4.4

	protoVRRP   = 112
	typeNA      = 136
	snapLen     = 1 << 10 // the longest advertisement is shorter
	vrrpHeader  = 8       // RFC 9568 §5.1, before the addresses
	etherTypeIP = 0x0800
)

// captureFilter passes, of the frames that come in by a port, those that parseStatements finds something in, and a few
// more: of several addresses of one family it knows the prefix that covers them all.
func captureFilter(bridge int, addrs []netip.Addr) []bpf.Instruction {
	four, six := cover(addrs, true), cover(addrs, false)
	drop := bpf.RetConstant{}
	arpPart := append(whenIn(offARPSPA, four), drop)
	v4 := append(whenByte(offProto4, protoVRRP), append(whenIn(offSource4, four), drop)...)
	v6 := append(whenByte(offNext6, protoVRRP), whenIn(offSource6, six)...)
	v6 = append(v6,
		bpf.LoadAbsolute{Off: offNext6, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoICMPv6, SkipTrue: 1}, drop,
		bpf.LoadAbsolute{Off: offType6, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: typeNA, SkipTrue: 1}, drop)
	v6 = append(append(v6, whenIn(offTarget6, six)...), drop)

	prog := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtInterfaceIndex},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(bridge), SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: etherLen - 2, Size: 2},
	}
	for _, part := range []struct {
		etherType uint32
		body      []bpf.Instruction
	}{{uint32(ethernet.EtherTypeARP), arpPart}, {etherTypeIP, v4}, {uint32(ethernet.EtherTypeIPv6), v6}} {
		prog = append(prog, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: part.etherType, SkipTrue: uint8(len(part.body))})
		prog = append(prog, part.body...)
	}
	return append(prog, drop)
}

// whenByte passes the frame if the byte at off is v; otherwise the program goes on.
func whenByte(off, v uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: off, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: v, SkipTrue: 1},
		bpf.RetConstant{Val: snapLen},
	}
}

// whenIn passes the frame if the address at off is in the prefix; otherwise the program goes on.
func whenIn(off uint32, p netip.Prefix) []bpf.Instruction {
	if !p.IsValid() {
		return nil
	}
	var words [][3]uint32 // offset, mask, value
	want := p.Addr().AsSlice()
	for i := 0; i < len(want) && i*8 < p.Bits(); i += 4 {
		mask := ^uint32(0)
		if rest := p.Bits() - i*8; rest < 32 {
			mask <<= 32 - rest
		}
		words = append(words, [3]uint32{off + uint32(i), mask, binary.BigEndian.Uint32(want[i:]) & mask})
	}
	var out []bpf.Instruction
	for i, w := range words {
		out = append(out,
			bpf.LoadAbsolute{Off: w[0], Size: 4}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: w[1]},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: w[2], SkipTrue: uint8(3*(len(words)-i-1) + 1)})
	}
	return append(out, bpf.RetConstant{Val: snapLen})
}

// cover is the longest prefix that all addresses of a family are in; invalid if there is none of it.
func cover(addrs []netip.Addr, four bool) netip.Prefix {
	var first netip.Addr
	length := 0
	for _, a := range addrs {
		if a.Is4() != four {
			continue
		}
		if !first.IsValid() {
			first, length = a, a.BitLen()
			continue
		}
		x, y := first.AsSlice(), a.AsSlice()
		for i := range x {
			if d := x[i] ^ y[i]; d != 0 {
				length = min(length, i*8+bits.LeadingZeros8(d))
				break
			}
		}
	}
	p, err := first.Prefix(length)
	if err != nil {
		return netip.Prefix{} // no address of the family
	}
	return p
}

// parseStatements reads what a frame says its sender has.
func parseStatements(b []byte) []statement {
	if len(b) < etherLen {
		return nil
	}
	switch binary.BigEndian.Uint16(b[etherLen-2:]) {
	case uint16(ethernet.EtherTypeARP):
		var p arp.Packet
		if p.UnmarshalBinary(b[etherLen:]) != nil {
			return nil
		}
		return []statement{{p.SenderIP, FrameARP}}
	case etherTypeIP:
		return parse4(b)
	case uint16(ethernet.EtherTypeIPv6):
		return parse6(b)
	default:
		return nil
	}
}

func parse4(frame []byte) []statement {
	p := frame[etherLen:]
	if len(p) < 20 || p[0]>>4 != 4 {
		return nil
	}
	out := []statement{{netip.AddrFrom4([4]byte(p[12:16])), FrameIP}}
	return append(out, advertised(frame)...)
}

func parse6(frame []byte) []statement {
	p := frame[etherLen:]
	if len(p) < ipv6HeaderLen || p[0]>>4 != 6 {
		return nil
	}
	if na, err := advertisement(frame); err == nil {
		return []statement{{na.TargetAddress, FrameNDP}}
	}
	out := []statement{{netip.AddrFrom16([16]byte(p[8:24])), FrameIP}}
	return append(out, advertised(frame)...)
}

// advertised are the addresses of a VRRP advertisement. Priority 0 gives them up.
func advertised(frame []byte) []statement {
	ad, ok := parseAdvert(frame)
	if !ok || ad.Priority == 0 {
		return nil
	}
	var out []statement
	for _, a := range ad.Addresses {
		out = append(out, statement{a, FrameAdvert})
	}
	return out
}

func nativeInt64(b []byte) int64 { return int64(binary.NativeEndian.Uint64(b)) }
