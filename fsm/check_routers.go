package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// checkRouters checks of the virtual routers what only the nodes can tell: who has which address, and which VIPs are on one link.
func (c Config) checkRouters(ps *Problems, nodes map[NodeID]Node, directors []Node) {
	routers := c.VirtualRouters()
	for i, r := range routers {
		if len(r.VIPs) == 0 {
			continue
		}
		object := c.routerObject(r.Name)
		if id, has := holder(nodes, r.Source); has {
			ps.add(object, "source", r.Source.String(), fmt.Sprintf("node %s has this address for itself, and drops what comes from it", id), "use an address that no machine has")
		}
		for _, peer := range r.Peers {
			// A rehearsal goes beside routers on the same machines.
			if id, has := holder(nodes, peer); has && !c.Shadows(r.VIPs[0]) {
				ps.add(object, "peers", peer.String(), fmt.Sprintf("this is node %s, which is no router outside the cluster", id), fmt.Sprintf("end the router on %s, and take its address out", id))
			}
		}
		r.checkLink(ps, directors)
		r.checkVMAC(ps, object, directors)
		r.checkVRID(ps, object, routers[:i], directors)
	}
}

// holder is the node that has the address, for itself or to be reached at.
func holder(nodes map[NodeID]Node, a netip.Addr) (NodeID, bool) {
	if !a.IsValid() {
		return "", false
	}
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[id]
		at, err := netip.ParseAddrPort(n.Addr)
		if err == nil && at.Addr().Unmap() == a || slices.Contains(n.Facts.Addresses, a) {
			return id, true
		}
	}
	return "", false
}

// checkLink refuses VIPs of one virtual router that are on several links of a director.
func (r ResolvedRouter) checkLink(ps *Problems, directors []Node) {
	first := r.VIPs[0]
	for _, v := range r.VIPs[1:] {
		for _, n := range directors {
			a, okA := n.Facts.LinkFor(first.Address.Addr(), first.Interface)
			b, okB := n.Facts.LinkFor(v.Address.Addr(), v.Interface)
			if okA && okB && a != b {
				ps.add("vip."+v.Name, "virtual_router", v.RouterName(), fmt.Sprintf("on %s it is on %s, and vip %s of the same virtual router on %s", n.ID, b, first.Name, a),
					fmt.Sprintf("name the interface of both, as in interface = %q, or give them virtual routers of their own", a))
				break
			}
		}
	}
}

// checkVMAC refuses a virtual MAC that no director with the link can have.
func (r ResolvedRouter) checkVMAC(ps *Problems, object string, directors []Node) {
	var lacks []string
	for _, n := range directors {
		if _, ok := n.Facts.LinkFor(r.VIPs[0].Address.Addr(), r.VIPs[0].Interface); !ok {
			continue
		}
		if n.Facts.NoVMAC == "" {
			return
		}
		lacks = append(lacks, fmt.Sprintf("%s: %s", n.ID, n.Facts.NoVMAC))
	}
	if r.VMAC && len(lacks) > 0 {
		ps.add(object, "vmac", "true", fmt.Sprintf("no director that can have its VIPs can have a virtual MAC (%s)", firstOf(lacks, "")), "give one what it lacks, or take vmac out")
	}
}

// checkVRID refuses a VRID that another one has on the same link of a director, where the configuration alone does not show it.
func (r ResolvedRouter) checkVRID(ps *Problems, object string, others []ResolvedRouter, directors []Node) {
	for _, o := range others {
		if o.VRID != r.VRID || len(o.VIPs) == 0 || r.meets(o) || o.VIPs[0].Address.Addr().Is4() != r.VIPs[0].Address.Addr().Is4() {
			continue
		}
		for _, n := range directors {
			a, okA := n.Facts.LinkFor(r.VIPs[0].Address.Addr(), r.VIPs[0].Interface)
			b, okB := n.Facts.LinkFor(o.VIPs[0].Address.Addr(), o.VIPs[0].Interface)
			if okA && okB && a == b {
				ps.add(object, "vrid", itoa(uint32(r.VRID)), fmt.Sprintf("virtual router %s has it too, and both are on %s of %s", o.Name, a, n.ID), "give one of them another VRID")
				return
			}
		}
	}
}

// warnRouters says what virtual routers do not do as their words might have it.
func (c Config) warnRouters(ps *Problems) {
	for _, r := range c.VirtualRouters() {
		object := c.routerObject(r.Name)
		if len(r.VIPs) == 0 {
			ps.add(object, "", "", "no VIP belongs to it, so that it neither speaks nor hears", fmt.Sprintf("give a VIP virtual_router = %q, or take it out", r.Name))
			continue
		}
		if len(r.Peers) == 0 {
			ps.add(object, "peers", "", "there are none, so that nobody's adverts count: another router with this VRID takes the VIPs, and the cluster only says so", "list the addresses that the others send from")
		}
		if r.NoYield {
			ps.add(object, "yield", "false", "a peer of higher priority that is active and the cluster then both answer for the VIPs", "leave it out, so that the cluster yields")
		}
		if r.VMAC && r.VIPs[0].Address.Addr().Is4() && !c.Settings.SetSysctls {
			ps.add(object, "vmac", "true", "a director answers for the VIPs with the MAC of its own interface, too, unless net.ipv4.conf.INTERFACE.arp_ignore is 1 and arp_announce is 2 there",
				"set set_sysctls = true in cluster, so that the agents see to it, or set both on all directors")
		}
		if a := r.VIPs[0].Address.Addr(); a.Is6() && !a.IsLinkLocalUnicast() {
			ps.add(object, "", "", fmt.Sprintf("its adverts begin with %v, and by RFC 9568 the first address of IPv6 is a link-local one: some routers take no others", a),
				`add a VIP for one to it, like address = "fe80::51/64" with its interface, if the other routers have one`)
		}
	}
}
