package nft

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/conntrack"
	"quorate/lvs/lvstest"
)

// TestStray: which connections end, of services of every kind.
func TestStray(t *testing.T) {
	at, vip := netip.MustParseAddrPort, netip.MustParseAddr("192.0.2.10")
	service := func(ends bool, port uint16, servers ...string) lvs.Service {
		s := lvs.Service{Addr: vip, Port: port, Protocol: lvs.TCP, Ends: ends}
		for _, a := range servers {
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: at(a)})
		}
		return s
	}
	all, kept, bound := service(true, 0, "10.9.0.11:0"), service(false, 82, "10.9.0.11:80"), service(true, 83, "10.9.0.11:80")
	bound.Persistence.Timeout = time.Minute
	ranged, marked := service(true, 0, "10.9.0.11:80", "10.9.0.12:0"), service(true, 0, "10.9.0.11:80")
	ranged.Mark, ranged.Matches = 1, []lvs.Match{{First: vip, Last: vip, Protocol: lvs.TCP, FromPort: 100, ToPort: 199}}
	marked.Mark, marked.Addr = 2, netip.MustParseAddr("198.51.100.1")
	services := []lvs.Service{service(true, 80, "10.9.0.11:80", "10.9.0.11:81"), kept, bound, all, ranged, marked}
	var c census
	c.takes(services)
	r := c.rosters(services)
	for _, x := range []struct {
		vip, server string
		want        bool
	}{
		{"192.0.2.10:80", "10.9.0.11:80", false}, {"192.0.2.10:80", "10.9.0.11:81", false},
		{"192.0.2.10:80", "10.9.0.11:82", true}, {"192.0.2.10:80", "10.9.0.12:80", true},
		{"192.0.2.10:82", "10.9.0.12:80", false},                                          // not asked for
		{"192.0.2.10:83", "10.9.0.11:83", false}, {"192.0.2.10:83", "10.9.0.12:83", true}, // a client's port
		{"192.0.2.10:90", "10.9.0.11:90", false}, {"192.0.2.10:90", "10.9.0.12:90", true}, // of the service of all ports
		{"192.0.2.10:150", "10.9.0.11:80", false}, {"192.0.2.10:150", "10.9.0.11:81", true}, // of the range
		{"192.0.2.10:150", "10.9.0.12:150", false}, {"192.0.2.10:150", "10.9.0.13:80", true},
		{"198.51.100.1:80", "10.9.0.12:80", false}, {"198.51.100.2:80", "10.9.0.12:80", false}, // nobody knows of what it is
	} {
		if got := r.stray(flow{proto: unix.IPPROTO_TCP, vip: at(x.vip), server: at(x.server)}); got != x.want {
			t.Errorf("%s → %s: %t", x.vip, x.server, got)
		}
	}
	if r.stray(flow{proto: unix.IPPROTO_UDP, vip: at("192.0.2.10:80"), server: at("10.9.0.12:80")}) {
		t.Error("another protocol's connection is a stray")
	}
}

// TestStraysEnd: connections that another director has told the kernel of end when the service comes and while it is there, and no others.
func TestStraysEnd(t *testing.T) {
	b := lvstest.NewBed(t)
	server := b.Servers[0].Addr(lvstest.VIP4)
	gone := netip.AddrPortFrom(b.Servers[2].Addr(lvstest.VIP4).Addr(), lvstest.Port)
	ends := lvs.Service{Addr: lvstest.VIP4, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT, Ends: true,
		Destinations: []lvs.Destination{{Addr: server, Weight: 1}}}
	goesOn := ends
	goesOn.Port, goesOn.Ends = 81, false
	tell := func(port uint16, to netip.AddrPort) {
		t.Helper()
		virtual, client := netip.AddrPortFrom(lvstest.VIP4, port), netip.AddrPortFrom(lvstest.Clients(lvstest.VIP4)[0], 1000+to.Port()+uint16(to.Addr().As4()[3]))
		f := conntrack.Flow{Status: conntrack.Confirmed | conntrack.SeenReply | conntrack.Assured, Timeout: 600, State: tcpEstablished,
			Orig:  conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: client, Dst: virtual},
			Reply: conntrack.Tuple{Protocol: unix.IPPROTO_TCP, Src: virtual, Dst: client}}
		if err := b.Director.Do(func() error { return put(f, to) }); err != nil {
			t.Fatal(err)
		}
	}
	tracked := func() (n map[[2]netip.AddrPort]bool) {
		n = map[[2]netip.AddrPort]bool{}
		err := b.Director.Do(func() error {
			for c, err := range Connections() {
				if err != nil {
					return err
				}
				n[[2]netip.AddrPort{c.Virtual, c.Server}] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	p := b.Plane(t, open)
	look := func() {
		t.Helper()
		if st, err := p.Reconcile(lvs.Scope{}, []lvs.Service{ends, goesOn}); err != nil || len(st.Problems) > 0 {
			t.Fatal(err, st.Problems)
		}
	}
	for _, when := range []string{"the service comes", "it is there"} {
		for _, port := range []uint16{80, 81, 82} {
			tell(port, server)
			tell(port, gone)
		}
		look()
		lvstest.Eventually(t, when+": one of six ends", func() (bool, any) {
			look()
			got := tracked()
			return len(got) == 5 && !got[[2]netip.AddrPort{netip.AddrPortFrom(lvstest.VIP4, 80), gone}], got
		})
	}
}

// TestStraysAreReset: the client hears of it also where conntrack takes no connection up that it has not seen from its beginning.
func TestStraysAreReset(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	s := lvs.Service{Addr: lvstest.VIP4, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: lvs.NAT, Ends: true,
		Destinations: []lvs.Destination{{Addr: b.Servers[0].Addr(lvstest.VIP4), Weight: 1}}}
	if _, err := p.Reconcile(lvs.Scope{}, []lvs.Service{s}); err != nil {
		t.Fatal(err)
	}
	if err := b.Director.Sysctl("net/netfilter/nf_conntrack_tcp_loose", "0"); err != nil {
		t.Fatal(err)
	}
	c, err := b.Client.Open(lvs.TCP, netip.AddrPortFrom(lvstest.VIP4, 80), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Destinations = []lvs.Destination{{Addr: b.Servers[1].Addr(lvstest.VIP4), Weight: 1}}
	if _, err := p.Reconcile(lvs.Scope{}, []lvs.Service{s}); err != nil {
		t.Fatal(err)
	}
	if err := c.Alive(); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the connection to the server that has gone: %v, want it reset", err)
	}
}

// FuzzFailure: whatever the kernel would answer, nothing panics.
func FuzzFailure(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) { _ = failure(b) })
}
