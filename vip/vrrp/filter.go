package vrrp

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// whole is how much of a packet is wanted.
const whole = 1 << 16

// filter passes the messages of some virtual routers; nil is all. Of IPv4 a raw socket's filter sees the packet from its IP header on, of IPv6 the message alone.
// So a flood of others' adverts costs this host no more than any other packet that nobody wants.
func filter(f Family, ah bool, vrids []VRID) ([]bpf.RawInstruction, error) {
	if vrids == nil {
		return bpf.Assemble([]bpf.Instruction{bpf.RetConstant{Val: whole}})
	}
	var ins []bpf.Instruction
	at := uint32(1)
	if ah {
		at += ahLen
	}
	if f == IPv4 {
		ins = append(ins, bpf.LoadMemShift{Off: 0}, bpf.LoadIndirect{Off: at, Size: 1})
	} else {
		ins = append(ins, bpf.LoadAbsolute{Off: at, Size: 1})
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(vrids)))
	for _, v := range sorted {
		ins = append(ins, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(v), SkipTrue: 1}, bpf.RetConstant{Val: whole})
	}
	raw, err := bpf.Assemble(append(ins, bpf.RetConstant{Val: 0}))
	if err != nil {
		return nil, fmt.Errorf("packet filter: %w", err)
	}
	return raw, nil
}
