package lvstest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Pair is a network of two directors for what must outlive one of them, all hosts on one switch:
//
//	client 192.0.2.100 · d1 .2, d2 .3 · s1, s3 10.9.0.11, .12, which answer through the owner of 10.9.0.254 · s2 192.0.2.52, for direct routing
//
// The owner has the VIPs NATVIP and DirectVIP, and the gateway of s1 and s3.
type Pair struct {
	Client    *Host
	Directors [2]*Host
	Servers   []*Server // s1, s2, s3
	switched  *Host
	b         *Bed
}

// The addresses that move.
var (
	NATVIP, DirectVIP = netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.20")
	gateway           = netip.MustParseAddr("10.9.0.254")
)

// DirectorAddr is the own address of director i, 0 or 1.
func DirectorAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(2 + i)}) }

// NewPair builds the network and starts the servers; no director is owner yet. It disappears with the test. It skips without root.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("no root: network namespaces cannot be made")
	}
	p := &Pair{Client: newHost(t, "client"), switched: newHost(t, "switch")}
	p.b = &Bed{switched: p.switched}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.switched.link(func(h *netlink.Handle) error {
		off := false
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}, MulticastSnooping: &off}
		return errors.Join(h.LinkAdd(br), h.LinkSetUp(br))
	}))
	must(p.b.plug(p.Client, "net"))
	must(p.Client.address("net", "192.0.2.100/24"))
	must(p.Client.Sysctl("net/ipv4/ip_local_port_range", "1024 65535"))
	for i := range p.Directors {
		must(p.director(t, i))
	}
	s1, s2, s3 := newHost(t, "s1"), newHost(t, "s2"), newHost(t, "s3")
	for i, s := range []*Host{s1, s3} {
		must(p.b.plug(s, "net"))
		must(s.address("net", fmt.Sprintf("10.9.0.%d/24", 11+i)))
		must(s.route("192.0.2.0/24", gateway))
	}
	must(p.b.plug(s2, "net"))
	must(s2.address("net", "192.0.2.52/24"))
	must(errors.Join(s2.Sysctl("net/ipv4/conf/all/arp_ignore", "1"), s2.Sysctl("net/ipv4/conf/all/arp_announce", "2")))
	must(s2.address("lo", DirectVIP.String()+"/32"))
	p.Servers = []*Server{newServer(t, s1), newServer(t, s2), newServer(t, s3)}
	return p
}

// director makes the host of director i.
func (p *Pair) director(t testing.TB, i int) error {
	d := newHost(t, fmt.Sprintf("d%d", i+1))
	p.Directors[i] = d
	if err := p.b.plug(d, "net"); err != nil {
		return err
	}
	err := d.Do(func() error {
		return errors.Join(expireNodest("1"), sysctl("net/ipv4/ip_forward", "1"), sysctl("net/ipv4/conf/all/send_redirects", "0"),
			sysctl("net/ipv4/conf/net/send_redirects", "0"))
	})
	return errors.Join(err, d.address("net", DirectorAddr(i).String()+"/24", fmt.Sprintf("10.9.0.%d/24", 2+i)))
}

// Reboot puts another host, which remembers nothing, in the place of director i. Nothing of the old one may run any more.
func (p *Pair) Reboot(t testing.TB, i int) error {
	err := p.port(i, func(n *netlink.Handle, l netlink.Link) error { return n.LinkDel(l) })
	if err != nil {
		return err
	}
	return p.director(t, i)
}

// Give makes director i the owner of what moves, and the other one not, if it still has its power.
func (p *Pair) Give(i int) error {
	for _, a := range []netip.Addr{NATVIP, DirectVIP, gateway} {
		for j, d := range p.Directors {
			err := d.link(func(n *netlink.Handle) error {
				l, err := n.LinkByName("net")
				if err != nil {
					return err
				}
				x := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(32, 32)}}
				if i == j {
					return n.AddrReplace(l, x)
				}
				if err := n.AddrDel(l, x); !errors.Is(err, unix.EADDRNOTAVAIL) {
					return err
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return errors.Join(p.Client.forget(NATVIP, DirectVIP), p.Servers[0].forget(gateway), p.Servers[2].forget(gateway))
}

// forget has the host ask anew who has the addresses, as it does after an announcement.
func (h *Host) forget(addrs ...netip.Addr) error {
	return h.link(func(n *netlink.Handle) error {
		l, err := n.LinkByName("net")
		if err != nil {
			return err
		}
		for _, a := range addrs {
			err := n.NeighDel(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: a.AsSlice(), Family: unix.AF_INET})
			if err != nil && !errors.Is(err, unix.ENOENT) {
				return err
			}
		}
		return nil
	})
}

// Cut takes director i off the switch, as a loss of power does for all others; with on, it comes back.
func (p *Pair) Cut(i int, on bool) error {
	return p.port(i, func(n *netlink.Handle, l netlink.Link) error {
		if on {
			return n.LinkSetUp(l)
		}
		return n.LinkSetDown(l)
	})
}

// NoMulticast has the switch drop what goes to more than one director.
func (p *Pair) NoMulticast() error {
	for i := range p.Directors {
		var port netlink.Link
		err := p.port(i, func(_ *netlink.Handle, l netlink.Link) error { port = l; return nil })
		if err == nil {
			err = p.switched.Do(func() error { return noMulticast(port) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// noMulticast sets the port's IFLA_BRPORT_MCAST_FLOOD, which the library has no call for.
func noMulticast(port netlink.Link) error {
	const mcastFlood = 27
	req := nl.NewNetlinkRequest(unix.RTM_SETLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_BRIDGE)
	msg.Index = int32(port.Attrs().Index)
	req.AddData(msg)
	info := nl.NewRtAttr(unix.IFLA_PROTINFO|unix.NLA_F_NESTED, nil)
	info.AddRtAttr(mcastFlood, []byte{0})
	req.AddData(info)
	_, err := req.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// port of the switch that director i is on.
func (p *Pair) port(i int, f func(*netlink.Handle, netlink.Link) error) error {
	return p.switched.link(func(n *netlink.Handle) error {
		l, err := n.LinkByName("to-" + p.Directors[i].Name)
		if err != nil {
			return err
		}
		return f(n, l)
	})
}
