package lvstest

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"quorate/lvs"
	"quorate/lvs/realserver"
)

// Bed is a network in namespaces: one client, one director, and servers behind it on a switch of their own.
//
//	client ──── 192.0.2.0/24, 2001:db8:2::/64 ──── director ──── 10.9.0.0/24, fd00:9::/64 ──── s1, s2, s3
//
// s1 and s2 route through the director, s3 has no way back to the client. The VIPs are on the director.
type Bed struct {
	Client, Director *Host
	Servers          []*Server // s1, s2, s3
	switched         *Host
}

// Host is one network namespace.
type Host struct {
	Name  string
	ns    netns.NsHandle
	asked atomic.Uint32 // how often over udp
}

// The addresses of the bed.
var (
	VIP4, VIP6 = netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8:2::10")
	// DirectorBack4 and DirectorBack6 are what a server sees as the source of masqueraded connections.
	DirectorBack4, DirectorBack6 = netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("fd00:9::1")
)

// Clients are the client's addresses of the family of vip.
func Clients(vip netip.Addr) (out []netip.Addr) {
	a := netip.MustParseAddr("192.0.2.100")
	if vip.Is6() {
		a = netip.MustParseAddr("2001:db8:2::100")
	}
	for range 16 {
		out = append(out, a)
		a = a.Next()
	}
	return out
}

// NewBed builds the network and starts the servers; it disappears with the test. It skips without root.
func NewBed(t testing.TB) *Bed {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("no root: network namespaces cannot be made")
	}
	b := &Bed{Client: newHost(t, "client"), Director: newHost(t, "director"), switched: newHost(t, "switch")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.Director.Do(func() error {
		return errors.Join(expireNodest("1"), sysctl("net/ipv4/ip_forward", "1"), sysctl("net/ipv6/conf/all/forwarding", "1"))
	}))
	must(b.switched.link(func(h *netlink.Handle) error {
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
		return errors.Join(h.LinkAdd(br), h.LinkSetUp(br))
	}))
	must(connect(b.Director, "front", b.Client, "front"))
	must(b.plug(b.Director, "back"))
	must(b.Director.address("front", "192.0.2.2/24", "2001:db8:2::2/64", "192.0.2.10/32", "2001:db8:2::10/128"))
	must(b.Director.address("back", "10.9.0.1/24", "fd00:9::1/64"))
	for _, vip := range []netip.Addr{VIP4, VIP6} {
		for _, a := range Clients(vip) {
			bits := 24
			if a.Is6() {
				bits = 64
			}
			must(b.Client.address("front", netip.PrefixFrom(a, bits).String()))
		}
	}
	for i := range 3 {
		h := newHost(t, fmt.Sprintf("s%d", i+1))
		must(b.plug(h, "back"))
		must(h.address("back", fmt.Sprintf("10.9.0.%d/24", 11+i), fmt.Sprintf("fd00:9::%d/64", 11+i)))
		if i < 2 {
			must(h.route("192.0.2.0/24", DirectorBack4))
			must(h.route("2001:db8:2::/64", DirectorBack6))
		}
		b.Servers = append(b.Servers, newServer(t, h))
	}
	return b
}

// Direct prepares a server for direct routing or tunnels, as an operator would, and lets it reach the client over the switch
// without passing the director. What it makes is in a file that goes with the test.
func (b *Bed) Direct(t testing.TB, s *Server, vips ...realserver.VIP) {
	t.Helper()
	if err := b.Beside(s); err != nil {
		t.Fatal(err)
	}
	b.setup(t, s, vips...)
}

