package connsync

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/lvstest"
)

// TestTrackerToldOfDroppedEvents: when the kernel drops events, all connections are told of; and who reads a part of the table may stop.
func TestTrackerToldOfDroppedEvents(t *testing.T) {
	const many = 3000
	host := lvstest.NewPair(t).Directors[0]
	open := func() *tracker {
		k, err := openTracker(81, host.Do)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { k.close() })
		k.services(newCatalogue([]Service{{Protocol: unix.IPPROTO_TCP, Addr: lvstest.NATVIP, Port: 80, Forward: lvs.NAT, Sync: true, Here: true}}))
		return k
	}
	k, other := open(), open()
	raw, err := k.events.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint16(many) {
		c := Conn{Protocol: unix.IPPROTO_TCP, Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.100"), 1000+i),
			Virtual: netip.AddrPortFrom(lvstest.NATVIP, 80), Destination: netip.MustParseAddrPort("10.9.0.11:8080"), State: stateEstablished, Timeout: 600}
		if err := other.put(c); err != nil {
			t.Fatal(err)
		}
	}
	for c, err := range k.Table() {
		if err != nil || c.Virtual.Addr() != lvstest.NATVIP {
			t.Errorf("%+v, %v", c, err)
		}
		break
	}

	ctx, end := context.WithTimeout(t.Context(), 30*time.Second)
	defer end()
	told := map[uint16]bool{}
	err = k.run(ctx, func(_ time.Time, message []byte) {
		m, err := DecodeMessage(message)
		if err != nil {
			t.Error(err)
		}
		for _, c := range m.Conns {
			told[c.Client.Port()] = true
		}
		if len(told) == many {
			end()
		}
	}, func(err error) {
		if err != nil {
			t.Error(err)
		}
	})
	if len(told) != many {
		t.Errorf("%d of %d connections were told of: %v", len(told), many, err)
	}
}
