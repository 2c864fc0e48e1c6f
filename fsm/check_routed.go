package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// compoundBy is the setting for which the service asks for one of the features of compound ones, with its value.
func (s Service) compoundBy(feature string) (key, value string) {
	switch {
	case feature == "ports" && len(s.Ports) > 0:
		return "ports", join(s.Ports, ", ")
	case feature == "ports" && len(s.VIPs) > 0:
		return "vips", join(s.VIPs, ", ")
	default:
		return "addresses", join(s.Addresses, ", ")
	}
}

// checkRouted refuses addresses of a service that a machine of the cluster has, or that are on a network of a director: it would answer who asks
// there, beside the other directors that do.
func checkRouted(ps *Problems, s Service, nodes map[NodeID]Node) {
	for _, r := range s.Addresses {
		for _, id := range slices.Sorted(maps.Keys(nodes)) {
			if what, cure := nodes[id].has(r); what != "" {
				ps.add("service."+s.Name, "addresses", r.String(), what, cure)
				break
			}
		}
	}
}

// has says why the node has to do with the addresses, and the cure; or "".
func (n Node) has(r AddressRange) (what, cure string) {
	const free = "use addresses that the network routes to the VIP and that no machine has"
	if at, err := netip.ParseAddrPort(n.Addr); err == nil && r.Contains(at.Addr().Unmap()) {
		return fmt.Sprintf("node %s is reached at %v", n.ID, at.Addr().Unmap()), free
	}
	if n.Role != Director {
		return "", ""
	}
	for _, a := range n.Facts.Addresses {
		if r.Contains(a) {
			return fmt.Sprintf("node %s has %v for itself", n.ID, a), free
		}
	}
	if link, p, near := n.Facts.linkInto(r); near {
		return fmt.Sprintf("node %s has the network %v on %s, where neighbours ask for addresses of it, and they would have no owner", n.ID, p, link), free + ", or make VIPs of them"
	}
	return "", ""
}

// linkInto finds an interface with a network that has some of the addresses.
func (f Facts) linkInto(r AddressRange) (link string, network netip.Prefix, ok bool) {
	for _, l := range f.Links {
		for _, p := range l.Prefixes {
			if r.overlaps(rangeOf(p)) {
				return l.Name, p.Masked(), true
			}
		}
	}
	return "", netip.Prefix{}, false
}
