package integration

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"quorate/integration/lab"
)

// virtualRouter is one row of the interop matrix: a virtual router that a cluster and an old router have in common.
type virtualRouter struct {
	name      string // of the virtual router and of the old router's instance
	vrid      uint8
	version   int
	password  string
	unicast   bool
	keep      bool // the cluster takes nothing from an old master that is below it: preempt = false
	frr       bool // the old router is FRR's, otherwise keepalived
	group     bool // adverts go to another multicast group than the usual one
	shared    bool // the cluster sends from one address that no node has: source
	vmac      bool // both have it on the virtual MAC
	advert    time.Duration
	addresses []netip.Prefix // in the order of the adverts
}

// interopRows are all ways in which keepalived and FRR can be spoken with.
func interopRows() []virtualRouter {
	var all []virtualRouter
	add := func(r virtualRouter, six, linkLocal bool) {
		n := len(all) + 1
		r.vrid = uint8(50 + n)
		r.advert = time.Second
		if r.version == 3 {
			r.advert = 500 * time.Millisecond
		}
		switch {
		case linkLocal:
			r.addresses = []netip.Prefix{netip.MustParsePrefix(fmt.Sprintf("fe80::1:%d/64", n)), lab.VIP6(n)}
		case six:
			r.addresses = []netip.Prefix{lab.VIP6(n)}
		default:
			r.addresses = []netip.Prefix{lab.VIP(n)}
		}
		r.name = fmt.Sprintf("v%d", r.version)
		for _, part := range []struct {
			on   bool
			name string
		}{{r.password != "", "pass"}, {six, "six"}, {r.unicast, "unicast"}, {r.keep, "keep"}, {r.frr, "frr"}, {r.group, "group"}, {r.shared, "source"}, {r.vmac, "vmac"}} {
			if part.on {
				r.name += "-" + part.name
			}
		}
		all = append(all, r)
	}
	for _, unicast := range []bool{false, true} {
		add(virtualRouter{version: 2, unicast: unicast}, false, false)
		add(virtualRouter{version: 2, unicast: unicast, password: "secret12"}, false, false)
		add(virtualRouter{version: 3, unicast: unicast}, false, false)
		add(virtualRouter{version: 3, unicast: unicast}, true, true)
		add(virtualRouter{version: 2, unicast: unicast}, true, true) // which no RFC knows; keepalived has no password there
		add(virtualRouter{version: 3, unicast: unicast, shared: true}, false, false)
	}
	add(virtualRouter{version: 3, shared: true}, true, true)
	add(virtualRouter{version: 3, group: true}, false, false)
	add(virtualRouter{version: 3, group: true}, true, true)
	add(virtualRouter{version: 2, keep: true}, false, false)
	add(virtualRouter{version: 3, keep: true}, true, true)
	add(virtualRouter{version: 3, vmac: true}, false, false)
	add(virtualRouter{version: 3, vmac: true}, true, true)
	if lab.FindFRR() == nil {
		add(virtualRouter{version: 3, frr: true}, false, false)
		add(virtualRouter{version: 3, frr: true}, true, false)
	}
	return all
}

// six says whether it is one of IPv6.
func (r virtualRouter) six() bool { return r.addresses[0].Addr().Is6() }

// pinged is the address that the clients ask for.
func (r virtualRouter) pinged() netip.Addr { return r.addresses[len(r.addresses)-1].Addr() }

// skew is Skew_Time of an old router with that priority.
func (r virtualRouter) skew(priority int) time.Duration {
	unit := r.advert
	if r.version == 2 {
		unit = time.Second
	}
	return time.Duration(256-priority) * unit / 256
}

// masterDown is its Master_Down_Interval.
func (r virtualRouter) masterDown(priority int) time.Duration { return 3*r.advert + r.skew(priority) }

// speaks is the address that a host sends this router's adverts from.
func (r virtualRouter) speaks(h *lab.Host) netip.Addr {
	if !r.six() {
		return h.Addr()
	}
	if r.frr { // vrrpd sends from its virtual MAC's link
		return netip.MustParseAddr(fmt.Sprintf("fe80::200:5eff:fe00:2%02x", r.vrid))
	}
	return linkLocal(h)
}

// source is the address that the cluster's adverts come from, where it is one for all nodes: old routers see one active router for ever.
func (r virtualRouter) source() netip.Addr {
	if r.six() {
		return netip.MustParseAddr("fe80::250")
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, 250})
}

// groupAddr is the multicast group of a row that has one of its own.
func (r virtualRouter) groupAddr() netip.Addr {
	if r.six() {
		return netip.MustParseAddr("ff02::99")
	}
	return netip.AddrFrom4([4]byte{224, 0, 0, 99})
}

// linkLocal is the address that the kernel makes of the host's MAC (RFC 4291 appendix A).
func linkLocal(h *lab.Host) netip.Addr {
	m := h.MAC
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}

// keepalived is the row on the side of keepalived.
func (r virtualRouter) keepalived(own *lab.Host, priority int, cluster []*lab.Director) lab.KeepalivedInstance {
	i := lab.KeepalivedInstance{
		Name: r.name, VRID: r.vrid, Version: r.version, Priority: priority, Advert: r.advert, Addresses: r.addresses, Password: r.password, Preempt: true, VMAC: r.vmac,
	}
	if r.group {
		i.More = []string{"mcast_dst_ip " + r.groupAddr().String()}
	}
	if r.unicast {
		i.Source = r.speaks(own)
		for _, d := range cluster {
			i.Peers = append(i.Peers, r.speaks(d.Host))
		}
	}
	return i
}

// frrRouter is the row on the side of FRR.
func (r virtualRouter) frrRouter(priority int) lab.FRRRouter {
	f := lab.FRRRouter{VRID: r.vrid, Priority: priority, Advert: r.advert}
	for _, a := range r.addresses {
		f.Addresses = append(f.Addresses, a.Addr())
	}
	return f
}

// write adds the row to the cluster's configuration.
func (r virtualRouter) write(b *strings.Builder, old *lab.Host, priority int, more ...string) {
	fmt.Fprintf(b, "virtual_router %q {\n  vrid = %d\n  version = %d\n  priority = %d\n  interval = %q\n  peers = [%q]\n", r.name, r.vrid, r.version, priority, r.advert, r.speaks(old))
	for _, x := range []struct {
		on   bool
		line string
	}{{r.password != "", fmt.Sprintf("password = %q", r.password)}, {r.unicast, "unicast = true"}, {r.keep, "preempt = false"}, {r.vmac, "vmac = true"}, {r.group, fmt.Sprintf("group = %q", r.groupAddr())}, {r.shared, fmt.Sprintf("source = %q", r.source())}} {
		if x.on {
			fmt.Fprintf(b, "  %s\n", x.line)
		}
	}
	b.WriteString("}\n")
	placement := "  " + strings.Join(more, "\n  ") + "\n"
	if len(r.addresses) > 1 {
		fmt.Fprintf(b, "group %q {\n%s}\n", r.name, placement)
		placement = fmt.Sprintf("  group = %q\n", r.name)
	}
	for i, a := range r.addresses {
		fmt.Fprintf(b, "vip \"%s-%d\" {\n  address = %q\n  virtual_router = %q\n%s", r.name, i+1, a, r.name, placement)
		if r.addresses[0].Addr().IsLinkLocalUnicast() { // which is on every interface
			b.WriteString("  interface = \"eth0\"\n")
		}
		b.WriteString("}\n")
	}
}
