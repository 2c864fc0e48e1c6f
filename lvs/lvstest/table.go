package lvstest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"

	"quorate/lvs"
	"quorate/lvs/realserver"
)

// tablePort is the port of the first row. Each has its own, because IPVS remembers the connections of a server that has left a service until they
// have ended, and counts them again when it comes back.
const tablePort = 10000

// tableConnections are those of each row, and of the row that is measured.
const tableConnections, manyConnections = 12, 1000

// overflow is how many connections ovf gives to servers of weights 3 and 1 before all are full.
const overflow = 6

// ways are how packets get to a server.
var ways = []struct {
	name, forward string
	encap         lvs.Encap
}{
	{lvs.NAT, lvs.NAT, lvs.Encap{}}, {lvs.DirectRouting, lvs.DirectRouting, lvs.Encap{}}, {lvs.Tunnel, lvs.Tunnel, lvs.Encap{}},
	{"gue", lvs.Tunnel, lvs.Encap{Type: lvs.GUE, Port: realserver.DefaultPort}}, {"gre", lvs.Tunnel, lvs.Encap{Type: lvs.GRE}},
}

// Table sends real traffic through every scheduler × forwarding method × protocol × family that the plane can do and compares whom it reaches with
// what the scheduler promises. Two servers have weights 3 and 1. seen, which may be nil, is shown what was asked for once the kernel has it.
func Table(t *testing.T, open func() (lvs.Plane, error), seen func(*testing.T, *Bed, []lvs.Service)) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			b := NewBed(t)
			p := b.Plane(t, open)
			if !slices.Contains(p.Capabilities().Forwards, way.forward) {
				t.Logf("refused by name: %v", refusal(t, p, way.forward))
				return
			}
			b.prepare(t, way.forward, way.encap)
			port := uint16(tablePort)
			for _, vip := range []netip.Addr{VIP4, VIP6} {
				for _, protocol := range p.Capabilities().Protocols {
					for _, scheduler := range p.Capabilities().AllSchedulers() {
						r := row{bed: b, plane: p, vip: vip, protocol: protocol, scheduler: scheduler, forward: way.forward, encap: way.encap, port: port}
						port++
						t.Run(fmt.Sprintf("%s/%s/ipv%d", scheduler, protocol, map[bool]int{true: 4, false: 6}[vip.Is4()]), func(t *testing.T) {
							r.run(t, seen)
						})
					}
				}
			}
		})
	}
}

// refusal is why the plane cannot forward so, which must say so.
func refusal(t *testing.T, p lvs.Plane, forward string) error {
	err := p.Capabilities().Check(lvs.Service{Addr: VIP4, Port: 80, Protocol: lvs.TCP, Scheduler: "rr", Forward: forward})
	if err == nil {
		t.Errorf("forwarding by %s is not among the plane's capabilities, and is not refused", forward)
	}
	return err
}

type row struct {
	bed                          *Bed
	plane                        lvs.Plane
	vip                          netip.Addr
	protocol, scheduler, forward string
	encap                        lvs.Encap
	port                         uint16
}

// service of the row.
func (r row) service() lvs.Service {
	s := lvs.Service{Addr: r.vip, Port: r.port, Protocol: r.protocol, Scheduler: r.scheduler, Forward: r.forward, Encap: r.encap}
	for i, weight := range []int{3, 1} {
		a := r.bed.Servers[i].Addr(r.vip)
		if r.forward != lvs.NAT {
			a = netip.AddrPortFrom(a.Addr(), r.port)
		}
		s.Destinations = append(s.Destinations, lvs.Destination{Addr: a, Weight: weight})
	}
	return s
}

