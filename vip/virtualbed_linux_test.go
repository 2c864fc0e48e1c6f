package vip

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"quorate/vip/gate"
)

// lan is a switch with hosts and a client on it.
type lan struct {
	t      *testing.T
	sw     *space
	hosts  []*space // each with eth0, on port h0, h1 …
	client *space   // with eth0, on port c
}

// newLAN makes them. Hosts are 192.0.2.1, .2 …, the client is 192.0.2.9, and likewise in 2001:db8::/64.
func newLAN(t *testing.T, hosts int) *lan {
	t.Helper()
	l := &lan{t: t, sw: newSpace(t), client: newSpace(t)}
	settled(l.client)
	must(t, l.sw.NL.LinkAdd(&vnl.Bridge{LinkAttrs: vnl.LinkAttrs{Name: "br0"}}))
	l.sw.Up("br0")
	l.plug(l.client, "eth0", "c")
	l.client.Address("eth0", "192.0.2.9/24", "2001:db8::9/64", "fe80::9/64")
	for i := range hosts {
		h := newSpace(t)
		h.Up("lo")
		settled(h)
		l.plug(h, "eth0", "h"+string(rune('0'+i)))
		n := string(rune('1' + i))
		h.Address("eth0", "192.0.2."+n+"/24", "2001:db8::"+n+"/64")
		strict(h, "eth0")
		l.hosts = append(l.hosts, h)
	}
	return l
}

// settled lets links have their link-local addresses at once, as hosts have that were started some time ago: without one they ask nobody.
func settled(s *space) {
	s.T.Helper()
	must(s.T, s.In(func() error { return writeSysctl("net/ipv6/conf/default/accept_dad", "0") }))
}

// strict sets the parent of a virtual MAC so that it answers for its own addresses only.
func strict(s *space, link string) {
	s.T.Helper()
	must(s.T, s.In(func() error {
		for _, x := range [][2]string{{"arp_ignore", "1"}, {"arp_announce", "2"}} {
			if err := writeSysctl("net/ipv4/conf/"+link+"/"+x[0], x[1]); err != nil {
				return err
			}
		}
		return nil
	}))
}

// plug joins a link of a space to a port of the switch.
func (l *lan) plug(s *space, link, port string) {
	l.t.Helper()
	s.Veth(link, l.sw.Space, port)
	must(l.t, l.sw.NL.LinkSetMaster(l.sw.Link(port), l.sw.Link("br0")))
	s.Up(link)
	l.sw.Up(port)
	s.waitLink(link)
}

// learnt is the port on which the switch saw a MAC last.
func (l *lan) learnt(mac net.HardwareAddr) string {
	l.t.Helper()
	for _, p := range append([]string{"c"}, l.ports()...) {
		list, err := l.sw.NL.NeighList(l.sw.Link(p).Attrs().Index, int(7)) // AF_BRIDGE
		must(l.t, err)
		if slices.ContainsFunc(list, func(n vnl.Neigh) bool {
			return n.HardwareAddr.String() == mac.String() && n.State&vnl.NUD_PERMANENT == 0
		}) {
			return p
		}
	}
	return ""
}

func (l *lan) ports() (out []string) {
	for i := range l.hosts {
		out = append(out, "h"+string(rune('0'+i)))
	}
	return out
}

// neighbour is the MAC that a space has for an address.
func (s *space) neighbour(link, addr string) string {
	s.T.Helper()
	family := vnl.FAMILY_V6
	if netip.MustParseAddr(addr).Is4() {
		family = vnl.FAMILY_V4
	}
	list, err := s.NL.NeighList(s.Link(link).Attrs().Index, family)
	must(s.T, err)
	for _, n := range list {
		if n.IP.String() == addr {
			return n.HardwareAddr.String()
		}
	}
	return ""
}

// forget empties a space's neighbour table.
func (s *space) forget(link string) {
	s.T.Helper()
	for _, f := range []int{vnl.FAMILY_V4, vnl.FAMILY_V6} {
		list, err := s.NL.NeighList(s.Link(link).Attrs().Index, f)
		must(s.T, err)
		for _, n := range list {
			_ = s.NL.NeighDel(&n) // it may have gone
		}
	}
}

// pinger asks one address again and again.
type pinger struct {
	t    testing.TB
	conn *icmp.PacketConn
	to   net.Addr
	addr netip.Addr
	typ  icmp.Type
	n    int
}

