package vrrp

import (
	"net/netip"
	"slices"
	"strings"
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
	plain := "45c0002000010000ff700000c0a8010ae0000012" // from 192.168.1.10
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
		{"in a longer AH", IPv4, true, []VRID{51}, packet(plain+"7006"+strings.Repeat("33", 30), 51), true},
		{"in AH behind options", IPv4, true, []VRID{51}, packet("46"+plain[2:]+"94040000"+"7004"+strings.Repeat("33", 22), 51), true},
		{"another's in AH behind options", IPv4, true, []VRID{51}, packet("46"+plain[2:]+"94040000"+"7004"+strings.Repeat("33", 22), 52), false},
		{"all in AH", IPv4, true, nil, packet(plain+"7004"+strings.Repeat("00", 22), 99), true},
		{"another protocol in AH", IPv4, true, []VRID{51}, packet(plain+"0604"+strings.Repeat("33", 22), 51), false},
		{"all, another protocol in AH", IPv4, true, nil, packet(plain+"0604"+strings.Repeat("33", 22), 51), false},
		{"an AH longer than its packet", IPv4, true, []VRID{51}, packet(plain+"70ff"+strings.Repeat("33", 22), 51), false},
		{"IPv6", IPv6, false, []VRID{51}, packet("", 51), true},
		{"another's over IPv6", IPv6, false, []VRID{51}, packet("", 52), false},
		{"all", IPv4, false, nil, packet(plain, 99), true},
		{"the largest set", IPv6, false, every, packet("", 255), true},
		{"truncated", IPv4, false, []VRID{51}, unhex(t, plain), false},
	} {
		raw, err := filter(x.family, x.ah, x.vrids, nil, theirs)
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

// TestFilterHosts: what comes from a host whose word counts is for one socket, what comes from another for the other, and nothing for both.
func TestFilterHosts(t *testing.T) {
	header4, header6 := unhex(t, "45c0002000010000ff700000c0a8010ae0000012"), appendIP(nil, addr("2001:db8::10"), addr("2001:db8::1"), 1, 24)
	var many, many6 []netip.Addr
	for i := range maxHosts {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
		many6 = append(many6, netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i)}))
	}
	var every []VRID
	for v := range 255 {
		every = append(every, VRID(v+1))
	}
	for _, x := range []struct {
		name           string
		family         Family
		vrids          []VRID
		hosts          []netip.Addr
		theirs, others bool
	}{
		{"named", IPv4, []VRID{51}, addrs("192.168.1.9", "192.168.1.10"), true, false},
		{"another", IPv4, []VRID{51}, addrs("192.168.1.9", "192.168.1.11"), false, true},
		{"everybody", IPv4, []VRID{51}, nil, true, false},
		{"nobody", IPv4, []VRID{51}, []netip.Addr{}, false, true},
		{"another's VRID", IPv4, []VRID{52}, addrs("192.168.1.10"), false, false},
		{"another's VRID, by another", IPv4, []VRID{52}, addrs("192.168.1.11"), false, false},
		{"no VRID", IPv4, []VRID{}, addrs("192.168.1.11"), false, false},
		{"all VRIDs", IPv4, nil, addrs("192.168.1.11"), false, true},
		{"the most", IPv4, every, slices.Concat(many[1:], addrs("192.168.1.10")), true, false},
		{"the most, and another", IPv4, every, many, false, true},
		{"too many to tell apart", IPv4, every, slices.Concat(many, addrs("192.168.1.9")), true, false},
		{"IPv6, named", IPv6, []VRID{51}, addrs("2001:db8::9", "2001:db8::10"), true, false},
		{"IPv6, another", IPv6, []VRID{51}, addrs("2001:db8:1::10", "2001:db8::11", "fe80::10"), false, true},
		{"IPv6, the most", IPv6, every, many6, true, false},
	} {
		for w, want := range map[who]bool{theirs: x.theirs, others: x.others} {
			raw, err := filter(x.family, false, x.vrids, x.hosts, w)
			if err != nil || len(raw) > 4096 {
				t.Fatalf("%s: %d instructions, %v", x.name, len(raw), err)
			}
			ins, all := bpf.Disassemble(raw)
			if !all {
				t.Fatalf("%s: what is this? %v", x.name, ins)
			}
			packet := append(slices.Clone(header4), unhex(t, vectors[3].hex)...)
			if x.family == IPv6 { // the machine below knows no SKF_NET_OFF: the header follows the message
				packet = append(unhex(t, vectors[3].hex), header6...)
				for i, in := range ins {
					if l, ok := in.(bpf.LoadAbsolute); ok && l.Off >= netOff {
						ins[i] = bpf.LoadAbsolute{Off: l.Off - netOff + uint32(len(packet)-len(header6)), Size: l.Size}
					}
				}
			}
			vm, err := bpf.NewVM(ins)
			if err != nil {
				t.Fatalf("%s: %v", x.name, err)
			}
			if n, err := vm.Run(packet); err != nil || (n > 0) != want {
				t.Errorf("%s, %d: passes %d bytes (%v), want pass=%t", x.name, w, n, err, want)
			}
		}
	}
}
