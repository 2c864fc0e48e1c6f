package vrrp

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

// everyVRID is the largest set of virtual routers.
func everyVRID() (all []VRID) {
	for v := range 255 {
		all = append(all, VRID(v+1))
	}
	return all
}

// TestFilter: the kernel passes our virtual routers' messages and no others', also behind IP options, and all where all are asked for.
func TestFilter(t *testing.T) {
	packet := func(header string, vrid byte) []byte {
		b := unhex(t, header+vectors[3].hex)
		b[len(b)-11] = vrid
		return b
	}
	plain := "45c0002000010000ff700000c0a8010ae0000012" // from 192.168.1.10
	every := everyVRID()
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
	every := everyVRID()
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
		{"of the other family", IPv4, []VRID{51}, addrs("c0a8:10a::"), false, true},
		{"IPv6, of the other family", IPv6, []VRID{51}, addrs("32.1.13.184"), false, true},
		{"IPv6, with a zone", IPv6, []VRID{51}, addrs("2001:db8::10%eth0"), true, false},
	} {
		for w, want := range map[who]bool{theirs: x.theirs, others: x.others} {
			raw, err := filter(x.family, false, x.vrids, x.hosts, w)
			if err != nil || len(raw) > 4096 {
				t.Fatalf("%s: %d instructions, %v", x.name, len(raw), err)
			}
			packet := append(slices.Clone(header4), unhex(t, vectors[3].hex)...)
			if x.family == IPv6 {
				packet = append(unhex(t, vectors[3].hex), header6...)
			}
			vm := behind(t, raw, len(packet)-len(header6))
			if n, err := vm.Run(packet); err != nil || (n > 0) != want {
				t.Errorf("%s, %d: passes %d bytes (%v), want pass=%t", x.name, w, n, err, want)
			}
		}
	}
}

// behind runs a filter. The machine knows no SKF_NET_OFF: the IP header is somewhere in the packet, behind the message.
func behind(t *testing.T, raw []bpf.RawInstruction, header int) *bpf.VM {
	t.Helper()
	ins, all := bpf.Disassemble(raw)
	if !all {
		t.Fatalf("what is this? %v", ins)
	}
	for i, in := range ins {
		if l, ok := in.(bpf.LoadAbsolute); ok && l.Off >= netOff {
			ins[i] = bpf.LoadAbsolute{Off: l.Off - netOff + uint32(header), Size: l.Size}
		}
	}
	vm, err := bpf.NewVM(ins)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

// TestFilterManyHosts: each of many hosts is told from all that differ from it in one word, whatever they have in common.
func TestFilterManyHosts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	from := func(prefix string, words ...int) netip.Addr { // with these words by chance
		b := addr(prefix).AsSlice()
		for _, w := range words {
			binary.BigEndian.PutUint32(b[4*w:], random.Uint32())
		}
		a, _ := netip.AddrFromSlice(b)
		return a
	}
	for name, host := range map[string]func() netip.Addr{
		"IPv4":                 func() netip.Addr { return from("10.0.0.0", 0) },
		"of one maker":         func() netip.Addr { return from("fe80::219:99ff:0:0", 3) },
		"link-local":           func() netip.Addr { return from("fe80::", 2, 3) },
		"of one prefix":        func() netip.Addr { return from("2001:db8::", 3) },
		"of several":           func() netip.Addr { return from([]string{"2001:db8::", "fe80::", "fd00::"}[random.IntN(3)], 3) },
		"nothing in common":    func() netip.Addr { return from("::", 0, 1, 2, 3) },
		"other prefixes alone": func() netip.Addr { return from("::1", 0) },
	} {
		for _, many := range []int{1, 2, 63, maxHosts} {
			var hosts []netip.Addr
			for range many {
				hosts = append(hosts, host())
			}
			f := FamilyOf(hosts[0])
			ask := slices.Clone(hosts)
			for _, h := range hosts {
				for at := 0; at < h.BitLen()/8; at += 4 {
					b := h.AsSlice()
					b[at+random.IntN(4)] ^= 1 << random.IntN(8)
					a, _ := netip.AddrFromSlice(b)
					b2 := h.AsSlice()
					copy(b2[at:at+4], hosts[random.IntN(many)].AsSlice()[at:])
					a2, _ := netip.AddrFromSlice(b2)
					ask = append(ask, a, a2)
				}
			}
			vms := map[who]*bpf.VM{}
			header := 0
			message := unhex(t, vectors[3].hex)
			if f == IPv6 {
				header = len(message)
			}
			for _, w := range []who{theirs, others} {
				raw, err := filter(f, false, []VRID{51}, hosts, w)
				if err != nil || len(raw) > 4096-2*255 {
					t.Fatalf("%s: %d instructions, %v", name, len(raw), err)
				}
				vms[w] = behind(t, raw, header)
			}
			for _, a := range ask {
				packet := append(appendIP(nil, a, f.Group(), 1, len(message)), message...)
				if f == IPv6 {
					packet = append(slices.Clone(message), packet[:len(packet)-len(message)]...)
				}
				for w, vm := range vms {
					want := slices.Contains(hosts, a) == (w == theirs)
					if n, err := vm.Run(packet); err != nil || (n > 0) != want {
						t.Errorf("%s, %d hosts, %d: of %s passes %d bytes (%v), want pass=%t", name, many, w, a, n, err, want)
					}
				}
			}
		}
	}
}
