package ipvs

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"testing"
	"time"

	"quorate/lvs"
	"quorate/lvs/lvstest"
	"quorate/lvs/realserver"
	"quorate/lvs/suspect"
)

// TestUnanswered: of three servers one answers, one refuses and one is not there. By NAT the counters tell the three apart; by direct routing, the answers of which
// do not come by, the connections tell the first from the others.
func TestUnanswered(t *testing.T) {
	b := newBed(t)
	vips := []netip.Addr{lvstest.VIP4, lvstest.VIP6}
	b.Direct(t, b.Servers[2], realserver.VIP{Addr: vips[0], Forward: lvs.DirectRouting}, realserver.VIP{Addr: vips[1], Forward: lvs.DirectRouting})
	var p *Plane
	err := b.Director.Do(func() (err error) {
		p, err = New()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	natWant, directWant := suspect.Suspects{}, suspect.Suspects{}
	var services []lvs.Service
	for _, vip := range vips {
		one, other := b.Servers[2].Addr(vip), b.Servers[0].Addr(vip)
		absent := netip.MustParseAddr(map[bool]string{true: "10.9.0.99", false: "fd00:9::99"}[vip.Is4()])
		add := func(port uint16, forward string, server netip.AddrPort) {
			services = append(services, lvs.Service{Addr: vip, Port: port, Protocol: lvs.TCP, Scheduler: "rr", Forward: forward,
				Destinations: []lvs.Destination{{Addr: server, Weight: 1}}})
		}
		refuses, silent := netip.AddrPortFrom(other.Addr(), 1), netip.AddrPortFrom(absent, 80)
		add(80, lvs.NAT, other)
		add(81, lvs.NAT, refuses)
		add(82, lvs.NAT, silent)
		natWant[refuses], natWant[silent] = suspect.Refused, suspect.Unanswered
		refuses, silent = netip.AddrPortFrom(one.Addr(), 83), netip.AddrPortFrom(absent, 84)
		add(lvstest.Port, lvs.DirectRouting, one)
		add(83, lvs.DirectRouting, refuses)
		add(84, lvs.DirectRouting, silent)
		directWant[refuses], directWant[silent] = suspect.Unanswered, suspect.Unanswered
	}
	counts := func() suspect.Counts {
		t.Helper()
		out := suspect.Counts{}
		err := b.Director.Do(func() error {
			st, err := p.Reconcile(lvs.Scope{Addrs: vips}, services)
			for _, s := range st.Services {
				for _, d := range s.Destinations {
					if d.Counters != nil && s.Have.Forward == lvs.NAT {
						out.Add(d.Addr, suspect.Count{Connections: d.Counters.Connections, In: d.Counters.Traffic.InPackets, Out: d.Counters.Traffic.OutPackets})
					}
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	look := func() (l suspect.Look) {
		t.Helper()
		err := b.Director.Do(func() (err error) {
			l, err = Unacknowledged(func(lvs.Connection) bool { return true })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for c := range l.Left {
			if _, want := directWant[c.Server]; !want && natWant[c.Server] == "" {
				t.Errorf("%v waits", c)
			}
		}
		return l
	}
	var counters suspect.Counters
	counts() // the first look makes the services
	counters.Next(counts(), time.Now())
	for _, s := range services {
		err := b.Client.Do(func() error {
			well, limit := s.Port == 80 || s.Port == lvstest.Port, 300*time.Millisecond
			if well {
				limit = 10 * time.Second
			}
			c, err := net.DialTimeout(s.Protocol, netip.AddrPortFrom(s.Addr, s.Port).String(), limit)
			if err != nil && !well {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%v: %w", s.Key(), err)
			}
			defer c.Close()
			_, err = c.Read(make([]byte, 1))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var waiting suspect.Waiting
	now := time.Now()
	waiting.Next(look(), now)
	got := waiting.Next(look(), now.Add(time.Second))
	maps.DeleteFunc(got, func(a netip.AddrPort, _ suspect.Reason) bool { return natWant[a] != "" })
	if !maps.Equal(got, directWant) {
		t.Errorf("by direct routing %v, want %v", got, directWant)
	}
	found := suspect.Suspects{}
	lvstest.Eventually(t, fmt.Sprintf("by NAT %v", natWant), func() (bool, any) { // the kernel adds its counters up every two seconds
		maps.Copy(found, counters.Next(counts(), time.Now()))
		for server, reason := range found {
			// For a host that is not there the director itself answers clients, seconds later, with an ICMP error that the kernel counts as a packet of the server's.
			if natWant[server] == suspect.Unanswered && reason == suspect.Refused {
				found[server] = suspect.Unanswered
			}
		}
		return maps.Equal(found, natWant), found
	})
}
