package fsm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Limits of a compound service: what the kernels look up for each new connection is VIPs and Addresses times Ports.
const (
	MaxServiceVIPs      = 256
	MaxServicePorts     = 256
	MaxServiceAddresses = 256
	MaxServiceMatches   = 1024
)

// validateVIPs checks where the service listens and returns the VIPs that there are, of one address family.
func (c Config) validateVIPs(ps *Problems, object string, s Service) (vips []VIP) {
	key := "vip"
	if len(s.VIPs) > 0 {
		key = "vips"
	}
	if s.VIP != "" && len(s.VIPs) > 0 {
		ps.add(object, "vips", strings.Join(s.VIPs, ", "), fmt.Sprintf("vip = %q is there, too", s.VIP), "name all of them in vips, and leave vip out")
	}
	if len(s.VIPs) > MaxServiceVIPs {
		ps.add(object, "vips", "", fmt.Sprintf("%d are more than the limit of %d", len(s.VIPs), MaxServiceVIPs), "make several services of it")
	}
	seen := map[string]bool{}
	for _, name := range s.On() {
		v, ok := c.VIPs[name]
		switch {
		case seen[name]:
			ps.add(object, "vips", name, "it is there twice", "write it once")
			continue
		case !ok:
			ps.add(object, key, name, "there is no such vip", fmt.Sprintf("add vip %q, or correct the name", name))
			continue
		case len(vips) > 0 && v.Address.IsValid() && vips[0].Address.IsValid() && v.Address.Addr().Is4() != vips[0].Address.Addr().Is4():
			ps.add(object, "vips", name, fmt.Sprintf("it is %s, and vip %q is %s: the kernels have a service for each address family", v.family(), vips[0].Name, vips[0].family()),
				"make a second service of the "+v.family()+" ones")
			continue
		}
		seen[name] = true
		vips = append(vips, v)
	}
	return vips
}

