package lvs

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"quorate/lvs/sysctl"
)

// The settings without which the kernel drops packets that a plane has sent on to another host, and those by which it tells its neighbours of
// an address on a link that does not have it (Documentation/networking/ip-sysctl.rst).
const (
	forward4    = "net.ipv4.ip_forward"
	forward6    = "net.ipv6.conf.all.forwarding"
	arpIgnore   = "net.ipv4.conf.all.arp_ignore"
	arpAnnounce = "net.ipv4.conf.all.arp_announce"
)

// Preflight is what the host lacks for the services, whatever plane has them. It reads the network namespace of the calling thread and changes
// nothing.
//
// IP forwarding of their address families, when nat or tun sends to a destination on another host. That the host answers ARP for an address,
// and names it in requests of its own, on the link alone that has it: where two links lead to the subnet of a virtual address, where several
// have virtual addresses, and where the host is itself a real server of one of them by direct routing or through a tunnel.
func Preflight(want []Service) (out []sysctl.Need) {
	local := LocalAddrs()
	const dropped = "packets to servers on other hosts are dropped"
	v4, v6 := sendsOn(want, local)
	if v4 {
		out = append(out, sysctl.Ask(forward4, dropped, "1")...)
	}
	if v6 {
		for _, n := range sysctl.Ask(forward6, dropped, "1") {
			n.Unless = advertised()
			out = append(out, n)
		}
	}
	if why := tellsOthers(want, local, connected()); why != "" {
		out = append(out, sysctl.Ask(arpIgnore, why+": it answers ARP for a virtual address where that is not", "1", "2")...)
		out = append(out, sysctl.Ask(arpAnnounce, why+": its own ARP requests name a virtual address where that is not, which neighbours there remember when it has moved", "2")...)
	}
	return out
}

// sendsOn reports whether nat or tun sends to another host, over IPv4 and over IPv6.
func sendsOn(want []Service, local map[netip.Addr]bool) (v4, v6 bool) {
	for _, s := range want {
		for _, d := range s.Destinations {
			a := d.Addr.Addr().Unmap()
			if forward, _ := s.Method(d); forward == DirectRouting || a.IsLoopback() || local[a] {
				continue // direct routing sends on from the input hook, not through the forwarding path (ip_vs_xmit.c, ip_vs_dr_xmit)
			}
			v4, v6 = v4 || a.Is4(), v6 || a.Is6()
		}
	}
	return v4, v6
}

// SendsToItself reports whether a host with these addresses is a real server of the service, as it is sent to without a change of the address.
func (s Service) SendsToItself(local map[netip.Addr]bool) bool {
	return slices.ContainsFunc(s.Destinations, func(d Destination) bool {
		forward, _ := s.Method(d)
		return forward != NAT && local[d.Addr.Addr().Unmap()]
	})
}

// tellsOthers is why a host with these subnets tells neighbours of an IPv4 address on a link that does not have it; "" = it does not.
func tellsOthers(want []Service, local map[netip.Addr]bool, subnets map[string][]netip.Prefix) string {
	having := map[string]bool{}
	for _, s := range want {
		if s.Mark != 0 || !s.Addr.Unmap().Is4() {
			continue
		}
		if s.SendsToItself(local) {
			return fmt.Sprintf("this host is a director, and a real server of %v besides", s.Key())
		}
		var links []string
		for link, ps := range subnets {
			if slices.ContainsFunc(ps, func(p netip.Prefix) bool { return p.Contains(s.Addr.Unmap()) }) {
				links = append(links, link)
				having[link] = true
			}
		}
		if slices.Sort(links); len(links) > 1 {
			return fmt.Sprintf("%s lead to the subnet of %v", strings.Join(links, " and "), s.Addr)
		}
	}
	if len(having) > 1 {
		links := []string{}
		for link := range having {
			links = append(links, link)
		}
		slices.Sort(links)
		return strings.Join(links, " and ") + " have virtual addresses"
	}
	return ""
}

// ofVirtualRouter reports whether a MAC is a virtual router's (RFC 9568 section 7.3).
func ofVirtualRouter(mac net.HardwareAddr) bool {
	return len(mac) == 6 && string(mac[:4]) == "\x00\x00\x5e\x00" && (mac[4] == 1 || mac[4] == 2)
}

// connected are the IPv4 subnets of the links that are up and speak ARP, by name. Where they cannot be read there is no hint. Links with the MAC of a virtual router
// are left out: whoever makes them has them, and the link below, answer for their own addresses only.
func connected() map[string][]netip.Prefix {
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	out := map[string][]netip.Prefix{}
	for _, l := range links {
		if l.Flags&net.FlagUp == 0 || l.Flags&net.FlagBroadcast == 0 || ofVirtualRouter(l.HardwareAddr) {
			continue
		}
		addrs, err := l.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && !p.IsSingleIP() {
				out[l.Name] = append(out[l.Name], p.Masked())
			}
		}
	}
	return out
}

// advertised says what has to be done before a host forwards IPv6 that has a default route from a router's advertisements: it does not listen to
// them any more then (accept_ra).
func advertised() string {
	b, err := os.ReadFile("/proc/thread-self/net/ipv6_route")
	if err != nil {
		return ""
	}
	return defaultAdvertised(string(b))
}

// Flags of a route (linux/route.h, linux/ipv6_route.h).
const (
	routeDefault    = 0x00010000 // RTF_DEFAULT: learned from a router
	routeAddrconf   = 0x00040000 // RTF_ADDRCONF
	fieldsOfRoute   = 10
	routeFlagsField = 8
)

// defaultAdvertised is advertised for the text of /proc/net/ipv6_route (net/ipv6/route.c, rt6_info_route).
func defaultAdvertised(routes string) string {
	for line := range strings.Lines(routes) {
		f := strings.Fields(line)
		var flags uint32
		if len(f) != fieldsOfRoute {
			continue
		}
		if _, err := fmt.Sscanf(f[routeFlagsField], "%x", &flags); err != nil || flags&routeDefault == 0 || flags&routeAddrconf == 0 {
			continue
		}
		name := "net.ipv6.conf." + strings.ReplaceAll(f[fieldsOfRoute-1], ".", "/") + ".accept_ra"
		if v, err := sysctl.Read(name); err == nil && v == "2" {
			continue
		}
		return fmt.Sprintf("the default route of %s is from a router's advertisements, which a host that forwards does not take: run sysctl -w %s=2", f[fieldsOfRoute-1], name)
	}
	return ""
}

// LocalAddrs are the host's own addresses. Where they cannot be read every server counts as remote: a needless hint.
func LocalAddrs() map[netip.Addr]bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	out := make(map[netip.Addr]bool, len(addrs))
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out[ip.Unmap()] = true
			}
		}
	}
	return out
}
