package connsync

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// TestCatalogueOfMatches: a connection belongs to the service that has a match for it, here or elsewhere by where its VIP is, whatever mark is on it; what
// persistence remembers goes by the mark, as nothing else is in it.
func TestCatalogueOfMatches(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11")
	web := func(addr netip.Addr, here bool) Service {
		return Service{Protocol: unix.IPPROTO_TCP, Mark: 0x51000000, Forward: lvs.NAT, Sync: true, Here: here,
			Methods: map[netip.AddrPort]string{netip.MustParseAddrPort("10.0.0.12:0"): lvs.Tunnel},
			Matches: []lvs.Match{{First: addr, Last: addr, Protocol: lvs.TCP, FromPort: 8000, ToPort: 8099}}}
	}
	dns := Service{Protocol: unix.IPPROTO_UDP, Mark: 0x51000001, Forward: lvs.DirectRouting, Sync: true, Here: true,
		Matches: []lvs.Match{{First: netip.MustParseAddr("203.0.113.0"), Last: netip.MustParseAddr("203.0.113.15"), Protocol: lvs.UDP, FromPort: 53, ToPort: 53, Routed: true}}}
	plain := Service{Protocol: unix.IPPROTO_TCP, Addr: a, Port: 80, Forward: lvs.NAT, Here: true}
	c := newCatalogue([]Service{web(a, true), web(b, false), dns, plain})
	conn := func(protocol uint8, virtual, server string, mark uint32) Conn {
		return Conn{Protocol: protocol, Client: netip.MustParseAddrPort("198.51.100.1:4000"), Virtual: netip.MustParseAddrPort(virtual), Destination: netip.MustParseAddrPort(server), Mark: mark}
	}
	template := conn(0, "0.0.0.1:0", "10.0.0.11:0", 0x51000000)
	template.Flags, template.Client = flagTemplate, netip.MustParseAddrPort("198.51.100.0:0")
	for _, x := range []struct {
		name         string
		conn         Conn
		wanted, here bool
		mark         uint32
		flags        uint32
	}{
		{"here", conn(unix.IPPROTO_TCP, "192.0.2.10:8050", "10.0.0.11:8050", 0), true, true, 0x51000000, 0},
		{"elsewhere", conn(unix.IPPROTO_TCP, "192.0.2.11:8050", "10.0.0.11:8050", 0), true, false, 0x51000000, 0},
		{"elsewhere, by a message", conn(unix.IPPROTO_TCP, "192.0.2.11:8050", "10.0.0.11:8050", 0x51000000), true, false, 0x51000000, 0},
		{"a server's own method, at any port", conn(unix.IPPROTO_TCP, "192.0.2.10:8050", "10.0.0.12:8050", 0), true, true, 0x51000000, flagTunnel | flagNoOutput},
		{"routed", conn(unix.IPPROTO_UDP, "203.0.113.9:53", "10.0.0.11:53", 0), true, true, 0x51000001, flagRoute | flagNoOutput},
		{"persistence", template, true, false, 0x51000000, flagTemplate},
		{"by address", conn(unix.IPPROTO_TCP, "192.0.2.10:80", "10.0.0.11:80", 0), false, false, 0, 0},
	} {
		got := x.conn
		if known := c.complete(&got); !known || got.Mark != x.mark || got.Flags != x.flags {
			t.Errorf("%s: mark %#x, flags %#x, %t", x.name, got.Mark, got.Flags, known)
		}
		if c.wanted(x.conn) != x.wanted || x.name != "persistence" && c.here(x.conn) != x.here {
			t.Errorf("%s: wanted %t, here %t", x.name, c.wanted(x.conn), c.here(x.conn))
		}
	}
	for _, none := range []Conn{conn(unix.IPPROTO_TCP, "192.0.2.10:8100", "10.0.0.11:80", 0), conn(unix.IPPROTO_UDP, "192.0.2.10:8050", "10.0.0.11:80", 0)} {
		if c.complete(&none) {
			t.Errorf("%+v is of a service", none)
		}
	}
	if !c.datagrams() {
		t.Error("a service of datagrams is forgotten")
	}
}

// TestTableHasMarks: the kernel's list says no mark of a connection, and another kernel finds its destination by the mark only.
func TestTableHasMarks(t *testing.T) {
	vip := netip.MustParseAddr("192.0.2.10")
	c := newCatalogue([]Service{{Protocol: unix.IPPROTO_TCP, Mark: 0x51000000, Forward: lvs.NAT, Sync: true,
		Matches: []lvs.Match{{First: vip, Last: vip, Protocol: lvs.TCP, FromPort: 80, ToPort: 89}}}})
	const table = `Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP C6336401 0FA0 C000020A 0055 0A00000B 0055 ESTABLISHED     899
TCP C6336401 0FA1 C000020A 005A 0A00000B 005A ESTABLISHED     899
IP  C6336400 0000 51000000 0000 0A00000B 0000 NONE            359
`
	var got []Conn
	for x, err := range connections(strings.NewReader(table), c.complete) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, x)
	}
	if len(got) != 2 || got[0].Mark != 0x51000000 || got[0].Virtual.Port() != 85 || !got[1].Template() || got[1].Mark != 0x51000000 {
		t.Errorf("%+v", got)
	}
}