// setup is what `quorate realserver setup` does.
func (b *Bed) setup(t testing.TB, s *Server, vips ...realserver.VIP) {
	t.Helper()
	err := s.Do(func() error {
		r, err := realserver.Open(filepath.Join(t.TempDir(), "state", "realserver.json"))
		if err != nil {
			return err
		}
		for i := range vips {
			vips[i].Interface = "back"
		}
		report, err := r.Setup(vips, false)
		if err == nil && !report.Ready {
			err = errors.New("not ready")
		}
		if err != nil {
			return fmt.Errorf("%w\n%+v", err, report)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ClientBack4 and ClientBack6 are the client's addresses on the servers' switch, once it is [Bed.Beside] one.
var ClientBack4, ClientBack6 = netip.MustParseAddr("10.9.0.100"), netip.MustParseAddr("fd00:9::100")

// Beside connects the client to the servers' switch, and gives s its way there to the client's addresses.
func (b *Bed) Beside(s *Server) error {
	if err := b.plug(b.Client, "back"); err != nil {
		return err
	}
	if err := b.Client.address("back", ClientBack4.String()+"/24", ClientBack6.String()+"/64"); err != nil {
		return err
	}
	mac, err := b.Client.mac("back")
	if err != nil {
		return err
	}
	err = errors.Join(s.routeOn("back", "192.0.2.0/24"), s.routeOn("back", "2001:db8:2::/64"))
	for _, a := range Clients(VIP6) { // neighbour discovery answers for the addresses of the asked link alone, and these are on front
		err = errors.Join(err, s.neighbour("back", a, mac))
	}
	return err
}

// MAC is the hardware address of the host's link to the servers' switch.
func (h *Host) MAC() (net.HardwareAddr, error) { return h.mac("back") }

// Straight makes the client do what a director does by direct routing: its packets for the VIP go to the server's MAC address.
func (b *Bed) Straight(s *Server, vip netip.Addr) error {
	mac, err := s.mac("back")
	if err != nil {
		return err
	}
	return errors.Join(b.Client.routeOn("back", netip.PrefixFrom(vip, vip.BitLen()).String()), b.Client.neighbour("back", vip, mac))
}

// Plane opens a plane in the director's namespace; its Reconcile runs there too.
func (b *Bed) Plane(t testing.TB, open func() (lvs.Plane, error)) lvs.Plane {
	t.Helper()
	p := &hosted{host: b.Director}
	if err := b.Director.Do(func() (err error) { p.Plane, err = open(); return err }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	if g, has := p.Plane.(glancer); has {
		return hostedGlancer{p, g}
	}
	return p
}

type hosted struct {
	lvs.Plane
	host *Host
}

type hostedGlancer struct {
	*hosted
	glancer
}

func (p *hosted) Update(scope lvs.Scope, want []lvs.Service) (n int, err error) {
	err = p.host.Do(func() (err error) { n, err = p.Plane.Update(scope, want); return err })
	return n, err
}

func (p *hosted) Reconcile(scope lvs.Scope, want []lvs.Service) (st lvs.Status, err error) {
	err = p.host.Do(func() (err error) { st, err = p.Plane.Reconcile(scope, want); return err })
	return st, err
}

func newHost(t testing.TB, name string) *Host {
	t.Helper()
	h := &Host{Name: name}
	err := onThread(func() (err error) {
		h.ns, err = netns.New()
		if err != nil {
			return err
		}
		// No duplicate address detection, which would hold IPv6 back for a second, and no reverse path filter.
		return errors.Join(sysctl("net/ipv6/conf/default/accept_dad", "0"), sysctl("net/ipv6/conf/all/accept_dad", "0"),
			sysctl("net/ipv4/conf/all/rp_filter", "0"), sysctl("net/ipv4/conf/default/rp_filter", "0"))
	})
	if err != nil {
		t.Fatalf("making namespace %s: %v", name, err)
	}
	t.Cleanup(func() { h.ns.Close() })
	if err := h.link(func(n *netlink.Handle) error {
		lo, err := n.LinkByName("lo")
		if err != nil {
			return err
		}
		return n.LinkSetUp(lo)
	}); err != nil {
		t.Fatal(err)
	}
	return h
}

// Do runs f on a thread inside the namespace. Sockets that f opens stay in it.
func (h *Host) Do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(h.ns); err != nil {
			return fmt.Errorf("entering namespace %s: %w", h.Name, err)
		}
		return f()
	})
}

// onThread runs f on a thread that may change its namespace: it is thrown away afterwards.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		defer close(done)      // also where f ends the test
		done <- f()
	}()
	return <-done
}

