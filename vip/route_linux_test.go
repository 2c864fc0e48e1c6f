package vip

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestPutEndsWhenPacketsAreTaken: who is told of an address after its Put may send to it. The kernel acknowledges an IPv6
// address before it takes packets for it.
func TestPutEndsWhenPacketsAreTaken(t *testing.T) {
	check := func(t *testing.T, s *space) {
		must(t, s.otherAdds(prefix("2001:db8::ff00/64"), "eth0"))
		k, index := s.kernel(), uint32(s.Link("eth0").Attrs().Index)
		addr := netip.MustParseAddr("2001:db8::1:0")
		seen := 0
		for range 200 {
			addr = addr.Next()
			if local, err := k.isLocal(index, addr); err != nil || local {
				t.Fatalf("%s before it is put: local %v, %v", addr, local, err)
			}
			began := time.Now()
			must(t, k.Put(wanted("eth0", addr.String()+"/64", life)))
			switch local, err := k.isLocal(index, addr); {
			case err == nil && local:
				seen++
			case err != nil || time.Since(began) < localPatience:
				t.Fatalf("%s is put, and packets for it are not taken (%v)", addr, err)
			default: // the kernel's work queue got no processor for so long
				k.unready = nil
			}
		}
		if seen < 20 {
			t.Errorf("of 200 addresses the kernel had %d in time", seen)
		}
	}
	t.Run("link", func(t *testing.T) {
		s, _ := node(t)
		check(t, s)
	})
	t.Run("link in a VRF", func(t *testing.T) { // its routes are in another table
		s, _ := node(t)
		at := vnl.NewLinkAttrs()
		at.Name = "blue"
		if err := s.NL.LinkAdd(&vnl.Vrf{LinkAttrs: at, Table: 10}); errors.Is(err, unix.EOPNOTSUPP) {
			t.Skip("needs a kernel with CONFIG_NET_VRF")
		} else {
			must(t, err)
		}
		s.Up("blue")
		must(t, s.NL.LinkSetMaster(s.Link("eth0"), s.Link("blue")))
		check(t, s)
	})
}

// TestPutWaitsOncePerLink: the addresses of a link that is not ready do not add up, and one that is there is not waited for.
func TestPutWaitsOncePerLink(t *testing.T) {
	s, _ := node(t)
	k, index := s.kernel(), uint32(s.Link("eth0").Attrs().Index)
	nobody := func(i int) netip.Addr {
		return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)})
	}
	must(t, k.awaitLocal(index, nobody(1000))) // no address, so no route
	for i := range 100 {
		until := k.unready[index]
		must(t, k.awaitLocal(index, nobody(1001+i)))
		if d := k.unready[index].Sub(until); d != 0 && d < unreadyFor {
			t.Fatalf("waited again, %v after it had waited in vain", d)
		}
	}
	addr := nobody(1)
	k.unready = nil
	must(t, k.Put(wanted("eth0", addr.String()+"/64", life)))
	_, err := k.List()
	must(t, err)
	if _, there := k.routed[routedKey{index, addr}]; !there {
		t.Errorf("%s was listed, and a renewal would wait for it", addr)
	}
}

// TestAccepts: an address that was waited for in vain is asked for again, until packets for it are taken or it is there no more.
func TestAccepts(t *testing.T) {
	s, _ := node(t)
	k, index := s.kernel(), uint32(s.Link("eth0").Attrs().Index)
	here, nowhere := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	must(t, k.Put(wanted("eth0", here.String()+"/64", life)))
	for _, addr := range []netip.Addr{here, nowhere} {
		k.unrouted[routedKey{index, addr}] = struct{}{} // as if it had not been ready in time
	}
	if k.Accepts("eth0", nowhere) {
		t.Error("packets for an address without a route are not taken")
	}
	for end := time.Now().Add(10 * time.Second); !k.Accepts("eth0", here); {
		if time.Now().After(end) {
			t.Fatalf("%s is put, and packets for it are never taken", here)
		}
		time.Sleep(time.Millisecond)
	}
	_, err := k.List()
	must(t, err)
	if len(k.unrouted) > 0 {
		t.Errorf("waits still for %v", k.unrouted)
	}
}
