package connsync

import (
	"iter"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// TestProbesAreNotTold: the connections of this host's own probes are to the same address, port and server as those of clients, and no other director
// is to count them.
func TestProbesAreNotTold(t *testing.T) {
	vip, server := netip.MustParseAddrPort("192.0.2.10:80"), netip.MustParseAddrPort("192.0.2.51:80")
	c := newCatalogue([]Service{{Protocol: unix.IPPROTO_TCP, Addr: vip.Addr(), Port: 80, Forward: lvs.DirectRouting, Sync: true, Here: true},
		{Mark: 7, Forward: lvs.DirectRouting, Sync: true}})
	conn := func(mark uint32) Conn {
		return Conn{Protocol: unix.IPPROTO_TCP, Client: netip.MustParseAddrPort("192.0.2.3:40000"), Virtual: vip, Destination: server, Mark: mark}
	}
	for mark, want := range map[uint32]bool{0: true, 7: true, 8: true /* the operator's mark, of another purpose */, lvs.FirstProbeMark: false, lvs.FirstProbeMark + 999: false,
		lvs.LastProbeMark: false, lvs.LastProbeMark + 1: true} {
		if got := c.wanted(conn(mark)); got != want {
			t.Errorf("with mark %#x: told %t, want %t", mark, got, want)
		}
	}
	// The kernel's table does not tell marks; those connections are from the host's own addresses.
	client := conn(0)
	client.Client = netip.MustParseAddrPort("198.51.100.7:40000")
	var all iter.Seq2[Conn, error] = func(yield func(Conn, error) bool) {
		_ = yield(conn(0), nil) && yield(client, nil) && yield(Conn{}, errOne)
	}
	var told []Conn
	var failed error
	for c, err := range foreign(all, map[netip.Addr]bool{netip.MustParseAddr("192.0.2.3"): true}) {
		if failed = err; err == nil {
			told = append(told, c)
		}
	}
	if len(told) != 1 || told[0].Client != client.Client || failed != errOne {
		t.Errorf("%+v, %v", told, failed)
	}
}
