package marker

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"quorate/lvs"
)

// TestRoutedPrefixes compares the prefixes with a count of every address.
func TestRoutedPrefixes(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 2000 {
		var s lvs.Service
		want := map[netip.Addr]bool{}
		for range r.IntN(6) {
			first := netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(256))})
			if r.IntN(3) == 0 {
				first = netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ff00")
				for range r.IntN(250) {
					first = first.Next()
				}
			}
			m := lvs.Match{First: first, Last: first, Protocol: lvs.TCP, Routed: r.IntN(5) > 0}
			for range r.IntN(40) {
				if n := m.Last.Next(); n.IsValid() {
					m.Last = n
				}
			}
			s.Matches = append(s.Matches, m)
			for a := m.First; m.Routed && a.IsValid() && !m.Last.Less(a); a = a.Next() {
				want[a] = true
			}
		}
		got := routedPrefixes([]lvs.Service{s})
		n := 0
		for i, p := range got {
			if p != p.Masked() || i > 0 && (end(got[i-1]).Next() == p.Addr() && got[i-1].Bits() == p.Bits() && netip.PrefixFrom(got[i-1].Addr(), p.Bits()-1).Masked().Addr() == got[i-1].Addr()) {
				t.Fatalf("%v of %v could be fewer", got, s.Matches)
			}
			for a := p.Addr(); a.IsValid() && p.Contains(a); a = a.Next() {
				if n++; !want[a] {
					t.Fatalf("%v has %v, which is in none of %v", got, a, s.Matches)
				}
			}
		}
		if n != len(want) || !slices.IsSortedFunc(got, netip.Prefix.Compare) {
			t.Fatalf("%v has %d addresses, want %d of %v", got, n, len(want), s.Matches)
		}
		for _, m := range s.Matches {
			if m.Routed && !covered(m, got) {
				t.Fatalf("%v does not cover %v", got, m)
			}
			if len(got) > 0 && m.Routed && covered(m, got[1:]) && got[0].Contains(m.First) {
				t.Fatalf("%v covers %v", got[1:], m)
			}
		}
	}
}

// FuzzParseRoute: no message from the kernel's socket makes it fall over, and what it takes for ours is a prefix.
func FuzzParseRoute(f *testing.F) {
	f.Add(routeMessage(2))
	f.Add([]byte{2, 24, 0, 0, 255, 81, 254, 2, 0, 0, 0, 0, 8, 0, 1, 0, 198, 51, 100, 0})
	f.Add([]byte{10, 120, 0, 0, 255, 81, 0, 2, 0, 0, 0, 0, 20, 0, 1, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{2, 200, 0, 0, 255, 81, 254, 2, 0, 0, 0, 0, 3, 0, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, ours, err := parseRoute(b); err == nil && ours && !p.IsValid() {
			t.Errorf("%v", p)
		}
	})
}
