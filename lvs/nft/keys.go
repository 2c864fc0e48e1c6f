package nft

import (
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// family holds what differs between IPv4 and IPv6 in the rules.
type family struct {
	suffix           string
	proto            byte
	size             int // bytes of an address
	saddr, daddr     uint32
	addrType         nftables.SetDatatype
	regProto, regEnd uint32 // registers after an address in register 1: protocol and port of a key
	regPort          uint32 // register of the port after an address in register 1
	regSport         uint32 // register of the client's port after its address in register 2
	regClient        uint32 // register of what a client is bound by
}

// Registers: an address goes to register 1 (16 bytes, the same as 32-bit registers 8 to 11). The kernel lists a 32-bit
// register at a 16-byte boundary under its 16-byte name (nft_dump_register), so those names are used here.
var (
	inet4 = &family{"4", unix.NFPROTO_IPV4, 4, 12, 16, nftables.TypeIPAddr, 9, 10, 9, 13, 1}
	inet6 = &family{"6", unix.NFPROTO_IPV6, 16, 8, 24, nftables.TypeIP6Addr, 2, 13, 2, 3, 1}

	families = []*family{inet4, inet6}
)

func familyOf(a netip.Addr) *family {
	if a.Is4() {
		return inet4
	}
	return inet6
}

// protocols are those that a service can be of, with their numbers.
var protocols = []struct {
	name   string
	number byte
}{{lvs.TCP, unix.IPPROTO_TCP}, {lvs.UDP, unix.IPPROTO_UDP}, {lvs.SCTP, unix.IPPROTO_SCTP}}

func protocolNumber(name string) byte {
	for _, p := range protocols {
		if p.name == name {
			return p.number
		}
	}
	return 0 // of a service by firewall mark
}

func protocolName(number byte) (string, bool) {
	for _, p := range protocols {
		if p.number == number {
			return p.name, true
		}
	}
	return "", false
}

// reach is one way in which a packet comes to its service: a map from what the packet says to the service's chain, and a set of
// those that no server takes, for each family.
type reach struct {
	services, closed string // names of the map and of the set, without the family
	has              func(lvs.Key) bool
	// keys are the raw elements that stand for a service.
	keys func(lvs.Key) []string
	// parse is the inverse of keys.
	parse   func(f *family, raw string) (lvs.Key, bool)
	load    func(f *family) []expr.Any // of the packet's key into the registers from 1 on
	keyType func(f *family) nftables.SetDatatype
}

// reaches are all, in the order in which they are asked: a mark goes before an address, and a port before all ports
// (ip_vs_ctl.c, ip_vs_service_find).
var reaches = []*reach{byMark, byPort, byAddress}

var byMark = &reach{
	services: "marks", closed: "closed-marks",
	has: func(k lvs.Key) bool { return k.Mark != 0 },
	keys: func(k lvs.Key) (out []string) {
		for _, p := range protocols { // as IPVS, which does not take echo requests and the like
			m := slot(int(k.Mark))
			out = append(out, string(m[:])+string([]byte{p.number, 0, 0, 0}))
		}
		return out
	},
	parse: func(f *family, raw string) (lvs.Key, bool) {
		if len(raw) != 8 {
			return lvs.Key{}, false
		}
		any := netip.IPv4Unspecified()
		if f == inet6 {
			any = netip.IPv6Unspecified()
		}
		return lvs.Service{Mark: slotNumber(raw[:4]), Addr: any}.Key(), true
	},
	load: func(*family) []expr.Any {
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 9}}
	},
	keyType: func(*family) nftables.SetDatatype {
		return nftables.MustConcatSetType(nftables.TypeMark, nftables.TypeInetProto)
	},
}

var byPort = &reach{
	services: "services", closed: "closed",
	has:   func(k lvs.Key) bool { return k.Mark == 0 && k.Addr.Port() != 0 },
	keys:  func(k lvs.Key) []string { return []string{address(k)} },
	parse: parseAddress,
	load: func(f *family) []expr.Any {
		return append(loadAddress(f), &expr.Payload{DestRegister: f.regEnd, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2})
	},
	keyType: func(f *family) nftables.SetDatatype {
		return nftables.MustConcatSetType(f.addrType, nftables.TypeInetProto, nftables.TypeInetService)
	},
}

var byAddress = &reach{
	services: "any", closed: "closed-any",
	has:   func(k lvs.Key) bool { return k.Mark == 0 && k.Addr.Port() == 0 },
	keys:  func(k lvs.Key) []string { i := address(k); return []string{i[:len(i)-4]} },
	parse: func(f *family, raw string) (lvs.Key, bool) { return parseAddress(f, raw+"\x00\x00\x00\x00") },
	load:  loadAddress,
	keyType: func(f *family) nftables.SetDatatype {
		return nftables.MustConcatSetType(f.addrType, nftables.TypeInetProto)
	},
}

// loadAddress loads destination address . protocol into the registers from 1 on.
func loadAddress(f *family) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: f.daddr, Len: uint32(f.size)},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: f.regProto},
	}
}

// parseAddress decodes address . protocol . port.
func parseAddress(f *family, raw string) (k lvs.Key, ok bool) {
	if len(raw) != f.size+8 {
		return k, false
	}
	a, _ := netip.AddrFromSlice([]byte(raw[:f.size]))
	k.Addr = netip.AddrPortFrom(a, uint16(raw[f.size+4])<<8|uint16(raw[f.size+5]))
	k.Protocol, ok = protocolName(raw[f.size])
	return k, ok
}

// reachOf is how packets come to the service with this key.
func reachOf(k lvs.Key) *reach {
	for _, r := range reaches {
		if r.has(k) {
			return r
		}
	}
	return byPort // not reached: a key is of one of the three kinds
}

// lookup is the rule's begin that is common to all of a family: the packet is of it, and its key is in the registers.
func (r *reach) lookup(f *family) []expr.Any {
	return append([]expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{f.proto}},
	}, r.load(f)...)
}

// address is the raw form of a service that has an address: address . protocol . port, each padded to four bytes.
func address(k lvs.Key) string {
	p := k.Addr.Port()
	return string(k.Addr.Addr().AsSlice()) + string([]byte{protocolNumber(k.Protocol), 0, 0, 0, byte(p >> 8), byte(p), 0, 0})
}

// target is the raw form of a server, address . port.
func target(a netip.AddrPort) string {
	p := a.Port()
	return string(a.Addr().AsSlice()) + string([]byte{byte(p >> 8), byte(p), 0, 0})
}

// parseTarget is the inverse of target.
func parseTarget(raw string) (netip.AddrPort, bool) {
	n := len(raw) - 4
	if n != 4 && n != 16 {
		return netip.AddrPort{}, false
	}
	a, _ := netip.AddrFromSlice([]byte(raw[:n]))
	return netip.AddrPortFrom(a, uint16(raw[n])<<8|uint16(raw[n+1])), true
}
