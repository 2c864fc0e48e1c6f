package lvs

import (
	"net/netip"
	"testing"
)

func TestConnectionsOf(t *testing.T) {
	vip := netip.MustParseAddr("192.0.2.10")
	web := Service{Addr: vip, Port: 80, Protocol: TCP}
	rest := Service{Addr: vip, Protocol: TCP} // all other ports
	marked := Service{Mark: 7, Addr: netip.IPv4Unspecified(), Destinations: []Destination{
		{Addr: netip.MustParseAddrPort("10.0.0.11:0")}, {Addr: netip.MustParseAddrPort("10.0.0.12:8080")}}}
	marked6 := Service{Mark: 7, Addr: netip.IPv6Unspecified()}
	addr := netip.MustParseAddr
	many := Service{Mark: 9, Addr: netip.IPv4Unspecified(), Matches: []Match{
		{First: addr("192.0.2.20"), Last: addr("192.0.2.20"), Protocol: TCP, FromPort: 8000, ToPort: 8099}, {First: addr("192.0.2.20"), Last: addr("192.0.2.20"), Protocol: TCP, FromPort: 443, ToPort: 443},
		{First: addr("203.0.113.64"), Last: addr("203.0.113.79"), Protocol: UDP, Routed: true}}, Destinations: marked.Destinations}
	all := []Service{web, rest, marked, marked6, many}
	connection := func(protocol, client, virtual, server string) Connection {
		return Connection{Protocol: protocol, Client: netip.MustParseAddrPort(client), Virtual: netip.MustParseAddrPort(virtual), Server: netip.MustParseAddrPort(server)}
	}
	template := connection("ip", "198.51.100.0:0", "0.0.0.7:0", "10.0.0.11:0")
	template.Template, template.Mark = true, 7
	template6 := connection("ip", "[2001:db8::]:0", "[0:7::]:0", "[fd00::11]:0")
	template6.Template, template6.Mark = true, 7
	for _, x := range []struct {
		c    Connection
		want *Service // nil: of none
	}{
		{connection("tcp", "198.51.100.1:4000", "192.0.2.10:80", "10.0.0.11:80"), &web},
		{connection("tcp", "198.51.100.1:4000", "192.0.2.10:81", "10.0.0.11:81"), &rest},
		{connection("udp", "198.51.100.1:4000", "192.0.2.10:80", "10.9.9.9:80"), nil},
		{connection("udp", "198.51.100.1:4000", "203.0.113.1:53", "10.0.0.11:53"), &marked},
		{connection("udp", "198.51.100.1:4000", "203.0.113.1:53", "10.0.0.12:8080"), &marked},
		{connection("udp", "198.51.100.1:4000", "203.0.113.1:53", "10.0.0.12:8081"), nil},
		{connection("tcp", "198.51.100.1:4000", "203.0.113.1:53", "10.9.9.9:53"), nil},
		{connection("tcp", "198.51.100.1:4000", "192.0.2.20:8000", "10.9.9.9:53"), &many},
		{connection("tcp", "198.51.100.1:4000", "192.0.2.20:8099", "10.0.0.11:8099"), &many},
		{connection("tcp", "198.51.100.1:4000", "192.0.2.20:443", "10.0.0.11:443"), &many},
		{connection("tcp", "198.51.100.1:4000", "192.0.2.20:444", "10.0.0.11:444"), &marked}, // whatever carries that mark
		{connection("udp", "198.51.100.1:4000", "203.0.113.79:5", "10.0.0.12:8080"), &many},
		{connection("udp", "198.51.100.1:4000", "203.0.113.80:5", "10.0.0.12:8080"), &marked},
		{connection("tcp", "198.51.100.1:4000", "203.0.113.79:5", "10.9.9.9:8080"), nil},
		{template, &marked},
		{template6, &marked6},
	} {
		for _, s := range all {
			want := x.want != nil && x.want.Key() == s.Key()
			if got := ConnectionsOf(s, all)(x.c); got != want {
				t.Errorf("%v is of %v: %t, want %t", x.c, s.Key(), got, want)
			}
		}
	}
}
