package lvstest

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// Traffic checks with real connections through the VIPs of a bed that a plane balances as the service says and that its
// changes disturb nobody.
func Traffic(t *testing.T, b *Bed, p lvs.Plane) {
	for _, vip := range []netip.Addr{VIP4, VIP6} {
		name := "ipv4"
		if vip.Is6() {
			name = "ipv6"
		}
		t.Run(name, func(t *testing.T) {
			f := &traffic{bed: b, plane: p, vip: vip}
			for _, c := range []struct {
				name string
				run  func(*testing.T)
			}{
				{"weights", f.weights}, {"udp", f.udp}, {"drain", f.drain}, {"remove", f.remove}, {"on_down", f.onDown}, {"quorum", f.quorum}, {"edit", f.edit},
				{"closed", f.closed}, {"source hash", f.sourceHash}, {"from the director", f.local}, {"the director is a server", f.itself},
				{"masquerade", f.masquerade}, {"repair", f.repair},
			} {
				t.Run(c.name, c.run)
			}
		})
	}
	if _, err := p.Reconcile(lvs.Scope{Addrs: []netip.Addr{VIP4, VIP6}}, nil); err != nil {
		t.Errorf("removing everything: %v", err)
	}
}

type traffic struct {
	bed   *Bed
	plane lvs.Plane
	vip   netip.Addr
}

// service on port 80 with one weight for each of s1, s2, …; a negative weight leaves the server out.
func (f *traffic) service(scheduler string, weights ...int) lvs.Service {
	s := lvs.Service{Addr: f.vip, Port: 80, Protocol: lvs.TCP, Scheduler: scheduler, Forward: lvs.NAT}
	for i, w := range weights {
		if w >= 0 {
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: f.bed.Servers[i].Addr(f.vip), Weight: w})
		}
	}
	return s
}

func (f *traffic) set(t *testing.T, want ...lvs.Service) lvs.Status {
	t.Helper()
	st, err := f.plane.Reconcile(lvs.Scope{Addrs: []netip.Addr{VIP4, VIP6}}, want)
	if err != nil {
		t.Fatalf("Reconcile: %v", err)
	}
	for _, p := range st.Problems {
		t.Errorf("problem: %s", p)
	}
	return st
}

func (f *traffic) open(t *testing.T) *Conn {
	t.Helper()
	c, err := f.bed.Client.Open("tcp", netip.AddrPortFrom(f.vip, 80), netip.Addr{})
	if err != nil {
		t.Fatalf("connecting: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// count opens n connections one after the other and says who answered how often.
func (f *traffic) count(t *testing.T, network string, n int) map[string]int {
	t.Helper()
	got := make(map[string]int)
	for range n {
		c, err := f.bed.Client.Open(network, netip.AddrPortFrom(f.vip, 80), netip.Addr{})
		if err != nil {
			t.Fatalf("connecting after %v: %v", got, err)
		}
		got[c.Server]++
		c.Close()
	}
	return got
}

// Eventually waits for something that the kernel does in its own time, and shows the last value when it does not happen.
func Eventually(t *testing.T, what string, ok func() (bool, any)) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		done, last := ok()
		if done {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never came: %s\n%v", what, last)
		}
	}
}

func expect(t *testing.T, got, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("connections per server: %v, want %v", got, want)
	}
}

// each opens connections until there is one to each of the named servers.
func (f *traffic) each(t *testing.T, servers ...string) map[string]*Conn {
	t.Helper()
	out := make(map[string]*Conn)
	for range 20 {
		c := f.open(t)
		out[c.Server] = c
		if !slices.ContainsFunc(servers, func(s string) bool { return out[s] == nil }) {
			return out
		}
	}
	t.Fatalf("no connection to some of %v", servers)
	return nil
}

func alive(t *testing.T, conns map[string]*Conn, servers ...string) {
	t.Helper()
	for _, s := range servers {
		if err := conns[s].Alive(); err != nil {
			t.Errorf("established connection to %s: %v", s, err)
		}
	}
}

func (f *traffic) weights(t *testing.T) {
	f.set(t, f.service("wrr", 3, 1))
	expect(t, f.count(t, "tcp", 40), map[string]int{"s1": 30, "s2": 10})
	f.set(t, f.service("rr", 3, 1))
	expect(t, f.count(t, "tcp", 20), map[string]int{"s1": 10, "s2": 10})
	Eventually(t, "the status counts the 20 connections", func() (bool, any) {
		st := f.set(t, f.service("rr", 3, 1))
		return st.Services[0].Connections >= 20, st
	})
}

