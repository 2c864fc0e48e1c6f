package lvstest

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"quorate/lvs"
)

// Bound checks persistence, services of all ports and services by firewall marks with real connections. Mark makes the director mark what is
// sent to TCP port 9000 of the VIPs with 7. Forget has the kernel forget connections over UDP that have had no packet for a second. Both may
// be nil.
func Bound(t *testing.T, b *Bed, p lvs.Plane, mark, forget func(*testing.T)) {
	for _, vip := range []netip.Addr{VIP4, VIP6} {
		t.Run(fmt.Sprintf("ipv%d", map[bool]int{true: 4, false: 6}[vip.Is4()]), func(t *testing.T) {
			f := &bound{traffic{bed: b, plane: p, vip: vip}, firstBound}
			t.Run("client", f.client)
			t.Run("network", f.network)
			t.Run("drained", f.drained)
			t.Run("removed", f.removed)
			t.Run("expired", func(t *testing.T) {
				if forget != nil {
					forget(t)
				}
				f.expired(t)
			})
			t.Run("all ports", f.allPorts)
			t.Run("udp", f.datagrams)
			if mark != nil {
				t.Run("mark", func(t *testing.T) { f.mark(t, mark) })
			}
		})
	}
	if _, err := p.Reconcile(lvs.Scope{Addrs: []netip.Addr{VIP4, VIP6}, Marks: []uint32{7}}, nil); err != nil {
		t.Errorf("removing everything: %v", err)
	}
}

// firstBound is the port before that of the first persistent service.
const firstBound = 8100

type bound struct {
	traffic
	port uint16 // of the service
}

// persistent service on a port that none had before: the kernel may know the clients of an earlier one.
func (f *bound) persistent(t *testing.T, prefix int, timeout time.Duration, weights ...int) lvs.Service {
	t.Helper()
	f.set(t)
	f.port++
	s := f.service("rr", weights...)
	s.Port = f.port
	s.Persistence = lvs.Persistence{Timeout: timeout, Prefix: prefix}
	f.set(t, s)
	return s
}

// from connects n times from a client's address and returns the one server that answered.
func (f *bound) from(t *testing.T, network string, port uint16, client netip.Addr, n int) string {
	t.Helper()
	who := ""
	for range n {
		c, err := f.bed.Client.Open(network, netip.AddrPortFrom(f.vip, port), client)
		if err != nil {
			t.Fatalf("from %v: %v", client, err)
		}
		c.Close()
		if who != "" && who != c.Server {
			t.Fatalf("%v went to %s, then to %s", client, who, c.Server)
		}
		who = c.Server
	}
	return who
}

// client: each goes where it went, and the next one to the next server.
func (f *bound) client(t *testing.T) {
	f.persistent(t, 0, time.Minute, 1, 1)
	first := map[netip.Addr]string{}
	counts := map[string]int{}
	for range 2 {
		for _, c := range Clients(f.vip)[:6] {
			who := f.from(t, "tcp", f.port, c, 3)
			if first[c] != "" && first[c] != who {
				t.Errorf("%v went to %s, then to %s", c, first[c], who)
			}
			if first[c] == "" {
				counts[who]++
			}
			first[c] = who
		}
	}
	expect(t, counts, map[string]int{"s1": 3, "s2": 3})
}

// network: with a prefix that all clients share they are one.
func (f *bound) network(t *testing.T) {
	prefix := 24
	if f.vip.Is6() {
		prefix = 64
	}
	f.persistent(t, prefix, time.Minute, 1, 1)
	who := f.from(t, "tcp", f.port, Clients(f.vip)[0], 1)
	for _, c := range Clients(f.vip)[1:5] {
		if got := f.from(t, "tcp", f.port, c, 2); got != who {
			t.Errorf("%v went to %s, its network is bound to %s", c, got, who)
		}
	}
}

// other is the service with another weight for the named server; a negative one removes it.
func other(s lvs.Service, bed *Bed, name string, weight int) lvs.Service {
	var ds []lvs.Destination
	for i, server := range bed.Servers[:2] {
		d := lvs.Destination{Addr: bed.Servers[i].Addr(s.Addr), Weight: 1}
		if server.Name == name {
			if weight < 0 {
				continue
			}
			d.Weight = weight
		}
		ds = append(ds, d)
	}
	s.Destinations = ds
	return s
}

