package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/fsm"
)

// speak makes the virtual router by which the cluster takes part in VRRP beside the directors of a router, with those of its VIPs that were in adverts.
func (im *importer) speak(r *router) {
	first := r.members[0]
	a := first.adverts
	vips, wrong := im.advertised(r)
	if wrong = cmp.Or(a.wrong, wrong); wrong != "" {
		for _, m := range r.members {
			m.mute("no virtual router was made of the instance: " + wrong)
		}
		if a.vrid == 0 && wrong == noVRID {
			im.add(Finding{Place: first.d.at, Node: string(first.box.node), Class: Mistake, Directive: first.d.path(), What: wrong + "; its VIPs were made without a virtual router", Do: "add virtual_router_id, and import again"})
		}
		return
	}
	sticky, delay := im.leader(r).sticky, first.delay
	for _, m := range r.members {
		delay = max(delay, m.delay)
	}
	v := fsm.VirtualRouter{VRID: a.vrid, Version: a.version, Interval: a.interval, Password: a.password, HMACKeys: a.keys, HMACMode: a.keyMode, Unicast: a.unicast,
		Group: a.group, VMAC: a.vmac, Checksum: a.checksum, NoPreempt: sticky, Peers: im.peers(r)}
	if !sticky {
		v.PreemptDelay = delay
	}
	v = v.Spared()
	name := unique(r.name, func(n string) bool { _, ok := im.config.Routers[n]; return ok })
	if im.config.Routers == nil {
		im.config.Routers = map[string]fsm.VirtualRouter{}
	}
	im.config.Routers[name] = v
	for _, vip := range vips {
		x := im.config.VIPs[vip]
		x.Router = name
		im.config.VIPs[vip] = x
	}
	remove := func() {
		delete(im.config.Routers, name)
		for k, x := range im.config.VIPs {
			if x.Router == name {
				x.Router = ""
				im.config.VIPs[k] = x
			}
		}
	}
	object := "virtual_router." + name
	for _, m := range r.members {
		if d := m.adverts.from["vrid"]; d != nil {
			im.made(object, d, remove)
		}
	}
	for _, m := range r.members {
		for _, key := range sortedKeys(m.adverts.from) {
			d := m.adverts.from[key]
			d.mapped(fmt.Sprintf("virtual_router: %s", ours(key)))
			if d.parent != nil && d.parent.word != "global_defs" { // what is said for all is not of this one alone
				im.made(object, d, remove)
			}
		}
	}
	im.outrank(r)
	r.speaks = name
}

// ours is the key of ours by what it was noted under.
func ours(key string) string {
	switch {
	case strings.HasPrefix(key, "peer "), key == "mcast_src_ip", key == "unicast_src_ip":
		return "peers"
	case strings.HasPrefix(key, "key "), key == "active_key":
		return "hmac_keys"
	case key == "auth", key == "auth_pass", key == "authentication":
		return "password"
	}
	return key
}

// mute says of what is about adverts that nothing has become of it.
func (i *instance) mute(why string) {
	for _, key := range sortedKeys(i.adverts.from) {
		i.adverts.from[key].settle(Unsupported, why, "")
	}
}

// leader is the member with the highest priority, whose word counts where a member's own does.
func (im *importer) leader(r *router) *instance {
	return slices.MaxFunc(r.members, func(a, b *instance) int { return cmp.Compare(a.priority, b.priority) })
}

// advertised are the VIPs of a router that are in its adverts: on its own link, and not excluded.
func (im *importer) advertised(r *router) (vips []string, wrong string) {
	first := r.members[0]
	links := map[string]bool{}
	for _, m := range r.members {
		links[m.link] = true
	}
	link := ""
	if len(links) == 1 {
		link = first.link
	}
	family := first.family4()
	for _, name := range r.vips {
		vip := im.config.VIPs[name]
		d, excluded := r.said(vip.Address.Addr())
		switch {
		case excluded:
			continue
		case vip.Address.Addr().Is4() != family:
			continue // a mistake, which was named
		case first.link == "" && link == "":
			link = vip.Interface
		}
		if vip.Interface != link {
			d.settle(Unsupported, fmt.Sprintf("vip %q has no virtual router: the address is on another interface than the adverts that it is in, and adverts of the cluster have the addresses of one interface", name),
				"put it into virtual_ipaddress_excluded on all directors first; keepalived up to 2.3.2 drops adverts with another list of addresses")
			continue
		}
		if most := map[bool]int{true: 255, false: 89}[family]; len(vips) == most {
			d.settle(Changed, fmt.Sprintf("vip %q has no virtual router: an advert has no room for more than %d addresses", name, most), "put it into virtual_ipaddress_excluded on all directors first")
			continue
		}
		vips = append(vips, name)
	}
	if len(vips) == 0 {
		return nil, "none of its addresses is in adverts on its own interface"
	}
	return vips, ""
}

// said is the line in which the first member that has the address says it, and whether all of them exclude it from adverts.
func (r *router) said(a netip.Addr) (d *directive, excluded bool) {
	excluded = true
	for _, m := range r.members {
		if v := m.address(a); v != nil {
			d = cmp.Or(d, v.d)
			excluded = excluded && v.excluded
		}
	}
	return d, excluded
}