func (h *Host) link(f func(*netlink.Handle) error) error {
	n, err := netlink.NewHandleAt(h.ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer n.Close()
	if err := f(n); err != nil {
		return fmt.Errorf("host %s: %w", h.Name, err)
	}
	return nil
}

func connect(a *Host, aName string, b *Host, bName string) error {
	err := a.link(func(n *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = aName
		v := &netlink.Veth{LinkAttrs: attrs, PeerName: bName, PeerNamespace: netlink.NsFd(b.ns)}
		return errors.Join(n.LinkAdd(v), n.LinkSetUp(v))
	})
	if err != nil {
		return err
	}
	return b.up(bName)
}

func (h *Host) up(name string) error {
	return h.link(func(n *netlink.Handle) error {
		l, err := n.LinkByName(name)
		if err != nil {
			return err
		}
		return n.LinkSetUp(l)
	})
}

// plug connects a host to the switch.
func (b *Bed) plug(h *Host, name string) error {
	port := "to-" + h.Name
	if err := connect(h, name, b.switched, port); err != nil {
		return err
	}
	return b.switched.link(func(n *netlink.Handle) error {
		br, err := n.LinkByName("br0")
		if err != nil {
			return err
		}
		l, err := n.LinkByName(port)
		if err != nil {
			return err
		}
		return n.LinkSetMaster(l, br)
	})
}

func (h *Host) address(link string, prefixes ...string) error {
	return h.link(func(n *netlink.Handle) error {
		l, err := n.LinkByName(link)
		if err != nil {
			return err
		}
		for _, p := range prefixes {
			a, err := netlink.ParseAddr(p)
			if err != nil {
				return err
			}
			if a.IP.To4() == nil {
				a.Flags = unix.IFA_F_NODAD
			}
			if err := n.AddrAdd(l, a); err != nil {
				return fmt.Errorf("address %s on %s: %w", p, link, err)
			}
		}
		return nil
	})
}

func (h *Host) route(to string, via netip.Addr) error {
	return h.link(func(n *netlink.Handle) error {
		_, dst, err := net.ParseCIDR(to)
		if err != nil {
			return err
		}
		return n.RouteAdd(&netlink.Route{Dst: dst, Gw: via.AsSlice()})
	})
}

// routeOn says that a subnet is on a link.
func (h *Host) routeOn(link, to string) error {
	return h.link(func(n *netlink.Handle) error {
		l, err := n.LinkByName(link)
		if err != nil {
			return err
		}
		_, dst, err := net.ParseCIDR(to)
		if err != nil {
			return err
		}
		return n.RouteAdd(&netlink.Route{Dst: dst, LinkIndex: l.Attrs().Index, Scope: netlink.SCOPE_LINK})
	})
}

// neighbour says what MAC address an address has, without asking.
func (h *Host) neighbour(link string, a netip.Addr, mac net.HardwareAddr) error {
	return h.link(func(n *netlink.Handle) error {
		l, err := n.LinkByName(link)
		if err != nil {
			return err
		}
		return n.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: mac})
	})
}

func (h *Host) mac(link string) (mac net.HardwareAddr, err error) {
	err = h.link(func(n *netlink.Handle) error {
		l, err := n.LinkByName(link)
		if err == nil {
			mac = l.Attrs().HardwareAddr
		}
		return err
	})
	return mac, err
}

// Sysctl sets a sysctl of the host's network, "net/ipv4/ip_forward" for instance.
func (h *Host) Sysctl(path, value string) error {
	return h.Do(func() error { return sysctl(path, value) })
}

// expireNodest says whether connections end whose server is gone, where the kernel has IPVS: since 5.9 the first jiffy after (ip_vs_ctl.c,
// ip_vs_enqueue_expire_nodest_conns).
func expireNodest(value string) error {
	err := sysctl("net/ipv4/vs/expire_nodest_conn", value)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

func sysctl(path, value string) error { return os.WriteFile("/proc/sys/"+path, []byte(value), 0) }