// drained: a server of weight 0 keeps the clients that are bound to it and gets no others (ip_vs_sched_persist, unless
// expire_quiescent_template is set).
func (f *bound) drained(t *testing.T) {
	s := f.persistent(t, 0, time.Minute, 1, 1)
	clients := Clients(f.vip)
	who := f.from(t, "tcp", f.port, clients[0], 1)
	f.set(t, other(s, f.bed, who, 0))
	if got := f.from(t, "tcp", f.port, clients[0], 3); got != who {
		t.Errorf("a client that is bound to a drained server went to %s", got)
	}
	for _, c := range clients[1:4] {
		if got := f.from(t, "tcp", f.port, c, 2); got == who {
			t.Errorf("a new client %v went to the drained server", c)
		}
	}
}

// removed: a server that is taken out keeps no client, also when it comes back.
func (f *bound) removed(t *testing.T) {
	s := f.persistent(t, 0, time.Minute, 1, 1)
	client := Clients(f.vip)[0]
	who := f.from(t, "tcp", f.port, client, 1)
	f.set(t, other(s, f.bed, who, -1))
	moved := f.from(t, "tcp", f.port, client, 3)
	if moved == who {
		t.Fatalf("a client went to %s, which is no server any more", who)
	}
	f.set(t, s)
	if got := f.from(t, "tcp", f.port, client, 3); got != moved {
		t.Errorf("a client that is bound to %s went back to %s", moved, got)
	}
}

// expired: a binding lasts from the client's last connection, and no longer; with IPVS, from when the kernel has forgotten that.
func (f *bound) expired(t *testing.T) {
	const lasts = 2 * time.Second
	s := f.persistent(t, 0, lasts, 1, 1)
	s.Protocol = lvs.UDP
	f.set(t, s)
	client := Clients(f.vip)[0]
	who := f.from(t, "udp", f.port, client, 3)
	Eventually(t, "the binding ends, and the next server's turn comes", func() (bool, any) {
		time.Sleep(lasts * 3 / 2)
		got := f.from(t, "udp", f.port, client, 1)
		return got != who, got
	})
}

// allPorts: one service for every port, a client at one server on all of them, and a service of one port goes before it.
func (f *bound) allPorts(t *testing.T) {
	f.set(t)
	s := f.service("rr", 1, 1)
	s.Port, s.Persistence = 0, lvs.Persistence{Timeout: time.Minute}
	for i := range s.Destinations {
		s.Destinations[i].Addr = netip.AddrPortFrom(s.Destinations[i].Addr.Addr(), 0)
	}
	exact := f.service("rr", -1, 1)
	f.set(t, s, exact)
	counts := map[string]int{}
	for _, c := range Clients(f.vip)[:4] {
		counts[f.from(t, "tcp", Port, c, 3)]++
	}
	expect(t, counts, map[string]int{"s1": 2, "s2": 2})
	for _, c := range Clients(f.vip)[:4] {
		if got := f.from(t, "tcp", 80, c, 1); got != "s2" {
			t.Errorf("the service of port 80 sent %v to %s", c, got)
		}
	}
	if _, err := f.bed.Client.Open("tcp", netip.AddrPortFrom(f.vip, Port+1), netip.Addr{}); err == nil {
		t.Error("a port at which no server listens answered")
	}
}

func (f *bound) datagrams(t *testing.T) {
	f.set(t)
	s := f.service("rr", 1, 1)
	s.Protocol, s.Persistence = lvs.UDP, lvs.Persistence{Timeout: time.Minute}
	f.set(t, s)
	counts := map[string]int{}
	for _, c := range Clients(f.vip)[:4] {
		counts[f.from(t, "udp", 80, c, 3)]++
	}
	expect(t, counts, map[string]int{"s1": 2, "s2": 2})
}

// mark: what carries the mark is balanced, whatever it is addressed to, and goes to the servers' port.
func (f *bound) mark(t *testing.T, mark func(*testing.T)) {
	mark(t)
	f.set(t)
	s := f.service("rr", 1, 1)
	s.Mark, s.Port, s.Protocol = 7, 0, ""
	f.set(t, s)
	counts := map[string]int{}
	for range 4 {
		counts[f.from(t, "tcp", 9000, Clients(f.vip)[0], 1)]++
	}
	expect(t, counts, map[string]int{"s1": 2, "s2": 2})
	s.Persistence.Timeout = time.Minute // now connections keep the port that they ask for, as with IPVS
	f.set(t, s)
	if _, err := f.bed.Client.Open("tcp", netip.AddrPortFrom(f.vip, 9000), netip.Addr{}); err == nil {
		t.Error("a port at which no server listens answered")
	}
	f.set(t, other(s, f.bed, "", 0))
	for i := range s.Destinations {
		s.Destinations[i].Weight = 0
	}
	s.Persistence.Timeout = 0
	f.set(t, s)
	if _, err := f.bed.Client.Open("tcp", netip.AddrPortFrom(f.vip, 9000), netip.Addr{}); err == nil {
		t.Error("a service without a usable server answered")
	}
}
