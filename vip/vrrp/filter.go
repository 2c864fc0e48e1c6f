package vrrp

import (
	"encoding/binary"
	"fmt"
	"math"
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

// maxHosts is how many hosts a filter can tell apart: a program has 4,096 instructions at most, of which the largest set takes three quarters where no two addresses
// have anything in common. Where more are named, everybody counts.
const maxHosts = 256

// distinct are the hosts of a family, sorted, each once; nil stays nil, and nothing else is.
func distinct(f Family, hosts []netip.Addr) []netip.Addr {
	if hosts == nil {
		return nil
	}
	own := make([]netip.Addr, 0, len(hosts))
	for _, h := range hosts {
		if FamilyOf(h) == f {
			own = append(own, h.WithZone(""))
		}
	}
	slices.SortFunc(own, netip.Addr.Compare)
	return slices.Compact(own)
}

// filter passes the messages of some virtual routers, nil is all, and of some hosts. Of IPv4 a raw socket's filter sees the packet from its IP header on, of IPv6 the message alone.
// So a flood of others' adverts costs this host no more than any other packet that nobody wants.
func filter(f Family, ah bool, vrids []VRID, hosts []netip.Addr, w who) ([]bpf.RawInstruction, error) {
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
	if hosts = distinct(f, hosts); hosts != nil && len(hosts) <= maxHosts {
		ins = append(ins, ofHosts(f, hosts, pass, rest)...)
	} else {
		ins = append(ins, bpf.RetConstant{Val: pass})
	}
	raw, err := bpf.Assemble(ended(ins))
	if err != nil {
		return nil, fmt.Errorf("packet filter: %w", err)
	}
	return raw, nil
}

// ended has all returns at the end: the kernel makes two instructions of a return, and one of a jump, and counts the bytes of them against net.core.optmem_max.
func ended(ins []bpf.Instruction) []bpf.Instruction {
	end := len(ins)
	for i, in := range ins {
		if r, ok := in.(bpf.RetConstant); ok {
			skip := end - i - 1
			if r.Val != 0 {
				skip++
			}
			ins[i] = bpf.Jump{Skip: uint32(skip)}
		}
	}
	return append(ins, bpf.RetConstant{Val: 0}, bpf.RetConstant{Val: whole})
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

// ofHosts returns with pass for what comes from one of the hosts, sorted, and with rest for what does not. The words of the source are read once: that the header of IPv6
// is not part of the message makes it dear.
func ofHosts(f Family, hosts []netip.Addr, pass, rest uint32) (ins []bpf.Instruction) {
	if len(hosts) == 0 {
		return []bpf.Instruction{bpf.RetConstant{Val: rest}}
	}
	at, words := uint32(12), 1
	if f == IPv6 {
		at, words = netOff+8, 4
	}
	for i := range words {
		ins = append(ins, bpf.LoadAbsolute{Off: at + uint32(4*i), Size: 4}, bpf.StoreScratch{Src: bpf.RegA, N: i})
	}
	return append(ins, fromWord(0, hosts, pass, rest)...)
}

// fromWord compares the source from one of its words on with hosts that are the same before it, so that what they have in common is compared once. It always returns.
func fromWord(i int, hosts []netip.Addr, pass, rest uint32) []bpf.Instruction {
	word := func(h netip.Addr) uint32 { return binary.BigEndian.Uint32(h.AsSlice()[4*i:]) }
	ins := []bpf.Instruction{bpf.LoadScratch{Dst: bpf.RegA, N: i}}
	for len(hosts) > 0 {
		w, same := word(hosts[0]), 1
		for same < len(hosts) && word(hosts[same]) == w {
			same++
		}
		match := []bpf.Instruction{bpf.RetConstant{Val: pass}}
		if 4*(i+1) < hosts[0].BitLen()/8 {
			match = fromWord(i+1, hosts[:same], pass, rest)
		}
		if len(match) <= math.MaxUint8 {
			ins = append(ins, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: w, SkipTrue: uint8(len(match))})
		} else { // a conditional jump does not reach so far
			ins = append(ins, bpf.JumpIf{Cond: bpf.JumpEqual, Val: w, SkipTrue: 1}, bpf.Jump{Skip: uint32(len(match))})
		}
		ins, hosts = append(ins, match...), hosts[same:]
	}
	return append(ins, bpf.RetConstant{Val: rest})
}
