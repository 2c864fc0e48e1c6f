package marker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"quorate/lvs/nft"
)

// routeProtocol is our mark on a route, which ip(8) shows as "proto 81". The kernel gives it no meaning (rtnetlink.h); routing daemons that are known have others.
const routeProtocol = 0x51

// linux is the kernel of the network namespace of the calling thread.
type linux struct{}

func (linux) marks() ([]nft.Mark, error) { return nft.Marks() }

func (linux) setMarks(want []nft.Mark) ([]nft.Mark, int, error) { return nft.ReconcileMarks(want) }

// routes are the prefixes of our local routes, sorted. The kernel picks them out (fib_frontend.c, ip_valid_fib_dump_req, with strict checking since Linux 4.20): a
// director may have the whole Internet's.
func (linux) routes() (out []netip.Prefix, err error) {
	c, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Strict: true})
	if err != nil {
		return nil, fmt.Errorf("opening a routing socket: %w", err)
	}
	defer c.Close()
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		answers, err := c.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
			Data:   routeMessage(family),
		})
		if family == unix.AF_INET6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP)) {
			continue // no IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("listing the local routes: %w", err)
		}
		for _, m := range answers {
			p, ours, err := parseRoute(m.Data)
			if err != nil {
				return nil, fmt.Errorf("listing the local routes: %w", err)
			}
			if ours {
				out = append(out, p)
			}
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out), nil
}

// routeMessage is a struct rtmsg that asks for our local routes of a family.
func routeMessage(family byte) []byte {
	return []byte{family, 0, 0, 0, unix.RT_TABLE_LOCAL, routeProtocol, 0, unix.RTN_LOCAL, 0, 0, 0, 0}
}

// parseRoute decodes a struct rtmsg and its attributes (rtnetlink(7)), and says whether the route is one of ours.
func parseRoute(b []byte) (p netip.Prefix, ours bool, err error) {
	if len(b) < unix.SizeofRtMsg {
		return p, false, fmt.Errorf("route message of %d bytes: too short", len(b))
	}
	if b[4] != unix.RT_TABLE_LOCAL || b[5] != routeProtocol || b[7] != unix.RTN_LOCAL {
		return p, false, nil
	}
	ad, err := netlink.NewAttributeDecoder(b[unix.SizeofRtMsg:])
	if err != nil {
		return p, false, fmt.Errorf("route message: %w", err)
	}
	for ad.Next() {
		if ad.Type() == unix.RTA_DST {
			a, _ := netip.AddrFromSlice(ad.Bytes())
			p = netip.PrefixFrom(a, int(b[1]))
		}
	}
	return p, p.IsValid(), ad.Err()
}

// addRoute takes the addresses in. That they are taken in already, because one of them is the host's own, is no error.
func (linux) addRoute(p netip.Prefix) error {
	err := onLoopback(p, vnl.RouteAdd)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func (linux) removeRoute(p netip.Prefix) error {
	err := onLoopback(p, vnl.RouteDel)
	if errors.Is(err, unix.ESRCH) {
		return nil // another program was faster
	}
	return err
}

func onLoopback(p netip.Prefix, do func(*vnl.Route) error) error {
	lo, err := vnl.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding the interface lo: %w", err)
	}
	return do(&vnl.Route{
		Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST, Protocol: routeProtocol, LinkIndex: lo.Attrs().Index,
		Dst: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())},
	})
}

// connected are the subnets that this host's interfaces are in.
func (linux) connected() (out []netip.Prefix, err error) {
	addrs, err := vnl.AddrList(nil, vnl.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("listing the host's addresses: %w", err)
	}
	for _, x := range addrs {
		a, _ := netip.AddrFromSlice(x.IP)
		bits, size := x.Mask.Size()
		if a = a.Unmap(); bits < size && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			out = append(out, netip.PrefixFrom(a, bits).Masked())
		}
	}
	return out, nil
}
