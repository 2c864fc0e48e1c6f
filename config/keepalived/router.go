package keepalived

import (
	"fmt"
	"net/netip"
	"slices"

	"quorate/fsm"
)

// router is a virtual router: the instances of several directors that are one.
type router struct {
	name    string
	members []*instance // by director
	group   string      // of ours; "" = none
	vips    []string    // names of ours
	speaks  string      // name of its virtual_router; "" = none
}

// unite brings the instances of the directors together, and makes VIPs and groups of them.
func (im *importer) unite() error {
	names := map[string][]*router{}
	for _, b := range im.boxes {
		for _, i := range b.instances {
			r := im.routerOf(i, names[i.name])
			if r == nil {
				r = &router{name: i.name}
				im.routers = append(im.routers, r)
				names[i.name] = append(names[i.name], r)
			}
			r.members, i.router = append(r.members, i), r
			for _, v := range i.addresses {
				if a := v.prefix.Addr(); !slices.Contains(im.routersOf[a], r) {
					im.routersOf[a] = append(im.routersOf[a], r)
				}
			}
		}
	}
	if n := len(im.routers); n > fsm.MaxVIPs {
		return fmt.Errorf("%s: there are %d instances, more than the limit of %d VIPs: make several clusters", im.boxes[0].reader.first, n, fsm.MaxVIPs)
	}
	if n := len(im.routersOf); n > fsm.MaxVIPs {
		return fmt.Errorf("%s: the instances have %d addresses, more than the limit of %d: make several clusters", im.boxes[0].reader.first, n, fsm.MaxVIPs)
	}
	groups := map[string]string{} // by the name of a sync group
	for _, r := range im.routers {
		r.compare(im)
		im.place(r, groups)
		im.speak(r)
	}
	im.absent()
	im.holdDown()
	return nil
}

// routerOf finds the virtual router that an instance belongs to: the one with one of its addresses, else the one of its name.
func (im *importer) routerOf(i *instance, named []*router) *router {
	free := func(r *router) bool {
		return !slices.ContainsFunc(r.members, func(m *instance) bool { return m.box == i.box })
	}
	for _, v := range i.addresses {
		for _, r := range im.routersOf[v.prefix.Addr()] {
			if free(r) {
				return r
			}
		}
	}
	for _, r := range named {
		if free(r) {
			return r
		}
	}
	return nil
}

func (i *instance) address(a netip.Addr) *virtual {
	if j, ok := i.index[a]; ok {
		return &i.addresses[j]
	}
	return nil
}

// target names what the router has become, for messages.
func (r *router) target() string {
	if r.group != "" {
		return fmt.Sprintf("group %q", r.group)
	}
	return fmt.Sprintf("vip %q", r.vips[0])
}

// settle says what the members have become.
func (r *router) settle() {
	for _, m := range r.members {
		m.d.mapped(r.target())
		if l := m.said("interface"); l != nil {
			l.mapped("vip: interface")
		}
		if p := m.said("priority"); p != nil {
			p.mapped(r.target() + ": prefer") // unless there is more to say of it
		}
	}
}
