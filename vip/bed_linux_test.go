package vip

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/mdlayher/packet"
	vnl "github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// space is a network namespace that nothing but this test's handle keeps alive: it goes, with all its links, when the test ends,
// however it ends.
type space struct {
	t      testing.TB
	handle netns.NsHandle
	nl     *vnl.Handle
}

func newSpace(t testing.TB) *space {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	s := &space{t: t}
	err := onThread(func() (err error) {
		s.handle, err = netns.New()
		return err
	})
	if err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	t.Cleanup(func() { s.handle.Close() })
	if s.nl, err = vnl.NewHandleAt(s.handle); err != nil {
		t.Fatalf("netlink in the namespace: %v", err)
	}
	t.Cleanup(s.nl.Close)
	return s
}

// onThread runs f on a thread of its own, which ends with it: whatever namespace f enters, nobody else gets there.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// in runs f in the namespace.
func (s *space) in(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(s.handle); err != nil {
			return err
		}
		return f()
	})
}

// must ends the test on an error.
func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (s *space) link(name string) vnl.Link {
	s.t.Helper()
	l, err := s.nl.LinkByName(name)
	must(s.t, err)
	return l
}

func (s *space) up(name string) { s.t.Helper(); must(s.t, s.nl.LinkSetUp(s.link(name))) }

// join makes a veth pair: name in s, peerName in p, both up.
func (s *space) join(name string, p *space, peerName string) {
	s.t.Helper()
	at := vnl.NewLinkAttrs()
	at.Name = name
	must(s.t, s.nl.LinkAdd(&vnl.Veth{LinkAttrs: at, PeerName: peerName, PeerNamespace: vnl.NsFd(p.handle)}))
	s.up(name)
	p.up(peerName)
	s.waitLink(name)
}

// waitLink waits for the link's carrier.
func (s *space) waitLink(name string) {
	s.t.Helper()
	k := s.kernel()
	s.wait("carrier of "+name, func() bool {
		_, links, err := k.Survey()
		must(s.t, err)
		for _, l := range links {
			if l.Name == name {
				return l.Carrier
			}
		}
		return false
	})
}

func (s *space) kernel() *Netlink {
	s.t.Helper()
	k, err := newKernel(s.in)
	must(s.t, err)
	s.t.Cleanup(func() { k.Close() })
	return k
}

func (s *space) announcer() *Frames {
	f := newAnnouncer(s.in)
	s.t.Cleanup(func() { f.Close() })
	return f
}

// wait waits for cond, which it asks again after every address or link message of the kernel.
func (s *space) wait(what string, cond func() bool) {
	s.t.Helper()
	addrs, links := make(chan vnl.AddrUpdate, 4096), make(chan vnl.LinkUpdate, 256)
	done := make(chan struct{})
	defer close(done)
	must(s.t, vnl.AddrSubscribeAt(s.handle, addrs, done), vnl.LinkSubscribeAt(s.handle, links, done))
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-addrs:
		case <-links:
		case <-deadline:
			s.t.Fatalf("%s: not within 10 s; addresses:\n%s", what, s.table())
		}
	}
}

func (s *space) table() string {
	have, err := s.kernel().List()
	must(s.t, err)
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

func vnlAddr(p netip.Prefix) *vnl.Addr {
	n := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	return &vnl.Addr{IPNet: n, Flags: 0x02} // IFA_F_NODAD: no waiting in tests
}

// What other programs do, as on the model.

func (s *space) otherAdds(p netip.Prefix, link string) error {
	return s.nl.AddrAdd(s.link(link), vnlAddr(p))
}

func (s *space) otherRemoves(p netip.Prefix, link string) error {
	return s.nl.AddrDel(s.link(link), vnlAddr(p))
}

func (s *space) otherChanges(p netip.Prefix, link string) error {
	a := vnlAddr(p)
	a.ValidLft, a.PreferedLft = 0xffffffff, 0xffffffff
	return s.nl.AddrReplace(s.link(link), a)
}

func (s *space) setLink(name string, up, _ bool) error {
	if up {
		return s.nl.LinkSetUp(s.link(name))
	}
	return s.nl.LinkSetDown(s.link(name))
}

// listen captures the frames of one EtherType that arrive at a link. The channel closes when the test ends.
func (s *space) listen(link string, etherType int) <-chan []byte {
	s.t.Helper()
	var conn *packet.Conn
	must(s.t, s.in(func() error {
		ifi, err := net.InterfaceByName(link)
		if err != nil {
			return err
		}
		conn, err = packet.Listen(ifi, packet.Raw, etherType, nil)
		return err
	}))
	frames := make(chan []byte, 4096)
	s.t.Cleanup(func() { conn.Close() })
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
