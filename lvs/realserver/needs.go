package realserver

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/lvs"
)

// need is one thing that VIPs need, and whether the host has it.
type need struct {
	Thing
	have string // the value it has, or "" where it is not there
	to   string // what setup makes of it
	met  bool
	why  string
	rank int
}

// The order in which things are made: the network learns nothing of an address at any moment between two steps, and a device
// of ours takes no packets in before it is complete.
const (
	rankSysctl = iota
	rankLink
	rankLinkSysctl
	rankUp
	rankListener
	rankAddress
)

// sysctl paths below /proc/sys.
func conf4(link, key string) string { return "net/ipv4/conf/" + link + "/" + key }
func conf6(link, key string) string { return "net/ipv6/conf/" + link + "/" + key }

// sysctlsFor are the sysctls that needs and refusals look at.
func sysctlsFor(vips []VIP) (paths []string) {
	for _, v := range vips {
		if v.Addr.Is6() {
			paths = append(paths, conf6("lo", "disable_ipv6"), conf6(v.link(), "disable_ipv6"))
		} else {
			for _, link := range []string{"all", v.Interface} {
				paths = append(paths, conf4(link, "arp_ignore"), conf4(link, "arp_announce"), conf4(link, "rp_filter"))
			}
		}
		if v.Forward == lvs.Tunnel {
			paths = append(paths, conf4(v.device(), "rp_filter"))
		}
	}
	return paths
}

// needs are what the VIPs need, in the order in which it is made, each once. The VIPs are complete.
func needs(h host, vips []VIP) (all []need) {
	for _, v := range vips {
		if v.Addr.Is4() {
			all = append(all, needsARP(h, v)...)
		}
		if v.Forward == lvs.Tunnel {
			all = append(all, needsTunnel(h, v)...)
		}
		x, there := h.find(v.link(), v.Addr)
		n := need{Thing: Thing{KindAddress, v.prefix().String(), v.link()}, to: "present", met: there && x.prefix == v.prefix(), rank: rankAddress,
			why: "this server does not take packets for it"}
		if n.met {
			n.have = "present"
		}
		all = append(all, n)
	}
	slices.SortStableFunc(all, func(a, b need) int { return cmp.Compare(a.rank, b.rank) })
	seen := map[Thing]bool{}
	return slices.DeleteFunc(all, func(n need) bool {
		twice := seen[n.Thing]
		seen[n.Thing] = true
		return twice
	})
}

// needsARP are the settings that keep an IPv4 VIP unknown to the network. The kernel takes the larger value of all and the
// interface for each of the three (include/linux/inetdevice.h, IN_DEV_MAXCONF); both are set, so that a program that resets
// the one alone does no harm.
func needsARP(h host, v VIP) (out []need) {
	set := func(link, key, to, why string, ok ...string) {
		path := conf4(link, key)
		have := h.sysctls[path]
		out = append(out, need{Thing: Thing{Kind: KindSysctl, Name: path}, have: have, to: to, met: slices.Contains(ok, have), why: why})
	}
	for _, link := range []string{"all", v.Interface} {
		// 3 answers for no address of scope host, which is what the VIP on lo gets; 2 and 8 answer for less than 1.
		set(link, "arp_ignore", "1", fmt.Sprintf("this server answers ARP for %s and takes its traffic from the director", v.Addr), "1", "2", "3", "8")
		set(link, "arp_announce", "2", fmt.Sprintf("this server's own ARP requests say that it has %s", v.Addr), "2")
	}
	if v.Forward == lvs.DirectRouting {
		path := conf4(v.Interface, "rp_filter")
		n := need{Thing: Thing{Kind: KindSysctl, Name: path}, have: h.sysctls[path], to: "2", met: true,
			why: "packets of clients to whom another interface leads back are dropped (strict rp_filter)"}
		n.met = max(h.sysctls[conf4("all", "rp_filter")], n.have) != "1"
		out = append(out, n)
	}
	return out
}

