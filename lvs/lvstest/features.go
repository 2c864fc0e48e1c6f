package lvstest

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quorate/lvs"
)

// Features checks with real datagrams what IPVS alone has: one-packet scheduling, persistence by SIP's Call-ID, thresholds, and how few clients
// mh moves when a server leaves. Forget has the kernel forget connections over UDP that have had no packet for a second.
func Features(t *testing.T, b *Bed, p lvs.Plane, forget func(*testing.T)) {
	for _, vip := range []netip.Addr{VIP4, VIP6} {
		t.Run(fmt.Sprintf("ipv%d", map[bool]int{true: 4, false: 6}[vip.Is4()]), func(t *testing.T) {
			f := &features{traffic{bed: b, plane: p, vip: vip}}
			t.Run("one packet", f.onePacket)
			t.Run("sip", f.sip)
			t.Run("maglev", f.maglev)
			t.Run("thresholds", func(t *testing.T) { forget(t); f.thresholds(t) })
		})
	}
	if _, err := p.Reconcile(lvs.Scope{Addrs: []netip.Addr{VIP4, VIP6}}, nil); err != nil {
		t.Errorf("removing everything: %v", err)
	}
}

type features struct{ traffic }

// datagram service on port 80, made anew.
func (f *features) datagram(t *testing.T, change func(*lvs.Service)) lvs.Service {
	t.Helper()
	f.set(t)
	s := f.service("rr", 1, 1)
	s.Protocol = lvs.UDP
	change(&s)
	f.set(t, s)
	return s
}

// asker is a socket of the client that hears answers from everywhere: those to what is scheduled packet by packet keep the server's address.
type asker struct {
	net.PacketConn
	to net.Addr
}

func (f *features) asker(t *testing.T, from netip.AddrPort) *asker {
	t.Helper()
	a := &asker{to: net.UDPAddrFromAddrPort(netip.AddrPortFrom(f.vip, 80))}
	err := f.bed.Client.Do(func() (err error) { a.PacketConn, err = net.ListenPacket("udp", from.String()); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// ask sends a text and returns the first word of the answer, and where that came from.
func (a *asker) ask(t *testing.T, text string) (who string, from netip.AddrPort) {
	t.Helper()
	b := make([]byte, 200)
	_, err := a.WriteTo([]byte(text), a.to)
	if err == nil {
		err = a.SetReadDeadline(time.Now().Add(patience))
	}
	if err != nil {
		t.Fatal(err)
	}
	n, addr, err := a.ReadFrom(b)
	if err != nil {
		t.Fatalf("no answer to %v: %v", a.LocalAddr(), err)
	}
	who, _, _ = strings.Cut(strings.TrimSpace(string(b[:n])), " ")
	return who, netip.MustParseAddrPort(addr.String())
}

// onePacket: the datagrams of one socket go to one server after the other; without it, all to one.
func (f *features) onePacket(t *testing.T) {
	for _, one := range []bool{false, true} {
		f.datagram(t, func(s *lvs.Service) { s.OnePacket = one })
		a := f.asker(t, netip.AddrPortFrom(Clients(f.vip)[0], 0))
		got := map[string]int{}
		for range 10 {
			who, _ := a.ask(t, "?")
			got[who]++
		}
		if one {
			expect(t, got, map[string]int{"s1": 5, "s2": 5})
		} else if len(got) != 1 {
			t.Errorf("without one-packet scheduling the datagrams of one socket went to %v", got)
		}
	}
}

// sip: a call of a client, or of a network where the prefix makes that one, is with one server, from whatever port and address its messages
// come; the next call is with the next server (ip_vs_pe_sip.c, ip_vs_sip_ct_match).
func (f *features) sip(t *testing.T) {
	network := map[bool]int{true: 24, false: 64}[f.vip.Is4()]
	for _, x := range []struct{ prefix, clients int }{{0, 1}, {network, 4}} {
		f.datagram(t, func(s *lvs.Service) {
			s.Persistence = lvs.Persistence{Timeout: time.Minute, Engine: lvs.SIP, Prefix: x.prefix}
		})
		counts := map[string]int{}
		for call := range 6 {
			first := ""
			for message := range 4 {
				a := f.asker(t, netip.AddrPortFrom(Clients(f.vip)[message%x.clients], 0))
				who, _ := a.ask(t, fmt.Sprintf("INVITE sip:bob@example.net SIP/2.0\r\nCall-ID: %d-%d@example.com\r\n\r\n", x.prefix, call))
				if first == "" {
					counts[who]++
					first = who
				} else if first != who {
					t.Errorf("call %d of %d clients went to %s, then to %s", call, x.clients, first, who)
				}
			}
		}
		expect(t, counts, map[string]int{"s1": 3, "s2": 3})
	}
}

// maglev: when one of n servers leaves, those clients move that it had, and at most as many others: 2/n together. When it comes back most are
// where they were: the kernel fills its table in the order in which the servers came.
func (f *features) maglev(t *testing.T) {
	const n = 5
	s := f.datagram(t, func(s *lvs.Service) {
		s.Scheduler, s.Flags, s.OnePacket, s.Destinations = "mh", []string{"mh-port"}, true, nil
		for i := range n {
			at := netip.AddrPortFrom(f.bed.Servers[i%2].Addr(f.vip).Addr(), uint16(8000+100*i)) // the kernel hashes the sum of address and port
			f.bed.Servers[i%2].serveAt(t, lvs.UDP, at)
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: at, Weight: 1})
		}
	})
	var askers []*asker
	for _, client := range Clients(f.vip) {
		for range 20 {
			askers = append(askers, f.asker(t, netip.AddrPortFrom(client, 0)))
		}
	}
	places := func() (out []netip.AddrPort) {
		t.Helper()
		for _, a := range askers {
			_, from := a.ask(t, "?")
			out = append(out, from)
		}
		return out
	}
	before := places()
	left := s
	left.Destinations = s.Destinations[1:]
	f.set(t, left)
	after := places()
	moved, had := 0, 0
	for i, a := range after {
		if before[i] == s.Destinations[0].Addr {
			had++
		}
		if a == s.Destinations[0].Addr {
			t.Fatalf("a client went to %v, which has left", a)
		}
		if a != before[i] {
			moved++
		}
	}
	t.Logf("one of %d servers left: %d of %d clients moved, %d of which it had", n, moved, len(askers), had)
	if had == 0 || moved*n > 2*len(askers) {
		t.Errorf("one of %d servers left: %d of %d clients moved, %d of which it had", n, moved, len(askers), had)
	}
	f.set(t, s)
	apart := 0
	for i, a := range places() {
		if a != before[i] {
			apart++
		}
	}
	t.Logf("it came back: %d of %d clients are not where they were", apart, len(askers))
	if apart*n > len(askers) {
		t.Errorf("it came back: %d of %d clients are not where they were", apart, len(askers))
	}
}

// thresholds: a server that has as many connections as it may have gets no new ones, until they are fewer than the lower threshold.
func (f *features) thresholds(t *testing.T) {
	f.datagram(t, func(s *lvs.Service) { s.Destinations[0].Upper, s.Destinations[0].Lower = 3, 2 })
	ask := func() string {
		who, _ := f.asker(t, netip.AddrPortFrom(Clients(f.vip)[0], 0)).ask(t, "?")
		return who
	}
	got := map[string]int{}
	for range 12 {
		got[ask()]++
	}
	expect(t, got, map[string]int{"s1": 3, "s2": 9})
	Eventually(t, "its connections are forgotten, and it gets new ones", func() (bool, any) { who := ask(); return who == "s1", who })
}
