package gate

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"quorate/vip/viptest"
)

// space is a network namespace, and where the pins of its gate are, which go with it.
type space struct {
	*viptest.Space
	pins string // directory
}

func newSpace(t testing.TB) *space {
	t.Helper()
	s := &space{Space: viptest.New(t)}
	must(t, s.In(func() (err error) {
		s.pins, err = PinsOf()
		return err
	}))
	t.Cleanup(func() { must(t, RemoveStale([]string{filepath.Base(s.pins)})) })
	s.pins = filepath.Join(pinRoot, s.pins)
	s.Up("lo")
	return s
}

// must ends the test on an error.
func must(t testing.TB, errs ...error) {
	t.Helper()
	viptest.Must(t, errs...)
}

// gate opens a gate of the space.
func (s *space) gate(how string) *bpf {
	s.T.Helper()
	g, err := openBPFAs(Options{In: s.In, Log: quiet}, how)
	must(s.T, err)
	s.T.Cleanup(func() { g.Close() })
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
	must(t, p.host.NL.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "e0"}, PeerName: "e0", PeerNamespace: netlink.NsFd(p.peer.Handle)}))
	p.host.Address("e0", own4+"/24", vip4+"/24", own6+"/64", vip6+"/64")
	p.peer.Address("e0", peer4+"/24", "2001:db8::9/64")
	for _, s := range []*space{p.host, p.peer} {
		must(t, s.NL.LinkSetUp(s.Link("e0")))
	}
	p.echo(t, own4, vip4, own6, vip6)
	return p
}

// echo answers every datagram to these addresses of the host, from the same address.
func (p pair) echo(t testing.TB, addrs ...string) {
	t.Helper()
	for _, addr := range addrs {
		var c net.PacketConn
		must(t, p.host.In(func() (err error) {
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

// patience is for how long an answer is waited for. It comes at once, but for a machine that has no processor for whoever gives it.
const patience = 20 * time.Second

// answers asks addr from the peer, which has forgotten its MAC, until it answers.
func (p pair) answers(addr string) bool {
	p.peer.T.Helper()
	p.forget()
	return p.ask(addr, patience)
}

// silent does so for a while, and says whether it got no answer.
func (p pair) silent(addr string) bool {
	p.peer.T.Helper()
	p.forget()
	return !p.ask(addr, 150*time.Millisecond)
}

// forget empties the peer's neighbour table.
func (p pair) forget() {
	p.peer.T.Helper()
	for _, f := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := p.peer.NL.NeighList(p.peer.Link("e0").Attrs().Index, f)
		must(p.peer.T, err)
		for _, n := range list {
			_ = p.peer.NL.NeighDel(&n) // it may have gone
		}
	}
}

// ask sends datagrams until one is answered.
func (p pair) ask(addr string, patience time.Duration) bool {
	p.peer.T.Helper()
	var c net.Conn
	must(p.peer.T, p.peer.In(func() (err error) {
		c, err = net.Dial("udp", net.JoinHostPort(addr, "7"))
		return err
	}))
	defer c.Close()
	b := make([]byte, 8)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		_, _ = c.Write([]byte("?")) // an ICMP error of the datagram before shows here
		must(p.peer.T, c.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		if _, err := c.Read(b); err == nil {
			return true
		}
	}
	return false
}
