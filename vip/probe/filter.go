package probe

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/net/bpf"
)

// maxFiltered is for how many addresses the kernel's filter has room: two instructions each, of 4096 (BPF_MAXINSNS). With
// more, or where net.core.optmem_max allows less, every frame of the kind is read and judged here.
const maxFiltered = 2000

// arpFilter passes ARP whose sender is one of addrs.
func arpFilter(addrs []netip.Addr) ([]bpf.RawInstruction, error) {
	return assemble([]bpf.Instruction{bpf.LoadAbsolute{Off: etherHeader + 14, Size: 4}}, addrs)
}

// naFilter passes neighbour advertisements whose target is one of addrs, judged by its last four bytes.
func naFilter(addrs []netip.Addr) ([]bpf.RawInstruction, error) {
	return assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: etherHeader + 6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protoICMPv6, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: etherHeader + ipv6Header, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 136, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
		bpf.LoadAbsolute{Off: etherHeader + ipv6Header + 8 + 12, Size: 4},
	}, addrs)
}

// whole is how much of a frame is wanted.
const whole = 1 << 16

// assemble ends a filter that has loaded a number: it passes those that end an address, nil is all.
func assemble(ins []bpf.Instruction, addrs []netip.Addr) ([]bpf.RawInstruction, error) {
	if addrs == nil || len(addrs) > maxFiltered {
		ins = append(ins, bpf.RetConstant{Val: whole})
	} else {
		for _, a := range addrs {
			b := a.AsSlice()
			ins = append(ins, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[len(b)-4:]), SkipTrue: 1}, bpf.RetConstant{Val: whole})
		}
		ins = append(ins, bpf.RetConstant{Val: 0})
	}
	raw, err := bpf.Assemble(ins)
	if err != nil {
		return nil, fmt.Errorf("packet filter: %w", err)
	}
	return raw, nil
}
