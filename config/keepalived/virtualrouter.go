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
		VMAC: a.vmac, Checksum: a.checksum, NoPreempt: sticky, Peers: im.peers(r)}
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

// outrank says what priority the cluster has beside the directors.
func (im *importer) outrank(r *router) {
	most := slices.MaxFunc(r.members, func(a, b *instance) int { return cmp.Compare(a.most(), b.most()) })
	beside := fmt.Sprintf("beside keepalived the cluster as a whole has one priority, that of the virtual_router: %d", fsm.DefaultPriority)
	wrong, do := "", "see that it comes to 253 or less before the cluster is to take over"
	switch most.most() {
	case 255:
		wrong = beside + "; this director has 255, with which it never gives way"
	case fsm.DefaultPriority:
		wrong = beside + "; this director comes to as much, with its weights, and of two equal ones the higher address has the VIPs"
	default:
		beside += fmt.Sprintf(", above those of the directors, which come to %d at most", most.most())
	}
	for _, m := range r.members {
		switch p := m.said("priority"); {
		case !im.multiple(): // said where it stands
		case p != nil:
			p.settle(Changed, "it is for the order in prefer; "+beside, "")
		default:
			im.add(Finding{Place: m.d.at, Node: string(m.box.node), Class: Changed, Directive: m.d.path(), What: fmt.Sprintf("it says no priority, which makes %d; %s", m.priority, beside)})
		}
	}
	if wrong != "" {
		at := cmp.Or(most.said("priority"), most.d)
		im.add(Finding{Place: at.at, Node: string(most.box.node), Class: Changed, Directive: at.path(), What: wrong, Do: do})
	}
}

// most is the highest priority that the instance comes to, with all weights that could raise it.
func (i *instance) most() int {
	n := i.priority
	if n == 255 {
		return n
	}
	from := []*directive{i.d}
	if i.sync != nil {
		from = append(from, i.sync.d)
	}
	for _, d := range from {
		for _, list := range []string{"track_interface", "track_script", "track_file", "track_process", "track_bfd"} {
			for _, block := range d.all(list) {
				for _, e := range block.inside {
					n += i.box.gain(list, e)
				}
			}
		}
	}
	return min(n, fsm.DefaultPriority)
}

// gain is how much a line of a track block may add to a priority.
func (b *box) gain(list string, e *directive) int {
	u, wrong := readUse(e)
	if wrong != "" {
		return 0
	}
	weight, turned := 0, false
	for _, kind := range trackerKinds {
		if kind.list != list {
			continue
		}
		_, byName := b.named(kind.block)
		d := byName[e.arg(0)]
		if d == nil {
			return 0
		}
		weight = kind.weight
		if w := d.one("weight"); w != nil {
			weight, turned = int(w.number(0)), w.arg(1) == "reverse"
		}
	}
	if u.weight != nil {
		weight = *u.weight
	}
	if u.turned != nil {
		turned = *u.turned
	}
	switch {
	case list == "track_file" && weight != 0: // times what is in the file
		return fsm.DefaultPriority
	case turned:
		return max(-weight, 0)
	}
	return max(weight, 0)
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

// hurried takes the quicker profile, where the adverts of a virtual router follow each other too quickly for the usual one and not for that.
func (im *importer) hurried(problems fsm.Problems) bool {
	slow := func(ps fsm.Problems) map[string]bool {
		out := map[string]bool{}
		for _, p := range ps {
			if strings.HasPrefix(p.Object, "virtual_router.") && p.Key == "interval" {
				out[p.Object] = true
			}
		}
		return out
	}
	usual := im.config.Settings.Profile
	before := slow(problems)
	if len(before) == 0 || usual == fsm.Fast {
		return false
	}
	im.config.Settings.Profile = fsm.Fast
	after := slow(im.config.Validate())
	if len(after) == len(before) {
		im.config.Settings.Profile = usual
		return false
	}
	for _, object := range sortedKeys(before) {
		o := im.objects[object]
		if after[object] || o == nil {
			continue
		}
		for _, d := range o.from {
			if d.word == "advert_int" {
				d.settle(Changed, `virtual_router: interval; others would take over while the cluster does, unless it is quicker: profile = "fast" was taken for it`,
					"look whether the nodes and their network are fit for that profile, or use longer intervals on all directors")
			}
		}
	}
	return true
}
