package lvs

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// TestMatchIndex compares with a look at all matches, of which a random part that do not overlap is taken.
func TestMatchIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := rapid.Map(rapid.IntRange(1, 12), func(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) })
		protocol := rapid.SampledFrom([]string{TCP, UDP})
		var list []Match
		for range rapid.IntRange(0, 12).Draw(t, "matches") {
			m := Match{Protocol: protocol.Draw(t, "protocol"), First: addr.Draw(t, "first")}
			if m.Last = m.First; rapid.IntRange(0, 3).Draw(t, "range") == 0 {
				m.Last, m.Routed = netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(int(m.First.As4()[3]), 14).Draw(t, "last"))}), true
			}
			if rapid.IntRange(0, 3).Draw(t, "all ports") > 0 {
				m.FromPort = rapid.Uint16Range(1, 20).Draw(t, "from")
				m.ToPort = m.FromPort + rapid.Uint16Range(0, 4).Draw(t, "more")
			}
			free := true
			for _, o := range list {
				free = free && !m.Overlaps(o)
			}
			if free {
				list = append(list, m)
			}
		}
		x := NewMatchIndex(list)
		for range 50 {
			p, to := protocol.Draw(t, "protocol"), netip.AddrPortFrom(addr.Draw(t, "to"), rapid.Uint16Range(1, 25).Draw(t, "port"))
			if rapid.Bool().Draw(t, "mapped") {
				to = netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())
			}
			want := -1
			for i, m := range list {
				if m.Overlaps(Match{Protocol: p, First: to.Addr().Unmap(), Last: to.Addr().Unmap(), FromPort: to.Port(), ToPort: to.Port()}) {
					want = i
				}
			}
			if n, ok := x.Find(p, to); ok != (want >= 0) || ok && n != want {
				t.Fatalf("%s %v is of %d, %t; want %d of %v", p, to, n, ok, want, list)
			}
		}
	})
}

// BenchmarkMatchIndex looks up packets among 4,096 matches of single addresses and 256 of networks.
func BenchmarkMatchIndex(b *testing.B) {
	var list []Match
	for i := range 4096 {
		a := netip.AddrFrom4([4]byte{192, 0, byte(i >> 4), byte(i & 15)})
		list = append(list, Match{First: a, Last: a, Protocol: TCP, FromPort: 8000, ToPort: 8099})
	}
	for i := range 256 {
		list = append(list, Match{First: netip.AddrFrom4([4]byte{203, 0, byte(i), 0}), Last: netip.AddrFrom4([4]byte{203, 0, byte(i), 255}), Protocol: TCP, Routed: true})
	}
	x := NewMatchIndex(list)
	for b.Loop() {
		for _, to := range []string{"192.0.7.7:8050", "203.0.255.9:80", "198.51.100.1:80"} {
			_, _ = x.Find(TCP, netip.MustParseAddrPort(to))
		}
	}
}
