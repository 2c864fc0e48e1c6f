package realserver

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"quorate/lvs"
)

// The tunnels that a director can send through, and the address family of their outer headers.
const (
	IPIP = "ipip"
	GRE  = "gre"
	GUE  = "gue"

	IPv4 = "ipv4"
	IPv6 = "ipv6"
)

// DefaultPort is where gue packets arrive unless another port is named: the one that IANA has for it.
const DefaultPort = 6080

// VIP is one address that this host is to take packets for.
type VIP struct {
	Addr netip.Addr `json:"vip"`
	// Forward is how directors send: lvs.DirectRouting or lvs.Tunnel.
	Forward string `json:"forward"`
	// Tunnel is IPIP, GRE or GUE; empty = IPIP. With lvs.Tunnel only.
	Tunnel string `json:"tunnel,omitempty"`
	// Port is the UDP port of GUE; 0 = DefaultPort.
	Port uint16 `json:"port,omitempty"`
	// Outer is IPv4 or IPv6, the family of the server's address as the director has it; empty = that of the VIP.
	Outer string `json:"outer,omitempty"`
	// Interface is where packets and ARP requests come in; empty = the one with a subnet of the VIP, else that of the default
	// route. IPv6 with direct routing needs none.
	Interface string `json:"interface,omitempty"`
}

// String is the form in reports: "192.0.2.10 (tun ipip)".
func (v VIP) String() string {
	return v.Addr.String() + " (" + strings.TrimSpace(v.Forward+" "+v.Tunnel) + ")"
}

// complete fills in what is left out, but for the interface, and says what makes v impossible.
func (v VIP) complete() (VIP, error) {
	a := v.Addr
	switch {
	case !a.IsValid():
		return v, fmt.Errorf("no VIP: name one like 192.0.2.10 or 2001:db8::10")
	case a.Is4In6():
		return v, fmt.Errorf("VIP %s: write an IPv4 address as such: %s", a, a.Unmap())
	case a.Zone() != "":
		return v, fmt.Errorf("VIP %s: an address of one link alone cannot be a VIP; leave out %%%s", a, a.Zone())
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return v, fmt.Errorf("VIP %s: that is no address that clients can reach; name the virtual service's", a)
	}
	switch v.Forward {
	case lvs.DirectRouting:
		if v.Tunnel != "" || v.Port != 0 || v.Outer != "" {
			return v, fmt.Errorf("VIP %s: tunnel, port and outer go with forward tun, not with dr", a)
		}
		return v, checkInterface(v.Interface)
	case lvs.Tunnel:
		return v.completeTunnel()
	case lvs.NAT:
		return v, fmt.Errorf("forward nat: such a real server needs no preparation, but its way back to clients must lead through the director")
	default:
		return v, fmt.Errorf("forward %q: want dr or tun", v.Forward)
	}
}

func (v VIP) completeTunnel() (VIP, error) {
	v.Tunnel = cmp.Or(v.Tunnel, IPIP)
	family := IPv4
	if v.Addr.Is6() {
		family = IPv6
	}
	v.Outer = cmp.Or(v.Outer, family)
	switch {
	case v.Tunnel != IPIP && v.Tunnel != GRE && v.Tunnel != GUE:
		return v, fmt.Errorf("tunnel %q: want ipip, gre or gue", v.Tunnel)
	case v.Outer != IPv4 && v.Outer != IPv6:
		return v, fmt.Errorf("outer %q: want ipv4 or ipv6, the family of the server's address at the director", v.Outer)
	case v.Port != 0 && v.Tunnel != GUE:
		return v, fmt.Errorf("port %d: only gue has a port, not %s", v.Port, v.Tunnel)
	case v.Tunnel != GRE && family == IPv6 && v.Outer == IPv4:
		return v, fmt.Errorf("VIP %s through %s over IPv4: this takes IPv6 VIPs over IPv4 in from gre alone; use tunnel gre, or an IPv6 address of the server", v.Addr, v.Tunnel)
	}
	if v.Tunnel == GUE {
		v.Port = cmp.Or(v.Port, DefaultPort)
	}
	return v, checkInterface(v.Interface)
}

// checkInterface refuses what the kernel takes for no name (net/core/dev.c, dev_valid_name) and what would lead out of
// /proc/sys/net/ipv4/conf.
func checkInterface(name string) error {
	if len(name) > 15 || name == "." || name == ".." || name == "all" || name == "default" || name == "lo" || strings.ContainsAny(name, "/: \t\r\n\v\f\x00") {
		return fmt.Errorf("interface %q: name the one on which packets for the VIP come in, like eth0", name)
	}
	return nil
}

// prefix is the VIP alone: a shorter one on lo would make a whole subnet local.
func (v VIP) prefix() netip.Prefix { return netip.PrefixFrom(v.Addr, v.Addr.BitLen()) }

// link is where the VIP lies.
func (v VIP) link() string {
	if v.Forward == lvs.DirectRouting {
		return "lo"
	}
	return v.device()
}

// device is our tunnel device for the VIP. The packets of gue, once their UDP header is off, are those of ipip.
func (v VIP) device() string {
	switch {
	case v.Tunnel == GRE && v.Outer == IPv6:
		return "quorate-gre6"
	case v.Tunnel == GRE:
		return "quorate-gre"
	case v.Outer == IPv6:
		return "quorate-ip6tnl"
	default:
		return "quorate-ipip"
	}
}

// kinds are the kinds of our devices, as ip(8) names them, and the modules that have them.
var kinds = map[string]struct{ kind, module string }{
	"quorate-ipip":   {"ipip", "ipip"},
	"quorate-ip6tnl": {"ip6tnl", "ip6_tunnel"},
	"quorate-gre":    {"gre", "ip_gre"},
	"quorate-gre6":   {"ip6gre", "ip6_gre"},
}

// overhead is how many bytes the tunnel adds to a packet.
func (v VIP) overhead() int {
	n := 20
	if v.Outer == IPv6 {
		n = 40
	}
	switch v.Tunnel {
	case GRE:
		n += 4
	case GUE:
		n += 8 + 4 // UDP and the base header; ipvs adds 4 more with remote checksums
	}
	return n
}

// segment is the largest TCP segment that fits into a tunnel over a network that carries 1500 bytes.
func (v VIP) segment() int {
	if v.Addr.Is6() {
		return 1500 - 60 - v.overhead()
	}
	return 1500 - 40 - v.overhead()
}

// Check says what makes v impossible, whatever host it is for.
func (v VIP) Check() error {
	_, err := v.complete()
	return err
}
