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

// FuzzParseTracked: whatever the kernel would send, nothing panics.
func FuzzParseTracked(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 52, 0, 1, 128, 20, 0, 1, 128, 8, 0, 1, 0, 192, 0, 2, 100, 8, 0, 2, 0, 192, 0, 2, 10, 28, 0, 2, 128, 5, 0, 1, 0, 6, 0, 0, 0, 6, 0, 2, 0, 1, 2, 0, 0, 6, 0, 3, 0, 0, 80, 0, 0,
		8, 0, 3, 0, 0, 0, 0, 32, 16, 0, 4, 128, 12, 0, 1, 128, 5, 0, 1, 0, 3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if f, err := conntrack.Decode(b); err == nil {
			if c, ok := tracked(f).connection(); ok && c.State == "" {
				t.Fatalf("%+v", c)
			}
		}
		parseElements(nil, b)
	})
}

func TestActive(t *testing.T) {
	for _, c := range []struct {
		protocol, state byte
		want            bool
	}{{unix.IPPROTO_TCP, tcpEstablished, true}, {unix.IPPROTO_TCP, sctpEstablished, false}, {unix.IPPROTO_SCTP, sctpEstablished, true},
		{unix.IPPROTO_SCTP, tcpEstablished, false}, {unix.IPPROTO_UDP, tcpEstablished, false}, {unix.IPPROTO_UDP, 0, false}} {
		if got := (tracked{Orig: conntrack.Tuple{Protocol: c.protocol}, State: c.state}).active(); got != c.want {
			t.Errorf("protocol %d in state %d: %t", c.protocol, c.state, got)
		}
	}
}

// TestCounters: connections that are open and those that have been, for each server, over a change of the weights; of a service by address, of
// one of all ports, and of one by firewall mark.
func TestCounters(t *testing.T) {
	b := lvstest.NewBed(t)
	p := b.Plane(t, open)
	markPort(t, b)
	base := lvs.Service{Addr: lvstest.VIP4, Port: 80, Protocol: lvs.TCP, Scheduler: "wrr", Forward: lvs.NAT, Destinations: []lvs.Destination{
		{Addr: b.Servers[0].Addr(lvstest.VIP4), Weight: 2}, {Addr: b.Servers[1].Addr(lvstest.VIP4), Weight: 1},
	}}
	all, marked := base, base
	all.Port, all.Persistence.Timeout = 0, time.Minute
	marked.Mark, marked.Port, marked.Protocol = 7, 0, ""
	for _, c := range []struct {
		name    string
		service lvs.Service
		port    uint16
		bound   bool
	}{{"address", base, 80, false}, {"all ports", all, lvstest.Port, true}, {"mark", marked, 9000, false}} {
		t.Run(c.name, func(t *testing.T) {
			set := func() lvs.Status {
				t.Helper()
				st, err := p.Reconcile(lvs.Scope{}, []lvs.Service{c.service})
				if err != nil {
					t.Fatal(err)
				}
				return st
			}
			set()
			connect := func(n int) {
				t.Helper()
				for i := range n {
					conn, err := b.Client.Open("tcp", netip.AddrPortFrom(lvstest.VIP4, c.port), lvstest.Clients(lvstest.VIP4)[i])
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { conn.Close() })
				}
			}
			counted := func(what string, s1, s2 int) {
				t.Helper()
				lvstest.Eventually(t, what, func() (bool, any) {
					st := set()
					for i, want := range []int{s1, s2} {
						n := st.Services[0].Destinations[i].Counters
						if n == nil || n.Active != want || n.Connections != uint64(want) {
							return false, st
						}
					}
					return true, st
				})
			}
			connect(6)
			counted("six connections", 4, 2)
			c.service.Destinations = []lvs.Destination{c.service.Destinations[0], c.service.Destinations[1]}
			c.service.Destinations[0].Weight = 0
			set()
			connect(2)
			if c.bound {
				counted("two more, of clients that are bound", 5, 3)
			} else {
				counted("two more, and the earlier ones", 4, 4)
			}
		})
	}
}
