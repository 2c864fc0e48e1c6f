package vrrp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/net/bpf"
)

// whole is how much of a packet is wanted.
const whole = 1 << 16

// netOff is where the kernel's filters find the IP header, whatever the socket sees (SKF_NET_OFF of linux/filter.h).
const netOff = 0xfff00000

// who is whose datagrams a filter passes, where hosts are named.
type who uint8

const (
	theirs who = iota // whom it names; nil is everybody
	others            // all but those
)

// maxHosts is how many hosts a filter can tell apart: a program has 4,096 instructions at most. Where more are named, everybody counts.
const maxHosts = 256

// filter passes the messages of some virtual routers, nil is all, and of some hosts. Of IPv4 a raw socket's filter sees the packet from its IP header on, of IPv6 the message alone.
// So a flood of others' adverts costs this host no more than any other packet that nobody wants.
func filter(f Family, ah bool, vrids []VRID, hosts []netip.Addr, w who) ([]bpf.RawInstruction, error) {
	named := hosts != nil
	hosts = slices.Compact(slices.SortedFunc(slices.Values(hosts), netip.Addr.Compare))
	named = named && len(hosts) <= maxHosts
	var ins []bpf.Instruction
	if ah {
		ins = append(ins, wrapped()...)
	}
	if vrids != nil {
		ins = append(ins, ofRouters(f, ah, vrids)...)
	}
	pass, rest := uint32(whole), uint32(0)
	if w == others {
		pass, rest = rest, pass
	}
	if named {
		ins = append(ins, ofHosts(f, hosts, pass)...)
	} else {
		rest = pass
	}
	raw, err := bpf.Assemble(append(ins, bpf.RetConstant{Val: rest}))
	if err != nil {
		return nil, fmt.Errorf("packet filter: %w", err)
	}
	return raw, nil
}

// wrapped goes on with VRRP in an authentication header, and drops what else is in one: a host may have its own use for them.
func wrapped() []bpf.Instruction {
	return []bpf.Instruction{bpf.LoadMemShift{Off: 0}, bpf.LoadIndirect{Off: 0, Size: 1}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: Protocol, SkipTrue: 1}, bpf.RetConstant{Val: 0}}
}

// ofRouters goes on with what is of a virtual router among these, and drops the rest.
func ofRouters(f Family, ah bool, vrids []VRID) (ins []bpf.Instruction) {
	const at = 1
	switch {
	case ah: // behind the IP header, X, there is another of (its second byte + 2) words
		ins = append(ins, bpf.LoadMemShift{Off: 0}, bpf.LoadIndirect{Off: 1, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 2},
			bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2}, bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{}, bpf.LoadIndirect{Off: at, Size: 1})
	case f == IPv4:
		ins = append(ins, bpf.LoadMemShift{Off: 0}, bpf.LoadIndirect{Off: at, Size: 1})
	default:
		ins = append(ins, bpf.LoadAbsolute{Off: at, Size: 1})
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(vrids)))
	for i, v := range sorted {
		// A conditional jump reaches no further than 255, so each is followed by one that does.
		ins = append(ins, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(v), SkipTrue: 1}, bpf.Jump{Skip: uint32(2*(len(sorted)-i-1) + 1)})
	}
	return append(ins, bpf.RetConstant{Val: 0})
}

// ofHosts returns with a value for what comes from one of the hosts, and goes on with the rest.
func ofHosts(f Family, hosts []netip.Addr, value uint32) (ins []bpf.Instruction) {
	if f == IPv4 {
		ins = append(ins, bpf.LoadAbsolute{Off: 12, Size: 4})
		for _, h := range hosts {
			b := h.As4()
			ins = append(ins, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[:]), SkipTrue: 1}, bpf.RetConstant{Val: value})
		}
		return ins
	}
	for _, h := range hosts {
		b := h.As16()
		for i := 3; i >= 0; i-- { // addresses differ in their last word first
			ins = append(ins, bpf.LoadAbsolute{Off: netOff + 8 + uint32(4*i), Size: 4},
				bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[4*i:]), SkipTrue: uint8(2*i + 1)})
		}
		ins = append(ins, bpf.RetConstant{Val: value})
	}
	return ins
}