func (r row) run(t *testing.T, seen func(*testing.T, *Bed, []lvs.Service)) {
	want := []lvs.Service{r.service()}
	scope := lvs.Scope{Addrs: []netip.Addr{VIP4, VIP6}}
	if _, err := r.plane.Reconcile(scope, nil); err != nil { // what a scheduler remembers
		t.Fatal(err)
	}
	st, err := r.plane.Reconcile(scope, want)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := lvs.Text(st.Have()), lvs.Text(want); got != want {
		t.Errorf("the kernel has\n%swanted\n%s", got, want)
	}
	if seen != nil {
		seen(t, r.bed, want)
	}
	for _, s := range r.bed.Servers[:2] {
		if r.forward != lvs.NAT && r.protocol != lvs.SCTP {
			s.serveAt(t, r.protocol, netip.AddrPortFrom(r.vip, r.port))
		}
	}
	n := tableConnections
	if r.scheduler == "ovf" {
		n = overflow
	}
	if r.scheduler == "wrr" && r.protocol == lvs.TCP && r.forward == lvs.NAT {
		n = manyConnections
	}
	// A connection that a server has still when its service goes would answer the next one from that port to that server: not with a SYN, so that the
	// client asks again, and IPVS may give that to another server.
	t.Cleanup(func() {
		for _, s := range r.bed.Servers {
			Eventually(t, "the end of the connections to "+s.Name, func() (bool, any) { n := s.open(); return n == 0, n })
		}
	})
	got := map[string]int{}
	var last string
	for range n {
		if last, err = r.ask(t, want[0], n <= tableConnections); err != nil {
			t.Fatalf("after %v: %v", got, err)
		}
		got[last]++
	}
	r.promised(t, got, n)
}

// ask makes one connection and says who answered; with hold it stays open until the row is over.
func (r row) ask(t *testing.T, s lvs.Service, hold bool) (string, error) {
	to := netip.AddrPortFrom(s.Addr, s.Port)
	if r.protocol == lvs.SCTP {
		return r.bed.Client.AskSCTP(to, netip.Addr{})
	}
	c, err := r.bed.Client.Open(r.protocol, to, netip.Addr{})
	if err != nil {
		return "", err
	}
	if tcp, is := c.Conn.(*net.TCPConn); is {
		if err := tcp.SetLinger(0); err != nil { // the server is rid of it at once
			return "", err
		}
	}
	if hold {
		t.Cleanup(func() { c.Close() })
	} else {
		c.Close()
	}
	return c.Server, nil
}

// promised compares who got how many of n connections with what the scheduler promises for weights 3 and 1 when connections stay open.
func (r row) promised(t *testing.T, got map[string]int, n int) {
	t.Helper()
	share := func(want, within int) {
		t.Helper()
		if diff := got["s1"] - want; diff < -within || diff > within || got["s1"]+got["s2"] != n {
			t.Errorf("%s: of %d connections the servers got %v, want %d ± %d for s1", r.scheduler, n, got, want, within)
		}
	}
	counted := r.protocol == lvs.TCP // the others have no connections that are established, or none for long enough
	switch e := r.plane.Capabilities().Effective(r.scheduler); {
	case e == "rr", e == "lc":
		share(n/2, n/50)
	case e == "wrr":
		share(n*3/4, n/50)
	case e == "wlc", e == "sed" && counted: // by what is open, in proportion to the weights
		share(n*3/4, 1)
	case e == "nq" && counted: // the same, once neither is idle
		share(n*3/4, 2)
	case e == "sh", e == "mh", e == "dh": // one client, one address: one server
		if len(got) != 1 {
			t.Errorf("%s: one client's connections went to %v", r.scheduler, got)
		}
	case e == "fo":
		share(n, 0)
	case e == "ovf" && counted: // the heavier one until it has more than its weight (ip_vs_ovf.c)
		share(4, 0)
	case slices.Contains([]string{"ovf", "sed", "nq", "twos", "lblc", "lblcr"}, e): // what they look at is not there, or is chance, or has more than one answer
		if got["s1"]+got["s2"] != n {
			t.Errorf("%s: the connections went to %v", r.scheduler, got)
		}
	default:
		t.Errorf("nobody knows what %s promises: say it here", e)
	}
}

