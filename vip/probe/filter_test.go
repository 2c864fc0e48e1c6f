package probe

import (
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"
)

// TestFilters: the kernel's filter passes every answer for what is asked, and none of the rest of a link's traffic.
func TestFilters(t *testing.T) {
	many := make([]netip.Addr, 0, 2*maxFiltered)
	for a := netip.MustParseAddr("198.18.0.1"); len(many) < 2*maxFiltered; a = a.Next() {
		many = append(many, a)
	}
	for _, x := range []struct {
		name   string
		filter func([]netip.Addr) ([]bpf.RawInstruction, error)
		addrs  []netip.Addr
		frame  string
		pass   bool
	}{
		{"reply", arpFilter, []netip.Addr{others, vip4}, replyFrame, true},
		{"announcement", arpFilter, []netip.Addr{others, vip4}, announceFrame, true},
		{"probe", arpFilter, []netip.Addr{others, vip4}, probeFrame, false},
		{"other's reply", arpFilter, []netip.Addr{others}, replyFrame, false},
		{"largest", arpFilter, append(many[:maxFiltered-1:maxFiltered-1], vip4), replyFrame, true},
		{"too many to compare", arpFilter, many, replyFrame, true},
		{"all", arpFilter, nil, replyFrame, true},
		{"all advertisements", naFilter, nil, advertisementFrame, true},
		{"all advertisements, a solicitation", naFilter, nil, solicitationFrame, false},
		{"advertisement", naFilter, []netip.Addr{vip6}, advertisementFrame, true},
		{"bare advertisement", naFilter, []netip.Addr{vip6}, bareAdvertisement, true},
		{"solicitation", naFilter, []netip.Addr{vip6}, solicitationFrame, false},
		{"other's advertisement", naFilter, []netip.Addr{ours}, advertisementFrame, false},
	} {
		raw, err := x.filter(x.addrs)
		if err != nil || len(raw) > 4096 {
			t.Fatalf("%s: %d instructions, %v", x.name, len(raw), err)
		}
		ins, _ := bpf.Disassemble(raw)
		vm, err := bpf.NewVM(ins)
		if err != nil {
			t.Fatalf("%s: %v", x.name, err)
		}
		n, err := vm.Run(unhex(t, x.frame))
		if err != nil || (n > 0) != x.pass {
			t.Errorf("%s: passes %d bytes (%v), want pass=%v", x.name, n, err, x.pass)
		}
	}
}