func (s *space) pinger(addr string) *pinger {
	s.T.Helper()
	a := netip.MustParseAddr(addr)
	p := &pinger{t: s.T, addr: a.WithZone(""), typ: ipv4.ICMPTypeEcho}
	to := &net.IPAddr{IP: a.AsSlice()}
	if a.Zone() != "" {
		to.Zone = strconv.Itoa(s.Link(a.Zone()).Attrs().Index) // a name would be looked up elsewhere
	}
	p.to = to
	network, local := "ip4:icmp", "0.0.0.0"
	if a.Is6() {
		network, local, p.typ = "ip6:ipv6-icmp", "::", ipv6.ICMPTypeEchoRequest
	}
	must(s.T, s.In(func() (err error) {
		p.conn, err = icmp.ListenPacket(network, local)
		return err
	}))
	s.T.Cleanup(func() { p.conn.Close() })
	return p
}

// once asks and says whether the answer came in time.
func (p *pinger) once(wait time.Duration) bool {
	p.t.Helper()
	p.n++
	m := icmp.Message{Type: p.typ, Body: &icmp.Echo{ID: 1, Seq: p.n & 0xffff, Data: []byte("quorate")}}
	b, err := m.Marshal(nil)
	must(p.t, err)
	_, _ = p.conn.WriteTo(b, p.to) // no route, no neighbour: no answer
	must(p.t, p.conn.SetReadDeadline(time.Now().Add(wait)))
	protocol := 1
	if p.addr.Is6() {
		protocol = 58
	}
	in := make([]byte, 1500)
	for {
		n, from, err := p.conn.ReadFrom(in)
		if err != nil {
			return false
		}
		m, err := icmp.ParseMessage(protocol, in[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); !ok || e.Seq != p.n&0xffff {
			continue // to an earlier question
		}
		a, _ := netip.AddrFromSlice(from.(*net.IPAddr).IP)
		if a.Unmap() == p.addr {
			return true
		}
	}
}

// answers says whether somebody answers within seconds.
func (p *pinger) answers() bool {
	p.t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if p.once(20 * time.Millisecond) {
			return true
		}
	}
	return false
}

// gate is a gate in the space, whose lease under epoch 7 has no end.
func (s *space) gate(kind gate.Kind) gate.Gate {
	s.T.Helper()
	g, why, err := gate.Open(gate.Options{In: s.In, Only: kind, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.T.Skip(why)
	}
	must(s.T, s.In(func() error {
		name, err := gate.PinsOf()
		s.T.Cleanup(func() { must(s.T, gate.RemoveStale([]string{name})) })
		return err
	}))
	s.T.Cleanup(func() { g.Close() })
	must(s.T, g.Renew(7, time.Duration(1)<<62))
	return g
}

// virtual is a wanted address on a virtual MAC over eth0. Its lifetime is longer than a test that waits for no end of it.
func virtual(vrid uint8, p string) Wanted {
	w := opened(7, "eth0", p)
	w.VRID, w.Lifetime = vrid, time.Minute
	return w
}

// overlays are the links with a virtual MAC of the space.
func (s *space) overlays() (names []string) {
	s.T.Helper()
	_, links, err := s.kernel().Survey()
	must(s.T, err)
	for _, l := range links {
		if l.Virtual {
			names = append(names, l.Name)
		}
	}
	return names
}

// eventually waits for cond, which an actuator's passes bring about.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// announced is the state once every address was announced: an IPv6 one is when the kernel's work queue has made its route.
func announced(t testing.TB, a *Actuator) (st Status) {
	t.Helper()
	eventually(t, "all addresses are announced", func() bool {
		st = a.Status()
		return !slices.ContainsFunc(st.Addresses, func(x AddressStatus) bool { return x.AnnouncedAt.IsZero() })
	})
	return st
}

// strip takes all addresses off a link.
func (s *space) strip(link string) error {
	list, err := s.NL.AddrList(s.Link(link), vnl.FAMILY_ALL)
	for _, a := range list {
		err = errors.Join(err, s.NL.AddrDel(s.Link(link), &a))
	}
	return err
}

func macOf(t testing.TB, s string) net.HardwareAddr {
	t.Helper()
	mac, err := net.ParseMAC(s)
	must(t, err)
	return mac
}