// prepare makes the servers answer as the forwarding method needs it.
func (b *Bed) prepare(t *testing.T, forward string, encap lvs.Encap) {
	t.Helper()
	for _, s := range b.Servers[:2] {
		if forward == lvs.NAT {
			for _, vip := range []netip.Addr{VIP4, VIP6} {
				s.ServeSCTP(t, s.Addr(vip).Addr())
			}
			continue
		}
		err := error(nil)
		if encap.Type == "" {
			err = b.owns(s, forward)
		} else {
			b.takesIn(t, s, encap)
		}
		if err = errors.Join(err, b.answersPast(s)); err != nil {
			t.Fatal(err)
		}
		for _, vip := range []netip.Addr{VIP4, VIP6} {
			s.ServeSCTP(t, vip)
		}
	}
}

// takesIn makes a server take the VIPs' packets out of a tunnel, as an operator would.
func (b *Bed) takesIn(t *testing.T, s *Server, encap lvs.Encap) {
	t.Helper()
	var vips []realserver.VIP
	for _, vip := range []netip.Addr{VIP4, VIP6} {
		vips = append(vips, realserver.VIP{Addr: vip, Forward: lvs.Tunnel, Tunnel: encap.Type, Port: encap.Port})
	}
	b.setup(t, s, vips...)
}

// owns gives a server the VIPs, by hand.
func (b *Bed) owns(s *Server, forward string) error {
	err := error(nil)
	if forward == lvs.Tunnel { // exist in every namespace once the modules are loaded
		err = errors.Join(err, s.up("tunl0"), s.up("ip6tnl0"))
	}
	err = errors.Join(err, s.Do(func() error {
		return errors.Join(sysctl("net/ipv4/conf/all/arp_ignore", "1"), sysctl("net/ipv4/conf/all/arp_announce", "2"))
	}), s.address("lo", VIP4.String()+"/32", VIP6.String()+"/128"))
	return err
}

// answersPast gives a server a way to the client that does not lead through the director.
func (b *Bed) answersPast(s *Server) error {
	if !b.Client.has("back") {
		err := errors.Join(b.plug(b.Client, "back"), b.Client.address("back", "10.9.0.100/24", "fd00:9::100/64"))
		if err != nil {
			return err
		}
	}
	return s.link(func(n *netlink.Handle) error {
		for to, via := range map[string]string{"192.0.2.0/24": "10.9.0.100", "2001:db8:2::/64": "fd00:9::100"} {
			_, dst, err := net.ParseCIDR(to)
			if err == nil {
				err = n.RouteReplace(&netlink.Route{Dst: dst, Gw: net.ParseIP(via)})
			}
			if err != nil {
				return fmt.Errorf("route to %s by %s: %w", to, via, err)
			}
		}
		return nil
	})
}

func (h *Host) has(link string) bool {
	return h.link(func(n *netlink.Handle) error { _, err := n.LinkByName(link); return err }) == nil
}

// serveAt answers TCP or UDP at one address, from which the answers come, until the test ends.
func (s *Server) serveAt(t *testing.T, protocol string, at netip.AddrPort) {
	t.Helper()
	var l net.Listener
	var p net.PacketConn
	err := s.Do(func() (err error) {
		if protocol == lvs.TCP {
			l, err = net.Listen("tcp", at.String())
		} else {
			p, err = net.ListenPacket("udp", at.String())
		}
		return err
	})
	if err != nil {
		t.Fatalf("server %s at %v: %v", s.Name, at, err)
	}
	var running sync.WaitGroup
	if protocol == lvs.TCP {
		t.Cleanup(func() { l.Close(); running.Wait() })
		running.Go(func() { s.greetAll(l) })
		return
	}
	t.Cleanup(func() { p.Close(); running.Wait() })
	running.Go(func() { s.answer(p) })
}

// greetAll tells everybody who it is, and has nothing more to say.
func (s *Server) greetAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.greet(c, c.RemoteAddr())
		c.Close()
	}
}
