package vrrp

import (
	"testing"

	"golang.org/x/net/bpf"
)

// TestFilter: the kernel passes our virtual routers' messages and no others', also behind IP options, and all where all are asked for.
func TestFilter(t *testing.T) {
	packet := func(header string, vrid byte) []byte {
		b := unhex(t, header+vectors[3].hex)
		b[len(b)-11] = vrid
		return b
	}
	plain := "45c0002000010000ff700000c0a8010ae0000012"
	var every []VRID
	for v := range 255 {
		every = append(every, VRID(v+1))
	}
	for _, x := range []struct {
		name   string
		family Family
		ah     bool
		vrids  []VRID
		packet []byte
		pass   bool
	}{
		{"ours", IPv4, false, []VRID{7, 51, 51, 9}, packet(plain, 51), true},
		{"another's", IPv4, false, []VRID{7, 51}, packet(plain, 52), false},
		{"nobody's", IPv4, false, []VRID{}, packet(plain, 51), false},
		{"behind options", IPv4, false, []VRID{51}, packet("46"+plain[2:]+"94040000", 51), true},
		{"another's behind options", IPv4, false, []VRID{51}, packet("46"+plain[2:]+"94040000", 52), false},
		{"in AH", IPv4, true, []VRID{51}, packet(plain+"7004000000000000000000000000000000000000000000ff", 51), true},
		{"another's in AH", IPv4, true, []VRID{51}, packet(plain+"7004000000000000000000000000000000000000000000ff", 52), false},
		{"IPv6", IPv6, false, []VRID{51}, packet("", 51), true},
		{"another's over IPv6", IPv6, false, []VRID{51}, packet("", 52), false},
		{"all", IPv4, false, nil, packet(plain, 99), true},
		{"the largest set", IPv6, false, every, packet("", 255), true},
		{"truncated", IPv4, false, []VRID{51}, unhex(t, plain), false},
	} {
		raw, err := filter(x.family, x.ah, x.vrids)
		if err != nil || len(raw) > 4096 {
			t.Fatalf("%s: %d instructions, %v", x.name, len(raw), err)
		}
		ins, _ := bpf.Disassemble(raw)
		vm, err := bpf.NewVM(ins)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		if n, err := vm.Run(x.packet); err != nil || (n > 0) != x.pass {
			t.Errorf("%s: passes %d bytes (%v), want pass=%t", x.name, n, err, x.pass)
		}
	}
}
