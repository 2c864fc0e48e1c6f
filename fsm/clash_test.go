package fsm

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawListeners draws services of few VIPs, ports and addresses, so that they often clash.
func drawListeners(t *rapid.T) Config {
	c := Config{VIPs: map[string]VIP{}, Services: map[string]Service{}}
	for _, name := range []string{"a", "b", "c"} {
		c.VIPs[name] = VIP{Name: name, Address: netip.PrefixFrom(netip.MustParseAddr("192.0.2.10"), 24)}
	}
	port := rapid.Uint16Range(1, 12)
	for i := range rapid.IntRange(1, 6).Draw(t, "services") {
		s := Service{Name: fmt.Sprintf("s%d", i), Protocol: rapid.SampledFrom([]Protocol{TCP, UDP}).Draw(t, "protocol")}
		vips := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "vips")
		if s.VIP = vips[0]; len(vips) > 1 || rapid.Bool().Draw(t, "list") {
			s.VIP, s.VIPs = "", vips
		}
		switch rapid.IntRange(0, 3).Draw(t, "ports") {
		case 0:
			s.Port = port.Draw(t, "port")
		case 1: // all
		case 2:
			s.Ports = []PortRange{{}}
		case 3:
			for from := port.Draw(t, "from"); from < 15 && len(s.Ports) < 3; from += port.Draw(t, "gap") + 1 {
				to := from + rapid.Uint16Range(0, 3).Draw(t, "more")
				s.Ports = append(s.Ports, PortRange{from, to})
				from = to
			}
		}
		for first := rapid.IntRange(0, 9).Draw(t, "first"); first < 20 && rapid.Bool().Draw(t, "addresses"); first += rapid.IntRange(1, 4).Draw(t, "gap") {
			last := first + rapid.IntRange(0, 5).Draw(t, "more")
			at := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}) }
			s.Addresses = append(s.Addresses, AddressRange{at(first), at(last)})
			first = last
		}
		if rapid.IntRange(0, 9).Draw(t, "mark") == 0 {
			s = Service{Name: s.Name, VIP: s.VIP, VIPs: s.VIPs, Mark: 7}
		}
		c.Services[s.Name] = s
	}
	return c
}

// packets are all that a service takes, one by one; the bare VIPs' addresses are told apart by their names.
func packets(s Service) map[string]bool {
	out := map[string]bool{}
	for _, r := range s.PortRanges() {
		for port := int(r.From); port <= min(int(r.last()), 30); port++ {
			for _, vip := range s.On() {
				out[fmt.Sprintf("%s %s:%d", s.Protocol, vip, port)] = true
			}
			for _, a := range s.Addresses {
				for x := a.First; !a.Last.Less(x); x = x.Next() {
					out[fmt.Sprintf("%s %v:%d", s.Protocol, x, port)] = true
				}
			}
		}
	}
	return out
}

// TestClashes compares with a look at each packet of each pair of services: those that clash with an earlier one are found, and no others.
func TestClashes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawListeners(t)
		names := slices.Sorted(maps.Keys(c.Services))
		truly := map[string]map[string]bool{} // by the later service
		for i, later := range names {
			mine := packets(c.Services[later])
			for _, earlier := range names[:i] {
				if !c.Services[later].Compound() && !c.Services[earlier].Compound() {
					continue
				}
				for p := range packets(c.Services[earlier]) {
					if mine[p] {
						if truly[later] == nil {
							truly[later] = map[string]bool{}
						}
						truly[later][earlier] = true
					}
				}
			}
		}
		found := c.clashes()
		if len(found) == 0 != (len(truly) == 0) {
			t.Fatalf("found %v, clashing are %v in %+v", found, truly, c.Services)
		}
		for name, ps := range found {
			if len(ps) != 1 {
				t.Fatalf("%s has %d problems: %v", name, len(ps), ps)
			}
			if !slices.ContainsFunc(slices.Collect(maps.Keys(truly[name])), func(other string) bool { return ps[0].What[:len("service \"")+len(other)] == "service \""+other }) {
				t.Fatalf("%s: %v, and it clashes with %v in %+v", name, ps, truly[name], c.Services)
			}
		}
	})
}

// TestRangesInWriting is the law of the text forms: what is written is read as the same.
func TestRangesInWriting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Uint16().Draw(t, "from")
		r := PortRange{from, rapid.Uint16Range(from, 65535).Draw(t, "to")}
		if r.From == 0 {
			r = PortRange{}
		}
		if got, err := ParsePortRange(r.String()); err != nil || got != r {
			t.Fatalf("%v became %v: %v", r, got, err)
		}
		for _, size := range []int{4, 16} {
			b := rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, "address")
			first, _ := netip.AddrFromSlice(b)
			for i := rapid.IntRange(0, size).Draw(t, "bytes"); i < size; i++ {
				b[i] = 0xff
			}
			last, _ := netip.AddrFromSlice(b)
			a := AddressRange{first, last}
			if rapid.Bool().Draw(t, "network") {
				a = rangeOf(netip.PrefixFrom(first, rapid.IntRange(0, first.BitLen()).Draw(t, "bits")))
			}
			if got, err := ParseAddressRange(a.String()); err != nil || got != a {
				t.Fatalf("%v became %v: %v", a, got, err)
			}
		}
	})
}

