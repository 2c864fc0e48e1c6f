package vip

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// next waits for the frame that pick takes.
func next(t *testing.T, frames <-chan []byte, what string, pick func([]byte) bool) {
	t.Helper()
	const within = 20 * time.Second
	deadline := time.After(within)
	for {
		select {
		case f, ok := <-frames:
			if !ok {
				t.Fatalf("%s: the capture ended", what)
			}
			if pick(f) {
				return
			}
		case <-deadline:
			t.Fatalf("%s: no such frame within %s", what, within)
		}
	}
}

// TestPeerHearsAnnouncements captures on the other end of the cable: an Ethernet link, and a bridge that has one as a port.
func TestPeerHearsAnnouncements(t *testing.T) {
	for _, carrier := range []string{"eth0", "br0"} {
		t.Run(carrier, func(t *testing.T) {
			s, peer := node(t)
			if carrier == "br0" {
				at := vnl.NewLinkAttrs()
				at.Name = "br0"
				must(t, s.NL.LinkAdd(&vnl.Bridge{LinkAttrs: at}))
				must(t, s.NL.LinkSetMaster(s.Link("eth0"), s.Link("br0")))
				s.Up("br0")
				s.waitLink("br0")
			}
			arps, nas := peer.listen("peer0", unix.ETH_P_ARP), peer.listen("peer0", unix.ETH_P_IPV6)
			k, an := s.kernel(), s.announcer()
			a, _ := start(t, k, an)
			v4, v6 := wanted(carrier, "192.0.2.10/24", time.Minute), wanted(carrier, "2001:db8::10/64", time.Minute)
			a.Reconcile([]Wanted{v4, v6})
			for _, x := range announced(t, a).Addresses {
				if x.Err != nil {
					t.Errorf("%+v", x)
				}
			}
			mac := s.Link(carrier).Attrs().HardwareAddr
			want4, _, _ := announcement(mac, v4.Prefix.Addr())
			want6, _, _ := announcement(mac, v6.Prefix.Addr())
			for range 2 { // at once, and again: at 50 ms, or later where nobody was there to do it
				next(t, arps, "gratuitous ARP", func(f []byte) bool { return bytes.Equal(f, want4) })
				next(t, nas, "neighbour advertisement", func(f []byte) bool { return bytes.Equal(f, want6) })
			}
		})
	}
}

// TestNeighboursFollow: a peer that knows the address at another MAC believes the announcement.
func TestNeighboursFollow(t *testing.T) {
	s, peer := node(t)
	must(t, peer.otherAdds(prefix("192.0.2.2/24"), "peer0"), peer.otherAdds(prefix("2001:db8::2/64"), "peer0"))
	stale := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	vips := []Wanted{wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "2001:db8::10/64", life)}
	updates, done := make(chan vnl.NeighUpdate, 64), make(chan struct{})
	defer close(done)
	must(t, vnl.NeighSubscribeAt(peer.Handle, updates, done))
	for _, v := range vips {
		must(t, peer.NL.NeighSet(&vnl.Neigh{LinkIndex: peer.Link("peer0").Attrs().Index, IP: v.Prefix.Addr().AsSlice(), HardwareAddr: stale, State: unix.NUD_REACHABLE}))
	}
	a, _ := start(t, s.kernel(), s.announcer())
	a.Reconcile(vips)
	mac := s.Link("eth0").Attrs().HardwareAddr
	learnt := map[netip.Addr]bool{}
	for deadline := time.After(5 * time.Second); len(learnt) < 2; {
		select {
		case u := <-updates:
			if addr, _ := netip.AddrFromSlice(u.IP); bytes.Equal(u.HardwareAddr, mac) {
				learnt[addr.Unmap()] = true
			}
		case <-deadline:
			t.Fatalf("the peer still sends to the old MAC; learnt: %v", learnt)
		}
	}
}

func TestAnnouncerErrors(t *testing.T) {
	s, _ := node(t)
	f := s.announcer()
	vip := netip.MustParseAddr("192.0.2.10")
	must(t, f.Announce("eth0", vip))
	must(t, s.NL.LinkSetUp(s.Link("lo")))
	if err := f.Announce("lo", vip); !errors.Is(err, ErrNoNeighbours) {
		t.Errorf("loopback: %v", err)
	}
	if err := f.Announce("eth9", vip); !errors.Is(err, ErrNoLink) {
		t.Errorf("missing: %v", err)
	}
	// Down, with the socket still open; then another link of the same name.
	must(t, s.NL.LinkSetDown(s.Link("eth0")))
	if err := f.Announce("eth0", vip); !errors.Is(err, ErrLinkDown) {
		t.Errorf("down: %v", err)
	}
	must(t, s.NL.LinkSetUp(s.Link("eth0")), f.Announce("eth0", vip), s.NL.LinkDel(s.Link("eth0")))
	if err := f.Announce("eth0", vip); !errors.Is(err, ErrNoLink) {
		t.Errorf("deleted: %v", err)
	}
	s.join("eth0", newSpace(t), "peer0")
	must(t, f.Announce("eth0", vip))
}

// TestAnnouncerForgets links that are gone, as virtual MACs' are when their addresses move: what goes out on another one closes their sockets.
func TestAnnouncerForgets(t *testing.T) {
	s, _ := node(t)
	f, vip := s.announcer(), netip.MustParseAddr("192.0.2.10")
	for _, name := range []string{"eth1", "eth2", "eth3"} {
		s.join(name, newSpace(t), "peer0")
		must(t, f.Announce(name, vip))
	}
	must(t, s.NL.LinkDel(s.Link("eth1")), s.NL.LinkDel(s.Link("eth2")))
	s.join("eth2", newSpace(t), "peer0") // another one
	must(t, f.Announce("eth0", vip))
	var open []string
	for name := range f.ports {
		open = append(open, name)
	}
	slices.Sort(open)
	if !slices.Equal(open, []string{"eth0", "eth3"}) {
		t.Errorf("sockets are open on %v", open)
	}
	must(t, f.Announce("eth2", vip), f.Announce("eth3", vip))
}
