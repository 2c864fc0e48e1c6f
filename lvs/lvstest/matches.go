package lvstest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// matchMark is the firewall mark of the services that [Matches] makes.
const matchMark = 0x51000001

// Matches checks with real traffic a service that has a range of ports, several VIPs, and addresses that are routed to it, as the planes that can do that promise it.
// seen, which may be nil, is shown what was asked for once the kernel has it; left, which says what is left of us in the kernel, when nothing is asked for any more.
func Matches(t *testing.T, open func() (lvs.Plane, error), seen func(*testing.T, *Bed, []lvs.Service), left func(*testing.T, *Bed)) {
	b := NewBed(t)
	p := b.Plane(t, open)
	// Who is refused is told each time.
	if err := errors.Join(b.Director.Sysctl("net/ipv4/icmp_ratelimit", "0"), b.Director.Sysctl("net/ipv6/icmp/ratelimit", "0")); err != nil {
		t.Fatal(err)
	}
	for _, vip := range []netip.Addr{VIP4, VIP6} {
		for _, s := range b.Servers[:2] { // the director is their router, also for what it sends from a routed address of its own
			if err := s.route(routedOf(vip).String(), map[bool]netip.Addr{true: DirectorBack4, false: DirectorBack6}[vip.Is4()]); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Director.address("front", netip.PrefixFrom(vip.Next(), vip.BitLen()).String()); err != nil {
			t.Fatal(err)
		}
		if err := b.Client.route(routedOf(vip).String(), vip); err != nil {
			t.Fatal(err)
		}
		for _, protocol := range []string{lvs.TCP, lvs.UDP} {
			t.Run(fmt.Sprintf("ipv%d/%s", map[bool]int{true: 4, false: 6}[vip.Is4()], protocol), func(t *testing.T) {
				f := &several{traffic{bed: b, plane: p, vip: vip}, protocol}
				t.Run("taken", func(t *testing.T) { f.taken(t, seen) })
				t.Run("port kept", f.portKept)
				t.Run("all ports", f.allPorts)
				t.Run("from the director", f.local)
				t.Run("closed", f.closed)
				if protocol == lvs.UDP {
					t.Run("fragments", f.fragments)
				} else {
					t.Run("handed over", f.handedOver)
				}
				t.Run("on_down", f.onDown)
				f.set(t)
				left(t, b)
			})
		}
	}
	for _, forward := range []string{lvs.DirectRouting, lvs.Tunnel} {
		if slices.Contains(p.Capabilities().Forwards, forward) {
			t.Run(forward, func(t *testing.T) { direct(t, open, forward) })
		}
	}
}

// routedOf are the routed addresses of the family of vip.
func routedOf(vip netip.Addr) netip.Prefix {
	if vip.Is4() {
		return Routed4
	}
	return Routed6
}

type several struct {
	traffic
	protocol string
}

// routed is the nth of the routed addresses.
func (f *several) routed(n int) netip.Addr {
	a := routedOf(f.vip).Addr()
	for range n {
		a = a.Next()
	}
	return a
}

// service of the ports 8000 to 8099 of both VIPs, of port 443 of the first, and of the ports 8000 to 8099 of the routed addresses 17 to 30, on s1 and s2.
func (f *several) service() lvs.Service {
	s := f.traffic.service("rr", 1, 1)
	s.Mark, s.Port, s.Protocol = matchMark, 0, ""
	s.Matches = []lvs.Match{
		{First: f.vip, Last: f.vip.Next(), Protocol: f.protocol, FromPort: 8000, ToPort: 8099},
		{First: f.vip, Last: f.vip, Protocol: f.protocol, FromPort: 443, ToPort: 443},
		{First: f.routed(17), Last: f.routed(30), Protocol: f.protocol, FromPort: 8000, ToPort: 8099, Routed: true},
	}
	return s
}

func (f *several) ask(from *Host, to netip.Addr, port uint16) (string, error) {
	c, err := from.Open(f.protocol, netip.AddrPortFrom(to, port), netip.Addr{})
	if err != nil {
		return "", err
	}
	c.Close()
	return c.Server, nil
}

// taken: what is in the matches goes to the servers by turns, also across addresses, and what is beside them does not.
func (f *several) taken(t *testing.T, seen func(*testing.T, *Bed, []lvs.Service)) {
	want := []lvs.Service{f.service()}
	st := f.set(t, want...)
	if got := lvs.Text(st.Have()); got != lvs.Text(want) {
		t.Errorf("the kernel has\n%swanted\n%s", got, lvs.Text(want))
	}
	if seen != nil {
		seen(t, f.bed, want)
	}
	counts := map[string]int{}
	for _, to := range []struct {
		addr netip.Addr
		port uint16
	}{{f.vip, 8000}, {f.vip, 8099}, {f.vip, 443}, {f.vip.Next(), 8000}, {f.vip.Next(), 8042}, {f.routed(17), 8000}, {f.routed(20), 8050}, {f.routed(30), 8099}} {
		who, err := f.ask(f.bed.Client, to.addr, to.port)
		if err != nil {
			t.Errorf("%v port %d: %v", to.addr, to.port, err)
		}
		counts[who]++
	}
	expect(t, counts, map[string]int{"s1": 4, "s2": 4})
	for _, to := range []struct {
		addr netip.Addr
		port uint16
	}{{f.vip, 7999}, {f.vip, 8100}, {f.vip.Next(), 443}, {f.routed(17), 8100}} {
		if who, err := f.ask(f.bed.Client, to.addr, to.port); err == nil {
			t.Errorf("%v port %d, which is not taken, was answered by %s", to.addr, to.port, who)
		}
	}
	if st := f.set(t, want...); st.Changed != 0 {
		t.Errorf("another look made %d changes: %v", st.Changed, st.Changes)
	}
}

// portKept: servers of port 0 get the port that the client has asked for.
func (f *several) portKept(t *testing.T) {
	s := f.service()
	for i, d := range s.Destinations {
		s.Destinations[i].Addr = netip.AddrPortFrom(d.Addr.Addr(), 0)
	}
	f.set(t, s)
	for _, to := range []netip.Addr{f.vip, f.vip.Next(), f.routed(20)} {
		if _, err := f.ask(f.bed.Client, to, Port); err != nil {
			t.Errorf("%v port %d: %v", to, Port, err)
		}
		if who, err := f.ask(f.bed.Client, to, Port+1); err == nil {
			t.Errorf("%v port %d, at which no server listens, was answered by %s", to, Port+1, who)
		}
	}
}

// allPorts: a client comes to one server, whatever port of whatever address it asks for.
func (f *several) allPorts(t *testing.T) {
	s := f.service()
	s.Persistence = lvs.Persistence{Timeout: time.Minute}
	for i, d := range s.Destinations {
		s.Destinations[i].Addr = netip.AddrPortFrom(d.Addr.Addr(), 0)
	}
	s.Matches = []lvs.Match{
		{First: f.vip, Last: f.vip.Next(), Protocol: f.protocol},
		{First: f.routed(17), Last: f.routed(30), Protocol: f.protocol, Routed: true},
	}
	f.set(t, s)
	first := ""
	for _, to := range []netip.Addr{f.vip, f.vip.Next(), f.routed(20), f.vip} {
		who, err := f.ask(f.bed.Client, to, Port)
		if err != nil {
			t.Fatalf("%v: %v", to, err)
		}
		if first != "" && who != first {
			t.Errorf("the client went to %s, and to %s for %v", first, who, to)
		}
		first = who
	}
}

func (f *several) local(t *testing.T) {
	f.set(t, f.service())
	for _, to := range []netip.Addr{f.vip, f.vip.Next(), f.routed(20)} {
		if _, err := f.ask(f.bed.Director, to, 8001); err != nil {
			t.Errorf("from the director itself to %v: %v", to, err)
		}
	}
}

// handedOver: a match goes to another service, and the first one goes; nobody is refused meanwhile, and connections go on where they can.
func (f *several) handedOver(t *testing.T) {
	before, after := f.service(), f.service()
	after.Mark++
	after.Destinations = after.Destinations[1:]
	f.set(t, before)
	conns := map[string]*Conn{}
	for range 2 {
		c, err := f.bed.Client.Open(f.protocol, netip.AddrPortFrom(f.routed(20), 8001), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns[c.Server] = c
	}
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 0; ; n++ {
			if _, err := f.ask(f.bed.Client, f.vip, 8001); err != nil && !f.endsWithService(err) {
				failed <- fmt.Errorf("connection %d: %w", n, err)
				return
			}
			select {
			case <-stop:
				failed <- nil
				return
			default:
			}
		}
	}()
	for range 3 {
		f.set(t, after)
		f.set(t, before)
	}
	f.set(t, after)
	close(stop)
	if err := <-failed; err != nil {
		t.Errorf("refused while the match went from one service to the other: %v", err)
	}
	if f.plane.Name() != "ipvs" { // where connections end with the service that they are of
		alive(t, conns, "s2") // the server of both
	}
	for range 3 {
		if who, err := f.ask(f.bed.Client, f.vip, 8001); err != nil || who != "s2" {
			t.Errorf("after all a connection went to %q: %v", who, err)
		}
	}
}

// endsWithService reports whether a client that was let in has lost its connection, as those of a service that goes do on IPVS.
func (f *several) endsWithService(err error) bool {
	var op *net.OpError
	return f.plane.Name() == "ipvs" && errors.As(err, &op) && op.Op == "read"
}

// onDown: with on_down = "shutdown" the connections of a server that is gone end, to whichever of the addresses, and no others.
func (f *several) onDown(t *testing.T) {
	s := f.service()
	s.Ends = true
	f.set(t, s)
	var conns []*Conn
	for _, to := range []netip.Addr{f.vip, f.vip, f.routed(20), f.routed(20)} {
		c, err := f.bed.Client.Open(f.protocol, netip.AddrPortFrom(to, 8001), netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		conns = append(conns, c)
	}
	s.Destinations = s.Destinations[1:]
	f.set(t, s)
	for _, c := range conns {
		was := map[string]*Conn{c.Server: c}
		switch {
		case f.protocol == lvs.UDP:
			f.next(t, was, c.Server, "s2")
		case c.Server == "s2":
			alive(t, was, "s2")
		default:
			if err := c.Alive(); !errors.Is(err, unix.ECONNRESET) {
				t.Errorf("an established connection to %v: %v, want it reset", c.RemoteAddr(), err)
			}
		}
	}
}

// closed: without a usable server all addresses refuse at once, and so does what no service takes: nothing goes back to the router.
func (f *several) closed(t *testing.T) {
	s := f.service()
	s.Destinations = nil
	f.set(t, s)
	for _, to := range []netip.Addr{f.vip, f.vip.Next(), f.routed(17)} {
		if _, err := f.ask(f.bed.Client, to, 8001); !refused(err) {
			t.Errorf("%v without a usable server: %v, want it refused", to, err)
		}
	}
	if _, err := f.ask(f.bed.Client, f.routed(18), 9); !refused(err) {
		t.Errorf("a routed address, at a port that no service takes: %v, want it refused", err)
	}
}

// fragments: a datagram that does not fit into one packet, and is the first of its client, finds its service.
func (f *several) fragments(t *testing.T) {
	f.set(t, f.service())
	for _, to := range []netip.Addr{f.vip, f.vip.Next(), f.routed(20)} {
		var c net.Conn
		err := f.bed.Client.Do(func() (err error) { c, err = net.Dial(f.protocol, netip.AddrPortFrom(to, 8001).String()); return err })
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		_, err = c.Write(make([]byte, 4000))
		if err == nil {
			_, err = c.Read(make([]byte, 100))
		}
		if err != nil {
			t.Errorf("a datagram to %v in fragments was not answered: %v", to, err)
		}
		c.Close()
	}
}

// direct is a service of a range of ports by direct routing or a tunnel: servers have the VIP themselves, and get the port that the client has asked for.
func direct(t *testing.T, open func() (lvs.Plane, error), forward string) {
	b := NewBed(t)
	p := b.Plane(t, open)
	for _, s := range b.Servers[:2] {
		if err := errors.Join(b.owns(s, forward), b.answersPast(s)); err != nil {
			t.Fatal(err)
		}
	}
	for _, vip := range []netip.Addr{VIP4, VIP6} {
		s := lvs.Service{Addr: vip, Mark: matchMark, Scheduler: "rr", Forward: forward,
			Matches: []lvs.Match{{First: vip, Last: vip, Protocol: lvs.TCP, FromPort: 8000, ToPort: 8099}}}
		for _, server := range b.Servers[:2] {
			s.Destinations = append(s.Destinations, lvs.Destination{Addr: netip.AddrPortFrom(server.Addr(vip).Addr(), 0), Weight: 1})
			for _, port := range []uint16{8000, 8099} {
				server.serveAt(t, lvs.TCP, netip.AddrPortFrom(vip, port))
			}
		}
		if _, err := p.Reconcile(lvs.Scope{}, []lvs.Service{s}); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, port := range []uint16{8000, 8099, 8000, 8099} {
			c, err := b.Client.Open(lvs.TCP, netip.AddrPortFrom(vip, port), netip.Addr{})
			if err != nil {
				t.Fatalf("port %d of %v: %v", port, vip, err)
			}
			counts[c.Server]++
			c.Close()
		}
		expect(t, counts, map[string]int{"s1": 2, "s2": 2})
	}
}
