package vip

import (
	"errors"
	"net/netip"
	"testing"

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
		for range 200 {
			addr = addr.Next()
			if local, err := k.isLocal(index, addr); err != nil || local {
				t.Fatalf("%s before it is put: local %v, %v", addr, local, err)
			}
			must(t, k.Put(wanted("eth0", addr.String()+"/64", life)))
			if local, err := k.isLocal(index, addr); err != nil || !local {
				t.Fatalf("%s is put, and packets for it are not taken (%v)", addr, err)
			}
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
