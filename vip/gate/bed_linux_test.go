package gate

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is a network namespace that goes when the test ends.
type space struct {
	t      testing.TB
	handle netns.NsHandle
	nl     *netlink.Handle
	pins   string // directory
}

func newSpace(t testing.TB) *space {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	s := &space{t: t}
	must(t, onThread(func() (err error) {
		if s.handle, err = netns.New(); err != nil {
			return err
		}
		s.pins, err = PinsOf()
		return err
	}))
	t.Cleanup(func() {
		must(t, RemoveStale([]string{filepath.Base(s.pins)}))
		s.handle.Close()
	})
	s.pins = filepath.Join(pinRoot, s.pins)
	var err error
	s.nl, err = netlink.NewHandleAt(s.handle, unix.NETLINK_ROUTE)
	must(t, err)
	t.Cleanup(s.nl.Close)
	must(t, s.nl.LinkSetUp(s.link("lo")))
	return s
}

// onThread runs f on a thread of its own, which ends with it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

func (s *space) in(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(s.handle); err != nil {
			return err
		}
		return f()
	})
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (s *space) link(name string) netlink.Link {
	s.t.Helper()
	l, err := s.nl.LinkByName(name)
	must(s.t, err)
	return l
}

func (s *space) address(link string, addrs ...string) {
	s.t.Helper()
	for _, a := range addrs {
		p := netip.MustParsePrefix(a)
		n := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
		must(s.t, s.nl.AddrAdd(s.link(link), &netlink.Addr{IPNet: n, Flags: 0x02})) // IFA_F_NODAD
	}
}

// gate opens a gate of the space.
func (s *space) gate(how string) *bpf {
	s.t.Helper()
	g, err := openBPFAs(Options{In: s.in, Log: quiet}, how)
	must(s.t, err)
	s.t.Cleanup(func() { g.Close() })
	return g
}

// check demands that every link carries the gate.
func check(t testing.TB, g *bpf) Report {
	t.Helper()
	r, err := g.Check()
	must(t, err)
	for _, l := range r.Links {
		must(t, l.Err)
	}
	return r
}

// pair is a host with a cluster address on e0 and a peer on the other end.
type pair struct{ host, peer *space }

func newPair(t testing.TB) pair {
	t.Helper()
	p := pair{newSpace(t), newSpace(t)}
	must(t, p.host.nl.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "e0"}, PeerName: "e0", PeerNamespace: netlink.NsFd(p.peer.handle)}))
	p.host.address("e0", own4+"/24", vip4+"/24", own6+"/64", vip6+"/64")
	p.peer.address("e0", peer4+"/24", "2001:db8::9/64")
	for _, s := range []*space{p.host, p.peer} {
		must(t, s.nl.LinkSetUp(s.link("e0")))
	}
	p.echo(t, own4, vip4, own6, vip6)
	return p
}

// echo answers every datagram to these addresses of the host, from the same address.
func (p pair) echo(t testing.TB, addrs ...string) {
	t.Helper()
	for _, addr := range addrs {
		var c net.PacketConn
		must(t, p.host.in(func() (err error) {
			c, err = net.ListenPacket("udp", net.JoinHostPort(addr, "7"))
			return err
		}))
		t.Cleanup(func() { c.Close() })
		go func() {
			b := make([]byte, 64)
			for {
				n, from, err := c.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = c.WriteTo(b[:n], from)
			}
		}()
	}
}

// answers asks addr from the peer, which has forgotten its MAC, until it answers.
func (p pair) answers(addr string) bool {
	p.peer.t.Helper()
	p.forget()
	return p.ask(addr, 3*time.Second)
}

// silent does so for a while, and says whether it got no answer.
func (p pair) silent(addr string) bool {
	p.peer.t.Helper()
	p.forget()
	return !p.ask(addr, 150*time.Millisecond)
}

// forget empties the peer's neighbour table.
func (p pair) forget() {
	p.peer.t.Helper()
	for _, f := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := p.peer.nl.NeighList(p.peer.link("e0").Attrs().Index, f)
		must(p.peer.t, err)
		for _, n := range list {
			_ = p.peer.nl.NeighDel(&n) // it may have gone
		}
	}
}

// ask sends datagrams until one is answered.
func (p pair) ask(addr string, patience time.Duration) bool {
	p.peer.t.Helper()
	var c net.Conn
	must(p.peer.t, p.peer.in(func() (err error) {
		c, err = net.Dial("udp", net.JoinHostPort(addr, "7"))
		return err
	}))
	defer c.Close()
	b := make([]byte, 8)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		_, _ = c.Write([]byte("?")) // an ICMP error of the datagram before shows here
		must(p.peer.t, c.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		if _, err := c.Read(b); err == nil {
			return true
		}
	}
	return false
}
