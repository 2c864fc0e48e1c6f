package vip

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	vnl "github.com/vishvananda/netlink"

	"quorate/vip/viptest"
)

// space is a network namespace with the package's own parts in it.
type space struct{ *viptest.Space }

func newSpace(t testing.TB) *space {
	t.Helper()
	return &space{viptest.New(t)}
}

// must ends the test on an error.
func must(t testing.TB, errs ...error) {
	t.Helper()
	viptest.Must(t, errs...)
}

// join makes a veth pair: name in s, peerName in p, both up.
func (s *space) join(name string, p *space, peerName string) {
	s.T.Helper()
	s.Veth(name, p.Space, peerName)
	s.Up(name)
	p.Up(peerName)
	s.waitLink(name)
}

// waitLink waits for the link's carrier.
func (s *space) waitLink(name string) {
	s.T.Helper()
	k := s.kernel()
	s.wait("carrier of "+name, func() bool {
		_, links, err := k.Survey()
		must(s.T, err)
		for _, l := range links {
			if l.Name == name {
				return l.Carrier
			}
		}
		return false
	})
}

func (s *space) kernel() *Netlink {
	s.T.Helper()
	k, err := newKernel(s.In)
	must(s.T, err)
	s.T.Cleanup(func() { k.Close() })
	return k
}

func (s *space) announcer() *Frames {
	f := newAnnouncer(s.In)
	s.T.Cleanup(func() { f.Close() })
	return f
}

// wait waits for cond, which it asks again after every address or link message of the kernel.
func (s *space) wait(what string, cond func() bool) {
	s.T.Helper()
	addrs, links := make(chan vnl.AddrUpdate, 4096), make(chan vnl.LinkUpdate, 256)
	done := make(chan struct{})
	defer close(done)
	must(s.T, vnl.AddrSubscribeAt(s.Handle, addrs, done), vnl.LinkSubscribeAt(s.Handle, links, done))
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-addrs:
		case <-links:
		case <-deadline:
			s.T.Fatalf("%s: not within 10 s; addresses:\n%s", what, s.table())
		}
	}
}

func (s *space) table() string {
	s.T.Helper()
	k := s.kernel()
	have, err := k.List()
	must(s.T, err)
	// Before Linux 5.18 an entry is ours only if the cluster manages its address: here all may be the cluster's.
	var addrs []netip.Addr
	for _, a := range have {
		addrs = append(addrs, a.Prefix.Addr())
	}
	k.Manage(addrs)
	have, err = k.List()
	must(s.T, err)
	return table(visible(have))
}

// visible leaves out what every namespace has.
func visible(have []Address) []Address {
	var v []Address
	for _, a := range have {
		if a.Link != "lo" && !a.Prefix.Addr().IsLinkLocalUnicast() {
			v = append(v, a)
		}
	}
	return v
}

// What other programs do, as on the model.

func (s *space) otherAdds(p netip.Prefix, link string) error {
	return s.NL.AddrAdd(s.Link(link), viptest.Addr(p))
}

func (s *space) otherRemoves(p netip.Prefix, link string) error {
	return s.NL.AddrDel(s.Link(link), viptest.Addr(p))
}

func (s *space) otherChanges(p netip.Prefix, link string) error {
	a := viptest.Addr(p)
	a.ValidLft, a.PreferedLft = 0xffffffff, 0xffffffff
	return s.NL.AddrReplace(s.Link(link), a)
}

func (s *space) setLink(name string, up, _ bool) error {
	if up {
		return s.NL.LinkSetUp(s.Link(name))
	}
	return s.NL.LinkSetDown(s.Link(name))
}

// listen captures the frames of one EtherType that arrive at a link. The channel closes when the test ends.
func (s *space) listen(link string, etherType int) <-chan []byte {
	s.T.Helper()
	var conn *packet.Conn
	must(s.T, s.In(func() error {
		ifi, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(ifi, packet.Raw, etherType, nil)
		return err
	}))
	frames := make(chan []byte, 4096)
	s.T.Cleanup(func() { conn.Close() })
	go func() {
		defer close(frames)
		b := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			frames <- append([]byte(nil), b[:n]...)
		}
	}()
	return frames
}

// writeSysctl sets a value of the calling thread's namespace.
func writeSysctl(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
}