func (f *traffic) udp(t *testing.T) {
	s := f.service("wrr", 1, 4)
	s.Protocol = lvs.UDP
	f.set(t, s)
	expect(t, f.count(t, "udp", 20), map[string]int{"s1": 4, "s2": 16})
}

func (f *traffic) drain(t *testing.T) {
	f.set(t, f.service("wrr", 1, 1))
	conns := f.each(t, "s1", "s2")
	f.set(t, f.service("wrr", 0, 1))
	expect(t, f.count(t, "tcp", 10), map[string]int{"s2": 10})
	alive(t, conns, "s1", "s2")
	f.set(t, f.service("wrr", 1, 1))
	expect(t, f.count(t, "tcp", 10), map[string]int{"s1": 5, "s2": 5})
	alive(t, conns, "s1", "s2")
}

func (f *traffic) remove(t *testing.T) {
	f.set(t, f.service("wrr", 1, 1))
	conns := f.each(t, "s2")
	f.set(t, f.service("wrr", -1, 1))
	expect(t, f.count(t, "tcp", 10), map[string]int{"s2": 10})
	alive(t, conns, "s2")
}

// quorum takes a service from its servers to its sorry server and back, each in one step: those that stay with weight 0 keep their connections.
func (f *traffic) quorum(t *testing.T) {
	f.set(t, f.service("wrr", 1, -1))
	conns := f.each(t, "s1")
	f.set(t, f.service("wrr", 0, 1))
	expect(t, f.count(t, "tcp", 10), map[string]int{"s2": 10})
	alive(t, conns, "s1")
	maps.Copy(conns, f.each(t, "s2"))
	f.set(t, f.service("wrr", 1, -1))
	expect(t, f.count(t, "tcp", 10), map[string]int{"s1": 10})
	alive(t, conns, "s1")
}

// edit changes everything about the service that can be edited, and other services beside it.
func (f *traffic) edit(t *testing.T) {
	f.set(t, f.service("wrr", 1, 1))
	conns := f.each(t, "s1", "s2")
	other := f.service("rr", 1)
	other.Port = 81
	for _, want := range [][]lvs.Service{
		{f.service("rr", 1, 1)}, {f.service("wlc", 5, 1)}, {f.service("rr", 2, 1), other}, {f.service("rr", 2, 1)},
	} {
		f.set(t, want...)
		alive(t, conns, "s1", "s2")
		f.open(t)
	}
}

// closed: without a usable server a service refuses new connections at once, and established ones go on.
func (f *traffic) closed(t *testing.T) {
	f.set(t, f.service("wrr", 1, 1))
	conns := f.each(t, "s1", "s2")
	for _, s := range []lvs.Service{f.service("wrr", 0, 0), f.service("wrr")} {
		f.set(t, s)
		c, err := f.bed.Client.Open("tcp", netip.AddrPortFrom(f.vip, 80), netip.Addr{})
		if err == nil {
			c.Close()
		}
		if !refused(err) {
			t.Errorf("new connection to a service with %d servers, none usable: %v, want it refused", len(s.Destinations), err)
		}
		if len(s.Destinations) > 0 {
			alive(t, conns, "s1", "s2")
		}
	}
	udp := f.service("wrr", 0)
	udp.Protocol = lvs.UDP
	f.set(t, udp)
	if _, err := f.bed.Client.Open("udp", netip.AddrPortFrom(f.vip, 80), netip.Addr{}); !refused(err) {
		t.Errorf("udp to a service without a usable server: %v, want it refused", err)
	}
}

// refused reports whether somebody has said no at once.
func refused(err error) bool { return errors.Is(err, unix.ECONNREFUSED) }