func TestRangesAreRefused(t *testing.T) {
	for _, text := range []string{"", "-", "1-", "-1", "65536", "0-1", "2-1", "1-2-3", "eighty", "+1"} {
		if r, err := ParsePortRange(text); err == nil {
			t.Errorf("ports %q became %v", text, r)
		}
	}
	for _, text := range []string{"", "-", "192.0.2.1-", "192.0.2.2-192.0.2.1", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.1-2001:db8::1", "fe80::1%eth0", "192.0.2.0/24-192.0.3.0", "web"} {
		if r, err := ParseAddressRange(text); err == nil {
			t.Errorf("addresses %q became %v", text, r)
		}
	}
}

func FuzzRanges(f *testing.F) {
	for _, text := range []string{"80", "8000-8099", "0", "192.0.2.0/28", "203.0.113.1-203.0.113.9", "2001:db8::/64"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParsePortRange(text); err == nil {
			if again, err := ParsePortRange(r.String()); err != nil || again != r || r.From > r.last() {
				t.Errorf("ports %q: %v, then %v: %v", text, r, again, err)
			}
		}
		if r, err := ParseAddressRange(text); err == nil {
			if again, err := ParseAddressRange(r.String()); err != nil || again != r || r.Last.Less(r.First) {
				t.Errorf("addresses %q: %v, then %v: %v", text, r, again, err)
			}
		}
	})
}

// TestMarks walks from one configuration to the next; checkStep holds the marks to their law.
func TestMarks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.form(1)
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			c := Config{Settings: DefaultSettings(), VIPs: vips(4).VIPs, Services: map[string]Service{}}
			if rapid.IntRange(0, 4).Draw(t, "other base") == 0 {
				c.Settings.MarkBase = rapid.SampledFrom([]uint32{1, 1000, DefaultMarkBase + 3, maxMarkBase}).Draw(t, "base")
			}
			for i := range 6 {
				s := Service{Name: fmt.Sprintf("s%d", i), VIP: "v0000", Port: uint16(80 + i), Protocol: TCP, Scheduler: "rr", Forward: NAT}
				if rapid.Bool().Draw(t, "compound") {
					s.Ports, s.Port = []PortRange{{s.Port, s.Port}}, 0
				}
				if rapid.Bool().Draw(t, "there") {
					c.Services[s.Name] = s
				}
			}
			w.configure(c)
		}
		if again, err := Restore(bytes.NewReader(snapshotOf(t, w.s))); err != nil || !maps.Equal(again.Marks, w.s.Marks) {
			t.Fatalf("marks %v became %v: %v", w.s.Marks, again.Marks, err)
		}
	})
}

// BenchmarkValidateCompound has 2,300 services of two VIPs and four ranges of ports, a tenth of them with addresses, and 16 servers each.
func BenchmarkValidateCompound(b *testing.B) {
	c := manyCompound(2300)
	if ps := c.Validate(); len(ps) > 0 {
		b.Fatal(ps[0])
	}
	b.ResetTimer()
	for b.Loop() {
		_ = c.Validate()
	}
}

// BenchmarkClashes is the part of that which looks for packets that two services take.
func BenchmarkClashes(b *testing.B) {
	c := manyCompound(2300)
	for b.Loop() {
		if len(c.clashes()) > 0 {
			b.Fatal("they clash")
		}
	}
}

func manyCompound(n int) Config {
	c := Config{Settings: DefaultSettings(), VIPs: vips(500).VIPs, Services: map[string]Service{}}
	for i := range n {
		s := Service{Name: fmt.Sprintf("s%05d", i), Protocol: TCP, Scheduler: "rr", Forward: NAT,
			VIPs: []string{fmt.Sprintf("v%04d", i%250*2), fmt.Sprintf("v%04d", i%250*2+1)}}
		for r := range 4 {
			from := uint16(1000 + 1000*r + 50*(i/250))
			s.Ports = append(s.Ports, PortRange{from, from + 49})
		}
		if i%10 == 0 {
			a := netip.AddrFrom4([4]byte{203, byte(i >> 8), byte(i), 0})
			s.Addresses = []AddressRange{rangeOf(netip.PrefixFrom(a, 24))}
		}
		for x := range 16 {
			s.Servers = append(s.Servers, Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), byte(x + 1)}), 0), Weight: 1})
		}
		c.Services[s.Name] = s
	}
	return c
}