// family of the VIP's address, for people.
func (v VIP) family() string {
	if v.Address.Addr().Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// validateListener checks what the service takes.
func (s Service) validateListener(ps *Problems, object string, vips []VIP, around surroundings) {
	if s.Mark != 0 {
		s.validateMark(ps, object, around)
		return
	}
	s.validatePorts(ps, object)
	s.validateAddresses(ps, object, vips, around)
	matches := (len(s.On()) + len(s.Addresses)) * len(s.PortRanges())
	if matches > MaxServiceMatches && len(s.Ports) <= MaxServicePorts && len(s.Addresses) <= MaxServiceAddresses {
		ps.add(object, "ports", "", fmt.Sprintf("%d ranges of each of %d addresses and ranges of them are more than the limit of %d", len(s.PortRanges()),
			len(s.On())+len(s.Addresses), MaxServiceMatches), "use longer ranges, or several services")
	}
	oneOf(ps, object, "protocol", string(s.Protocol), string(TCP), string(UDP), string(SCTP))
}

func (s Service) validateMark(ps *Problems, object string, around surroundings) {
	const what = "a service by firewall mark takes whatever carries the mark"
	if s.Port != 0 {
		ps.add(object, "port", itoa(s.Port), what, "leave port out, or fwmark")
	}
	if len(s.Ports) > 0 {
		ps.add(object, "ports", join(s.Ports, ", "), what, "leave ports out, or fwmark")
	}
	if len(s.Addresses) > 0 {
		ps.add(object, "addresses", join(s.Addresses, ", "), what, "leave addresses out, or fwmark")
	}
	if s.Protocol != "" {
		ps.add(object, "protocol", string(s.Protocol), what, "leave protocol out, or fwmark")
	}
	if s.Mark >= FirstProbeMark && s.Mark <= LastProbeMark {
		ps.add(object, "fwmark", itoa(s.Mark), fmt.Sprintf("the firewall marks from %#x to %#x are for the probes of the directors", FirstProbeMark, LastProbeMark), "use another mark")
	}
	if s.Mark >= around.firstMark && s.Mark <= around.lastMark {
		ps.add(object, "fwmark", itoa(s.Mark), fmt.Sprintf("%d to %d are the marks that quorate gives by itself to services with vips, ports or addresses", around.firstMark, around.lastMark),
			"use another mark, or set fwmark_base in the cluster block to the first of others")
	}
}

func (s Service) validatePorts(ps *Problems, object string) {
	const what, cure = "it stands for all ports, and the connections of a client would not come to one server", `use 1 to 65535, or set persistence = "6m"`
	if len(s.Ports) == 0 {
		if s.Port == 0 && s.Persistence.Timeout == 0 {
			ps.add(object, "port", "0", what, cure)
		}
		return
	}
	if s.Port != 0 {
		ps.add(object, "ports", join(s.Ports, ", "), fmt.Sprintf("port = %d is there, too", s.Port), "name all of them in ports, and leave port out")
	}
	if len(s.Ports) > MaxServicePorts {
		ps.add(object, "ports", "", fmt.Sprintf("%d are more than the limit of %d", len(s.Ports), MaxServicePorts), "use longer ranges, or several services")
		return
	}
	for i, r := range s.Ports {
		switch j := slices.IndexFunc(s.Ports[:i], r.overlaps); {
		case r.From == 0 && r.To != 0 || r.To < r.From:
			ps.add(object, "ports", r.String(), "this is no range of ports", `write it like "80" or "8000-8099"`)
		case r.all() && len(s.Ports) > 1:
			ps.add(object, "ports", "0", "it stands for all ports, so there can be no others", "leave it out, or the others")
			return
		case r.all() && s.Persistence.Timeout == 0:
			ps.add(object, "ports", "0", what, cure)
		case j >= 0 && !s.Ports[j].all():
			ps.add(object, "ports", r.String(), fmt.Sprintf("%v has some of it already", s.Ports[j]), "write each port once")
		}
	}
}

// overlaps reports whether some port is in both.
func (r PortRange) overlaps(o PortRange) bool { return r.From <= o.last() && o.From <= r.last() }

// notRouted are networks whose addresses no network routes to a host.
var notRouted = []AddressRange{
	rangeOf(netip.MustParsePrefix("0.0.0.0/8")), rangeOf(netip.MustParsePrefix("127.0.0.0/8")), rangeOf(netip.MustParsePrefix("169.254.0.0/16")),
	rangeOf(netip.MustParsePrefix("224.0.0.0/3")), rangeOf(netip.MustParsePrefix("::/127")), rangeOf(netip.MustParsePrefix("::ffff:0:0/96")),
	rangeOf(netip.MustParsePrefix("fe80::/10")), rangeOf(netip.MustParsePrefix("ff00::/8")),
}

// validateAddresses checks addresses that are no VIP's. A director takes them in for itself, and any number of directors may: so nobody may be there to
// ask on a link who has them, and no machine may have one.
func (s Service) validateAddresses(ps *Problems, object string, vips []VIP, around surroundings) {
	if len(s.Addresses) > MaxServiceAddresses {
		ps.add(object, "addresses", "", fmt.Sprintf("%d are more than the limit of %d", len(s.Addresses), MaxServiceAddresses), "use longer ranges, or several services")
		return
	}
	for i, r := range s.Addresses {
		bad := func(what, cure string) { ps.add(object, "addresses", r.String(), what, cure) }
		switch j, k := slices.IndexFunc(s.Addresses[:i], r.overlaps), slices.IndexFunc(notRouted, r.overlaps); {
		case !r.First.IsValid() || r.First.BitLen() != r.Last.BitLen() || r.First.Zone() != "" || r.Last.Zone() != "" || r.Last.Less(r.First):
			bad("this is no range of addresses", `write it like "198.51.100.0/28" or "203.0.113.10-203.0.113.19"`)
			continue
		case k >= 0:
			bad(fmt.Sprintf("no network routes addresses of %v to a host", notRouted[k]), "use unicast addresses that your network routes to the VIP")
			continue
		case len(vips) > 0 && vips[0].Address.IsValid() && r.First.Is4() != vips[0].Address.Addr().Is4():
			bad(fmt.Sprintf("vip %q is %s: the kernels have a service for each address family", vips[0].Name, vips[0].family()), "make a second service of the others")
			continue
		case j >= 0:
			bad(fmt.Sprintf("%v has some of it already", s.Addresses[j]), "write each address once")
			continue
		}
		if at, taken := around.subnets.find(r); taken {
			bad(fmt.Sprintf("it has addresses of %v, the subnet of vip %q, where neighbours ask for them, and they would have no owner", at.AddressRange, at.name),
				"use addresses that the network routes to the VIP, or make VIPs of them")
		}
		if at, taken := around.servers.find(r); taken {
			bad(fmt.Sprintf("service %q has a server at %v, which the directors could not reach any more", at.name, at.First), "use addresses that no machine has")
		}
	}
}

// surroundings are what the services of a configuration are judged by besides themselves.
type surroundings struct {
	firstMark, lastMark uint32
	marks               map[uint32]string // the services by firewall mark
	subnets, servers    holdings          // of the VIPs, by their names; real servers, by their services
	clashes             map[string]Problems
}

// surroundings are worked out once for all services.
func (c Config) surroundings() surroundings {
	var out surroundings
	out.firstMark, out.lastMark = c.Settings.Marks()
	out.marks = map[uint32]string{}
	routed := false
	for name, s := range c.Services {
		if other, twice := out.marks[s.Mark]; s.Mark != 0 && (!twice || name < other) {
			out.marks[s.Mark] = name
		}
		routed = routed || len(s.Addresses) > 0
	}
	if routed {
		for _, v := range c.VIPs {
			if v.Address.IsValid() {
				out.subnets = append(out.subnets, holding{rangeOf(v.Address), v.Name})
			}
		}
		for _, s := range c.Services {
			for _, server := range s.all() {
				if a := server.Address.Addr(); a.IsValid() {
					out.servers = append(out.servers, holding{AddressRange{a, a}, s.Name})
				}
			}
		}
		out.subnets, out.servers = out.subnets.sorted(), out.servers.sorted()
	}
	out.clashes = c.clashes()
	return out
}
