package lvstest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs/realserver"
)

// Flat is a network of two directors and three servers, all on one switch, with both address families:
//
//	d1 192.0.2.2, d2 .3 · s1 .51, s2 .52, s3 .53 · the same in 2001:db8:2::/64
//
// d1 owns the VIPs. The servers have none until they are given them.
type Flat struct {
	Directors [2]*Host
	Servers   []*Server
	b         *Bed
}

// NewFlat builds the network and starts the servers; it disappears with the test. It skips without root.
func NewFlat(t testing.TB) *Flat {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("no root: network namespaces cannot be made")
	}
	f := &Flat{b: &Bed{switched: newHost(t, "switch")}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.b.switched.link(func(h *netlink.Handle) error {
		off := false
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}, MulticastSnooping: &off}
		return errors.Join(h.LinkAdd(br), h.LinkSetUp(br))
	}))
	for i := range f.Directors {
		d := newHost(t, fmt.Sprintf("d%d", i+1))
		must(f.b.plug(d, "net"))
		must(d.address("net", DirectorAddr(i).String()+"/24", fmt.Sprintf("2001:db8:2::%d/64", 2+i)))
		must(d.Do(func() error {
			return errors.Join(expireNodest("1"), sysctl("net/ipv4/ip_forward", "1"), sysctl("net/ipv6/conf/all/forwarding", "1"),
				sysctl("net/ipv4/conf/all/send_redirects", "0"), sysctl("net/ipv4/conf/net/send_redirects", "0"))
		}))
		f.Directors[i] = d
	}
	must(f.Directors[0].address("net", VIP4.String()+"/32"))
	must(f.Directors[0].link(func(n *netlink.Handle) error {
		l, err := n.LinkByName("net")
		if err != nil {
			return err
		}
		// Deprecated, as an owner has it: else tunnels might begin at the VIP, and a server does not take in what comes from an address of its own.
		return n.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: VIP6.AsSlice(), Mask: net.CIDRMask(128, 128)}, Flags: unix.IFA_F_NODAD, ValidLft: 3600})
	}))
	for i := range 3 {
		s := newHost(t, fmt.Sprintf("s%d", i+1))
		must(f.b.plug(s, "net"))
		must(s.address("net", f.Addr(i, VIP4).Addr().String()+"/24", f.Addr(i, VIP6).Addr().String()+"/64"))
		f.Servers = append(f.Servers, newServer(t, s))
	}
	return f
}

// Addr of server i, from 0 on, in the family of vip.
func (f *Flat) Addr(i int, vip netip.Addr) netip.AddrPort {
	if vip.Is6() {
		return netip.MustParseAddrPort(fmt.Sprintf("[2001:db8:2::%d]:%d", 51+i, Port))
	}
	return netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:%d", 51+i, Port))
}

// Ready prepares server i for VIPs as an operator would. It returns what takes one off again, as somebody might by mistake, and puts it back.
func (f *Flat) Ready(t testing.TB, i int, vips ...realserver.VIP) (vip func(a netip.Addr, there bool) error) {
	t.Helper()
	s := f.Servers[i]
	err := s.Do(func() error {
		r, err := realserver.Open(filepath.Join(t.TempDir(), "state", "realserver.json"))
		if err != nil {
			return err
		}
		for i := range vips {
			if vips[i].Addr.Is4() {
				vips[i].Interface = "net"
			}
		}
		report, err := r.Setup(vips, false)
		if err != nil {
			return fmt.Errorf("%w\n%+v", err, report)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var link netlink.Link // that had it
	return func(a netip.Addr, there bool) error {
		return s.link(func(n *netlink.Handle) error {
			x := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}, Flags: unix.IFA_F_NODAD}
			if there {
				return n.AddrReplace(link, x)
			}
			links, err := n.LinkList()
			for _, l := range links {
				if e := n.AddrDel(l, x); e == nil {
					link = l
					return nil
				} else if !errors.Is(e, unix.EADDRNOTAVAIL) {
					err = errors.Join(err, e)
				}
			}
			return errors.Join(err, fmt.Errorf("%s does not have %v", s.Name, a))
		})
	}
}

// Remove takes a link off server i: a tunnel device.
func (f *Flat) Remove(i int, link string) error {
	return f.Servers[i].link(func(n *netlink.Handle) error {
		l, err := n.LinkByName(link)
		if err != nil {
			return err
		}
		return n.LinkDel(l)
	})
}
