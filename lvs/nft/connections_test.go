package nft

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/conntrack"
	"quorate/lvs/lvstest"
)

func TestConnectionOf(t *testing.T) {
	a := netip.MustParseAddrPort
	whole := tracked{Orig: conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: a("192.0.2.100:40000"), Dst: a("192.0.2.10:80")},
		Reply: conntrack.Tuple{Src: a("10.9.0.11:8080")}, Status: conntrack.DstNAT, State: tcpEstablished, Timeout: 120}
	want := lvs.Connection{Protocol: "tcp", Client: a("192.0.2.100:40000"), Virtual: a("192.0.2.10:80"), Server: a("10.9.0.11:8080"), State: "ESTABLISHED", Expires: 2 * time.Minute}
	if c, ok := whole.connection(); !ok || c != want {
		t.Errorf("%+v, %t", c, ok)
	}
	for state, x := range map[string]func(*tracked){
		"CLOSE": func(x *tracked) { x.State = 8 }, "STATE-99": func(x *tracked) { x.State = 99 }, "HEARTBEAT_ACKED": func(x *tracked) { x.Orig.Protocol, x.State = unix.IPPROTO_SCTP, 9 },
		"UNREPLIED": func(x *tracked) { x.Orig.Protocol = unix.IPPROTO_UDP }, "REPLIED": func(x *tracked) { x.Orig.Protocol, x.Status = unix.IPPROTO_UDP, conntrack.DstNAT|conntrack.SeenReply },
		"ASSURED": func(x *tracked) {
			x.Orig.Protocol, x.Status = unix.IPPROTO_UDP, conntrack.DstNAT|conntrack.SeenReply|conntrack.Assured
		},
		"": func(x *tracked) { x.Status = 0 },
	} {
		other := whole
		x(&other)
		if c, ok := other.connection(); c.State != state || ok != (state != "") {
			t.Errorf("%+v, %t, want %s", c, ok, state)
		}
	}
	for _, x := range []func(*tracked){
		func(x *tracked) { x.Orig.Protocol = unix.IPPROTO_ICMP }, func(x *tracked) { x.Orig.Src = netip.AddrPort{} }, func(x *tracked) { x.Orig.Dst = netip.AddrPort{} },
		func(x *tracked) { x.Reply.Src = netip.AddrPort{} },
	} {
		other := whole
		x(&other)
		if c, ok := other.connection(); ok {
			t.Errorf("%+v is taken for %+v", other, c)
		}
	}
}

// TestConnections: who is connected to what is what the kernel says.
func TestConnections(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	var want []lvs.Service
	for _, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		want = append(want, lvs.Service{Addr: vip, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT,
			Destinations: []lvs.Destination{{Addr: b.Servers[0].Addr(vip), Weight: 1}}})
	}
	if _, err := p.Reconcile(lvs.Scope{}, want); err != nil {
		t.Fatal(err)
	}
	for i, vip := range []netip.Addr{lvstest.VIP4, lvstest.VIP6} {
		open := map[netip.AddrPort]bool{}
		for range 3 {
			c, err := b.Client.Open("tcp", netip.AddrPortFrom(vip, 80), netip.Addr{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			open[c.Conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort()] = true
		}
		mine := lvs.ConnectionsOf(want[i], want)
		err := b.Director.Do(func() error {
			for c, err := range Connections() {
				if err != nil {
					return err
				}
				if !mine(c) {
					continue
				}
				if !open[c.Client] || c.Server != b.Servers[0].Addr(vip) || c.State != "ESTABLISHED" || c.Expires <= 0 {
					t.Errorf("%+v is not one of %v", c, open)
				}
				delete(open, c.Client)
			}
			return nil
		})
		if err != nil || len(open) > 0 {
			t.Errorf("%v; missing are %v", err, open)
		}
	}
}
