// Package viptest makes network namespaces for the tests of vip and of its gate.
package viptest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Space is a network namespace that nothing but this test's handle keeps alive: it goes, with all its links, when the test ends,
// however it ends.
type Space struct {
	T      testing.TB
	Handle netns.NsHandle
	NL     *netlink.Handle
}

// New makes a namespace. The test is skipped where it may not.
func New(t testing.TB) *Space {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to make network namespaces")
	}
	s := &Space{T: t}
	err := OnThread(func() (err error) {
		s.Handle, err = netns.New()
		return err
	})
	if err != nil {
		t.Fatalf("new network namespace: %v", err)
	}
	t.Cleanup(func() { s.Handle.Close() })
	if s.NL, err = netlink.NewHandleAt(s.Handle, unix.NETLINK_ROUTE); err != nil {
		t.Fatalf("netlink in the namespace: %v", err)
	}
	t.Cleanup(s.NL.Close)
	return s
}

// OnThread runs f on a thread of its own, which ends with it: whatever namespace f enters, nobody else gets there.
func OnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	return <-done
}

// In runs f in the namespace.
func (s *Space) In(f func() error) error {
	return OnThread(func() error {
		if err := netns.Set(s.Handle); err != nil {
			return err
		}
		return f()
	})
}

// Must ends the test on an error.
func Must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Link is the link of that name.
func (s *Space) Link(name string) netlink.Link {
	s.T.Helper()
	l, err := s.NL.LinkByName(name)
	Must(s.T, err)
	return l
}

// Up sets a link up.
func (s *Space) Up(name string) {
	s.T.Helper()
	Must(s.T, s.NL.LinkSetUp(s.Link(name)))
}

// Veth makes a veth pair: name in s, peerName in p, both down.
func (s *Space) Veth(name string, p *Space, peerName string) {
	s.T.Helper()
	at := netlink.NewLinkAttrs()
	at.Name = name
	Must(s.T, s.NL.LinkAdd(&netlink.Veth{LinkAttrs: at, PeerName: peerName, PeerNamespace: netlink.NsFd(p.Handle)}))
}

// Address puts addresses on a link, without waiting for duplicates to be detected.
func (s *Space) Address(link string, prefixes ...string) {
	s.T.Helper()
	for _, p := range prefixes {
		Must(s.T, s.NL.AddrAdd(s.Link(link), Addr(netip.MustParsePrefix(p))))
	}
}

// Addr is an address as netlink wants it.
func Addr(p netip.Prefix) *netlink.Addr {
	n := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	return &netlink.Addr{IPNet: n, Flags: unix.IFA_F_NODAD}
}
