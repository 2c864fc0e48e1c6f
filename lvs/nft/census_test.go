package nft

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// TestCensusOfMatches: services that are marked by what they take have their own connections only, though all have the same server; what is left of it is of the
// service whose packets others mark.
func TestCensusOfMatches(t *testing.T) {
	a := netip.MustParseAddr
	server := netip.MustParseAddrPort("10.0.0.11:0")
	service := func(mark uint32, matches ...lvs.Match) lvs.Service {
		return lvs.Service{Mark: mark, Addr: netip.IPv4Unspecified(), Matches: matches, Destinations: []lvs.Destination{{Addr: server, Weight: 1}}}
	}
	web := service(1, lvs.Match{First: a("192.0.2.10"), Last: a("192.0.2.10"), Protocol: lvs.TCP, FromPort: 8000, ToPort: 8099})
	net := service(2, lvs.Match{First: a("203.0.113.0"), Last: a("203.0.113.15"), Protocol: lvs.TCP, Routed: true})
	theirs := service(7)
	plain := lvs.Service{Addr: a("192.0.2.10"), Port: 80, Protocol: lvs.TCP, Destinations: []lvs.Destination{{Addr: netip.MustParseAddrPort("10.0.0.11:80"), Weight: 1}}}
	c := census{last: map[flow]count{}}
	for to, n := range map[string]int{"192.0.2.10:8050": 1, "192.0.2.10:8051": 2, "203.0.113.9:80": 4, "192.0.2.10:80": 8, "192.0.2.99:80": 16} {
		vip := netip.MustParseAddrPort(to)
		c.last[flow{unix.IPPROTO_TCP, vip, netip.AddrPortFrom(server.Addr(), vip.Port())}] = count{active: n}
	}
	inner := []lvs.Service{web, net, theirs, plain}
	c.takes(inner)
	for i := range inner {
		inner[i].Matches = nil
	}
	got := c.of(inner)
	for i, want := range []int{3, 4, 16, 8} {
		s := inner[i]
		if n := got[s.Key()][s.Destinations[0].Addr].active; n != want {
			t.Errorf("%v has %d connections, want %d", s.Key(), n, want)
		}
	}
	c.takes(nil) // as if others marked them all
	if n := c.of(inner[2:])[theirs.Key()][server].active; n != 23 {
		t.Errorf("%d, want all that are of no address", n)
	}
}