func needsTunnel(h host, v VIP) []need {
	name := v.device()
	l := h.links[name]
	kind := kinds[name].kind
	dev := need{Thing: Thing{Kind: KindLink, Name: name}, have: l.kind, to: kind, met: h.ourDevice(name), rank: rankLink,
		why: "packets of directors through " + v.Tunnel + " are not taken in"}
	up := need{Thing: Thing{Kind: KindUp, Name: name}, to: "up", met: l.up, rank: rankUp, why: dev.why}
	if l.up {
		up.have = "up"
	} else if dev.met {
		up.have = "down"
	}
	// Packets come out of the device whose way back leads elsewhere: loose (2) lets them in whatever all.rp_filter is.
	path := conf4(name, "rp_filter")
	filter := need{Thing: Thing{Kind: KindSysctl, Name: path}, have: h.sysctls[path], to: "2", met: h.sysctls[path] == "2", rank: rankLinkSysctl,
		why: "packets out of the tunnel are dropped where rp_filter is strict"}
	out := []need{dev, filter, up}
	if v.Addr.Is6() {
		path := conf6(name, "disable_ipv6")
		out = append(out, need{Thing: Thing{Kind: KindSysctl, Name: path}, have: h.sysctls[path], to: "0", met: h.sysctls[path] == "0",
			rank: rankLinkSysctl, why: "the device takes no IPv6"})
	}
	if v.Tunnel == GUE {
		at := fmt.Sprintf("%s/%d", v.Outer, v.Port)
		out = append(out, need{Thing: Thing{Kind: KindListener, Name: at}, have: h.listeners[at], to: GUE, met: h.listeners[at] == GUE, rank: rankListener,
			why: "packets of directors through gue are not taken in"})
	}
	return out
}

// Problem is what setup does not change by itself, with the command that does.
type Problem struct {
	What string `json:"what"`
	Cure string `json:"cure"`
}

func (p Problem) String() string { return p.What + ": " + p.Cure }

// refusals are what stands in the way of VIPs and belongs to somebody else.
func refusals(h host, vips []VIP) (out []Problem) {
	add := func(p Problem) {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	if l, ok := h.links["lo"]; !ok || !l.up {
		add(Problem{"lo is down, so no address of its own reaches this host", "run ip link set lo up"})
	}
	for _, v := range vips {
		for _, a := range h.addresses {
			if a.prefix.Addr() != v.Addr {
				continue
			}
			del := "ip address del " + a.prefix.String() + " dev " + a.link
			switch {
			case h.links[a.link].answers:
				add(Problem{fmt.Sprintf("%s is on %s, so this server says that it has the VIP", v.Addr, a.link),
					"take it off there (" + del + "), unless this host is a director that owns it"})
			case a.link == v.link() && a.prefix != v.prefix():
				add(Problem{fmt.Sprintf("%s on %s makes all of %s this host's own", a.prefix, a.link, a.prefix.Masked()), "run " + del})
			}
		}
		for _, p := range refusedSettings(h, v) {
			add(p)
		}
	}
	return out
}

func refusedSettings(h host, v VIP) (out []Problem) {
	if v.Addr.Is6() {
		switch path := conf6("lo", "disable_ipv6"); h.sysctls[path] {
		case "0":
		case "":
			out = append(out, Problem{"this kernel has no IPv6, which " + v.Addr.String() + " needs", "boot without ipv6.disable=1, or load the module ipv6"})
		default:
			out = append(out, Problem{"lo takes no IPv6 address such as " + v.Addr.String(), "run sysctl -w " + sysctlName(path) + "=0"})
		}
	} else {
		for _, link := range []string{"all", v.Interface} {
			if _, ok := h.sysctls[conf4(link, "arp_ignore")]; !ok {
				out = append(out, Problem{"there is no " + sysctlName(conf4(link, "arp_ignore")), "name an interface of this host, and mount /proc"})
			}
		}
	}
	if v.Forward != lvs.Tunnel {
		return out
	}
	if l, ok := h.links[v.device()]; ok && !h.ourDevice(v.device()) {
		out = append(out, Problem{fmt.Sprintf("the name %s is taken by a device of kind %s that is none of ours", v.device(), cmp.Or(l.kind, "unknown")),
			"rename it, or run ip link del " + v.device()})
	}
	if at := fmt.Sprintf("%s/%d", v.Outer, v.Port); v.Tunnel == GUE && h.listeners[at] != "" && h.listeners[at] != GUE {
		out = append(out, Problem{fmt.Sprintf("UDP port %d takes in %s, not gue", v.Port, h.listeners[at]), "choose another --port, or run " +
			strings.ReplaceAll(Step{Thing: Thing{Kind: KindListener, Name: at}}.Command(), "  ", " ")})
	}
	return out
}

// addrOf is the address of a thing that is one.
func addrOf(t Thing) netip.Addr {
	p, err := netip.ParsePrefix(t.Name)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
