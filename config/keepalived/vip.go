package keepalived

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"quorate/fsm"
)

// place makes the VIPs of a router, and the group that they need.
func (im *importer) place(r *router, groups map[string]string) {
	all := r.union()
	syncs := map[string]bool{}
	sync := ""
	for _, m := range r.members {
		if m.sync != nil {
			sync = cmp.Or(sync, m.sync.name)
			syncs[m.sync.name] = true
		}
	}
	if len(syncs) > 1 {
		im.contradict(r.members[0].d, "vrrp_instance "+r.name, "it is in sync groups of different names: "+strings.Join(slices.Sorted(maps.Keys(syncs)), ", "))
	}
	prefer, preempt := im.order(r)
	switch {
	case sync != "" && groups[sync] != "":
		r.group = groups[sync]
		if g := im.config.Groups[r.group]; !slices.Equal(g.Prefer, prefer) || g.Preempt != preempt {
			im.contradict(r.members[0].d, "vrrp_instance "+r.name, fmt.Sprintf("its priorities put the directors into another order than those of the other members of the group %s, or nopreempt differs: in keepalived such a group goes to and fro", sync))
		}
	case sync != "" || len(all) > 1:
		r.group = unique(cmp.Or(sync, r.name), func(n string) bool { _, ok := im.config.Groups[n]; return ok })
		if sync != "" {
			groups[sync] = r.group
		}
		im.config.Groups[r.group] = fsm.Group{Name: r.group, Prefer: prefer, Preempt: preempt}
	}
	for _, m := range r.members {
		if m.sync != nil && r.group != "" {
			m.sync.d.mapped(fmt.Sprintf("group %q", r.group))
			im.made("group."+r.group, m.sync.d, func() { im.removeGroup(r.group) })
		} else if r.group != "" {
			im.made("group."+r.group, m.d, func() { im.removeGroup(r.group) })
		}
	}
	for _, v := range all {
		name := r.name
		if len(all) > 1 {
			name = strings.ReplaceAll(v.prefix.Addr().String(), ":", "-")
		}
		im.vip(r, v, name, prefer, preempt)
	}
	r.settle()
}

// removeGroup takes a group out; its VIPs go by themselves then.
func (im *importer) removeGroup(name string) {
	delete(im.config.Groups, name)
	for k, v := range im.config.VIPs {
		if v.Group == name {
			v.Group = ""
			im.config.VIPs[k] = v
		}
	}
}

// union is the addresses of all members, those of the first one first.
func (r *router) union() []virtual {
	var out []virtual
	seen := map[netip.Addr]bool{}
	for _, m := range r.members {
		for _, v := range m.addresses {
			if !seen[v.prefix.Addr()] {
				seen[v.prefix.Addr()] = true
				out = append(out, v)
			}
		}
	}
	return out
}

// vip makes one VIP.
func (im *importer) vip(r *router, v virtual, name string, prefer []fsm.NodeID, preempt bool) {
	name = unique(name, func(n string) bool { _, ok := im.config.VIPs[n]; return ok })
	vip := fsm.VIP{Name: name, Address: v.prefix, Group: r.group}
	if r.group == "" {
		vip.Prefer, vip.Preempt = prefer, preempt
	}
	links := map[string]bool{}
	for _, m := range r.members {
		own := m.address(v.prefix.Addr())
		if own == nil && v.link == "" {
			links[m.link] = true
		}
		if own != nil {
			links[cmp.Or(own.link, m.link)] = true
			own.d.mapped(fmt.Sprintf("vip %q: address", name))
			im.made("vip."+name, own.d, func() { delete(im.config.VIPs, name) })
		}
	}
	if len(links) == 1 {
		vip.Interface = slices.Collect(maps.Keys(links))[0]
	} else {
		for _, m := range r.members {
			if l := m.said("interface"); l != nil {
				l.settle(Changed, fmt.Sprintf("the directors have different interfaces (%s), so that vip %q names none: each node takes the one that has the subnet", strings.Join(slices.Sorted(maps.Keys(links)), ", "), name),
					"give the address the prefix length of its subnet, if it has not")
			}
		}
	}
	r.vips = append(r.vips, name)
	im.config.VIPs[name] = vip
	im.byAddress[v.prefix.Addr()] = name
}
