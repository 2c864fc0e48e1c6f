package keepalived

import (
	"net/netip"
	"slices"
)

// peers are the addresses that the directors send their adverts from, as far as the files say them.
func (im *importer) peers(r *router) (out []netip.Addr) {
	add := func(a netip.Addr) {
		if a.IsValid() && a.Is4() == r.members[0].family4() && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for _, m := range r.members {
		add(m.adverts.source)
	}
	for _, m := range r.members {
		for _, a := range m.adverts.peers {
			add(a)
		}
	}
	for _, a := range im.legacy {
		if r.near(a) {
			add(a)
		}
	}
	return out
}

// near reports whether a host with that address may be on the link of the router, as far as the prefixes say.
func (r *router) near(a netip.Addr) bool {
	for _, m := range r.members {
		for _, v := range m.addresses {
			if v.prefix.IsSingleIP() || a.IsLinkLocalUnicast() || v.prefix.Contains(a) {
				return true
			}
		}
	}
	return false
}

// unheard names what keeps the two sides from hearing each other until somebody mends it.
func (im *importer) unheard() {
	for _, r := range im.routers {
		v, ok := im.config.Routers[r.speaks]
		if !ok {
			continue
		}
		at := r.members[0].adverts.from["vrid"]
		add := func(what, do string) {
			im.add(Finding{Place: at.at, Node: string(r.members[0].box.node), Class: Changed, Directive: at.path(), What: what, Do: do})
		}
		switch {
		case len(v.Peers) == 0:
			add("the files do not say which addresses the adverts come from: nobody is listed in peers, and the adverts of keepalived raise an alarm and move nothing",
				"give --peer ADDRESS for each director, its address on that interface, or add peers = [\"…\"] by hand")
		case v.Unicast:
			add("the directors send the adverts to each other alone, and the nodes would not hear them",
				"add the addresses of the nodes to unicast_peer on all directors before")
		}
	}
}