func (f *traffic) sourceHash(t *testing.T) {
	f.set(t, f.service("sh", 1, 1))
	first := make(map[netip.Addr]string)
	counts := make(map[string]int)
	for range 3 {
		for _, from := range Clients(f.vip) {
			c, err := f.bed.Client.Open("tcp", netip.AddrPortFrom(f.vip, 80), from)
			if err != nil {
				t.Fatal(err)
			}
			if s, seen := first[from]; seen && s != c.Server {
				t.Errorf("%v went to %s, then to %s", from, s, c.Server)
			}
			first[from] = c.Server
			counts[c.Server]++
			c.Close()
		}
	}
	if len(counts) != 2 {
		t.Errorf("16 sources on 2 servers: %v", counts)
	}
}

// itself: the director is one of the servers. What goes to it by direct routing it takes as it comes, to the VIP.
func (f *traffic) itself(t *testing.T) {
	director := &Server{Host: f.bed.Director}
	own := netip.MustParseAddr("10.9.0.1")
	if f.vip.Is6() {
		own = netip.MustParseAddr("fd00:9::1")
	}
	director.serveAt(t, lvs.TCP, netip.AddrPortFrom(own, Port))
	director.serveAt(t, lvs.TCP, netip.AddrPortFrom(f.vip, 80))
	for _, forward := range f.plane.Capabilities().Forwards {
		if forward == lvs.Tunnel {
			continue
		}
		s := f.service("rr", 1)
		d := lvs.Destination{Addr: netip.AddrPortFrom(own, Port), Weight: 1}
		if forward != lvs.NAT {
			d.Addr, d.Forward = netip.AddrPortFrom(own, 80), forward
		}
		s.Destinations = append(s.Destinations, d)
		if st, err := f.plane.Reconcile(lvs.Scope{Addrs: []netip.Addr{f.vip}}, []lvs.Service{s}); err != nil || st.Err() != nil {
			t.Fatal(err, st.Err())
		}
		got := make(map[string]int)
		for range 4 {
			got[f.open(t).Server]++
		}
		expect(t, got, map[string]int{"s1": 2, director.Name: 2})
		if st, err := f.plane.Reconcile(lvs.Scope{Addrs: []netip.Addr{f.vip}}, []lvs.Service{s}); err != nil || st.Changed != 0 {
			t.Errorf("%s: what is as it should be was changed %d times: %v, %v", forward, st.Changed, st.Changes, err)
		}
	}
}

func (f *traffic) local(t *testing.T) {
	f.set(t, f.service("rr", 1, 1))
	got := make(map[string]int)
	for range 4 {
		c, err := f.bed.Director.Open("tcp", netip.AddrPortFrom(f.vip, 80), netip.Addr{})
		if err != nil {
			t.Fatalf("from the director itself: %v", err)
		}
		got[c.Server]++
		c.Close()
	}
	expect(t, got, map[string]int{"s1": 2, "s2": 2})
}

// masquerade reaches a server that has no route back to the client.
func (f *traffic) masquerade(t *testing.T) {
	s := f.service("rr", -1, -1, 1)
	s.Masquerade = true
	if err := f.plane.Capabilities().Check(s); err != nil {
		t.Skip(err)
	}
	plain := f.service("rr", 1)
	plain.Port = 81
	f.set(t, s, plain)
	c := f.open(t)
	want := DirectorBack4
	if f.vip.Is6() {
		want = DirectorBack6
	}
	if c.Server != "s3" || c.Source != want {
		t.Errorf("%s saw %v, want s3 to see %v", c.Server, c.Source, want)
	}
	p, err := f.bed.Client.Open("tcp", netip.AddrPortFrom(f.vip, 81), netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Source.Compare(Clients(f.vip)[0]) < 0 {
		t.Errorf("a service without masquerade hides the client behind %v", p.Source)
	}
	// Switched off, the established connection keeps its translation.
	s.Masquerade = false
	f.set(t, s, plain)
	if err := c.Alive(); err != nil {
		t.Errorf("established connection after masquerade was switched off: %v", err)
	}
}

func (f *traffic) repair(t *testing.T) {
	f.set(t, f.service("rr", 1, 1))
	conns := f.each(t, "s1", "s2")
	f.set(t) // as if another program had removed all
	f.set(t, f.service("rr", 1, 1))
	expect(t, f.count(t, "tcp", 4), map[string]int{"s1": 2, "s2": 2})
	if f.plane.Name() != "ipvs" { // which ends a service's connections within a jiffy of its removal (ip_vs_ctl.c, ip_vs_enqueue_expire_nodest_conns)
		alive(t, conns, "s1", "s2")
	}
}
