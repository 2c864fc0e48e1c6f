package keepalived

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

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

// compare names what the directors do not agree on.
func (r *router) compare(im *importer) {
	first := r.members[0]
	for _, m := range r.members[1:] {
		im.differing(first, m)
		for _, v := range m.addresses {
			if o := first.address(v.prefix.Addr()); o == nil {
				im.contradict(v.d, v.d.line, fmt.Sprintf("%s is not among the addresses of vrrp_instance %s of %s (%s): keepalived drops adverts with another list", v.prefix.Addr(), first.name, first.box.node, first.d.at))
			} else if o.prefix != v.prefix {
				im.contradict(v.d, v.d.line, fmt.Sprintf("%s has it as %s (%s); that one was taken", first.box.node, o.prefix, o.d.at))
			}
		}
		for _, v := range first.addresses {
			if m.address(v.prefix.Addr()) == nil {
				im.contradict(v.d, v.d.line, fmt.Sprintf("%s is not among the addresses of vrrp_instance %s of %s (%s): keepalived drops adverts with another list", v.prefix.Addr(), m.name, m.box.node, m.d.at))
			}
		}
	}
}

func (im *importer) contradict(d *directive, about, what string) {
	around := d.parent
	if d.rule != nil && d.rule.inside != nil && about != d.word && !strings.HasPrefix(about, d.word+" ") {
		around = d // it does not say it at all
	}
	im.add(Finding{Place: d.at, Node: im.nodeOf(d), Class: Mistake, Directive: (&directive{line: about, word: about, parent: around}).path(), What: what, Do: "make the directors agree, then import again"})
}

// nodeOf is the director whose directive it is.
func (im *importer) nodeOf(d *directive) string {
	top := d
	for top.parent != nil {
		top = top.parent
	}
	for _, b := range im.boxes {
		if slices.Contains(b.file.inside, top) {
			return string(b.node)
		}
	}
	return ""
}

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

// order puts the directors of a router by their priorities, and says whether the first takes the address back.
func (im *importer) order(r *router) (prefer []fsm.NodeID, preempt bool) {
	ms := slices.SortedStableFunc(slices.Values(r.members), func(a, b *instance) int { return cmp.Compare(b.priority, a.priority) })
	for j, m := range ms {
		p := m.said("priority")
		if j > 0 && m.priority == ms[j-1].priority {
			at := cmp.Or(p, m.d)
			im.add(Finding{Place: at.at, Node: string(m.box.node), Class: Changed, Directive: at.path(), What: fmt.Sprintf("%s has the same priority, %d: in keepalived the higher IP address wins; the order of the files was taken for prefer", ms[j-1].box.node, m.priority),
				Do: "look whether it is the order that is wanted"})
		}
		prefer = append(prefer, m.box.node)
	}
	if len(ms) == 1 && !im.multiple() {
		if p := ms[0].said("priority"); p != nil {
			p.settle(Changed, fmt.Sprintf("the files of the other directors are not here, so that nobody is preferred; beside keepalived the cluster as a whole has one priority, %d", fsm.DefaultPriority), "give them all, each with --node NAME=FILE, or write prefer by hand")
		}
		return nil, false
	}
	preempt = !ms[0].sticky
	for _, m := range ms[1:] {
		if m.sticky != ms[0].sticky {
			im.contradict(cmp.Or(m.said("nopreempt"), m.d), "nopreempt", fmt.Sprintf("only some directors have nopreempt; what %s says was taken, which has the highest priority", ms[0].box.node))
			break
		}
	}
	return prefer, preempt
}

// absent names routers that not all directors have.
func (im *importer) absent() {
	for _, r := range im.routers {
		for _, b := range im.boxes {
			if !slices.ContainsFunc(r.members, func(m *instance) bool { return m.box == b }) {
				im.add(Finding{Place: r.members[0].d.at, Node: string(r.members[0].box.node), Class: Changed, Directive: r.members[0].d.path(),
					What: fmt.Sprintf("%s has no such instance, and could not own it; here every director may", b.node), Do: "nothing, if it can; otherwise add a node_check that fails there"})
			}
		}
	}
}

// holdDown takes the longest preempt_delay for all.
func (im *importer) holdDown() {
	for _, b := range im.boxes {
		for _, i := range b.instances {
			d := i.said("preempt_delay")
			if d == nil || d.out != nil || i.delay == 0 {
				continue
			}
			hold := clamp(d, "hold_down", max(i.delay, im.config.Settings.HoldDown), time.Second, time.Hour)
			im.config.Settings.HoldDown = hold
			d.settle(Changed, fmt.Sprintf("hold_down = %q is for the whole cluster, and counts from when a node came back after a fence or a VIP failed over", hold), "look whether that will do for all VIPs")
		}
	}
}
