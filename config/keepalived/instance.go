package keepalived

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// instance is a vrrp_instance of one director.
type instance struct {
	box       *box
	d         *directive
	name      string
	link      string
	priority  int
	sticky    bool // nopreempt
	delay     time.Duration
	addresses []virtual
	index     map[netip.Addr]int // into addresses
	adverts   adverts

	advertised *netip.Addr // the first address that is in adverts; nil = none
	sync       *syncGroup
	router     *router
}

// virtual is an address of an instance.
type virtual struct {
	prefix   netip.Prefix
	link     string
	d        *directive
	excluded bool // from adverts
}

// syncGroup is a vrrp_sync_group of one director.
type syncGroup struct {
	box     *box
	d       *directive
	name    string
	members []*instance
}

// readInstances reads the instances and groups of a director.
func (im *importer) readInstances(b *box) {
	blocks, _ := b.named("vrrp_instance")
	fallback := b.global.one("default_interface")
	for _, d := range blocks {
		i := &instance{box: b, d: d, name: d.arg(0)}
		i.read()
		if i.link == "" && fallback != nil {
			i.link = fallback.arg(0)
		}
		if len(i.addresses) > 0 {
			b.instances = append(b.instances, i)
		} else {
			d.leave(Unsupported, "it has no address that could be owned", "add an address, or leave it out")
		}
	}
	if fallback != nil {
		fallback.mapped("vip: interface, of instances without one")
	}
	b.readGroups()
	b.sameRouters()
}

// read settles what the instance says of itself; priority and addresses are settled when the directors' instances are brought together.
func (i *instance) read() {
	d := i.d
	i.priority = 100
	if s := d.one("state"); s != nil {
		if s.arg(0) == "MASTER" {
			i.priority = 255
		}
		s.settle(Ignored, "it is a hint for the start; `prefer` follows the priorities", "")
		if n := d.one("nopreempt"); n != nil && s.arg(0) == "MASTER" {
			n.settle(Mistake, "keepalived leaves nopreempt out where the state is MASTER", "use state BACKUP on all directors, if an address shall stay where it is")
		}
		if n := d.one("preempt_delay"); n != nil && s.arg(0) == "MASTER" {
			n.settle(Mistake, "keepalived leaves preempt_delay out where the state is MASTER", "use state BACKUP")
		}
	}
	if p := d.one("priority"); p != nil {
		i.priority = int(p.number(0))
	}
	if l := d.one("interface"); l != nil {
		i.link = l.arg(0)
	}
	if n := d.one("nopreempt"); n != nil {
		i.sticky = true
		n.settle(Changed, "preempt = false, of the VIPs and of the virtual_router: a director of keepalived that has the addresses keeps them", "take it out of the virtual_router before the takeover, or stop that director then")
	}
	if n := d.one("preempt"); n != nil {
		n.settle(Ignored, "it is the default", "")
	}
	if n := d.one("preempt_delay"); n != nil {
		if i.delay = n.duration(0); i.delay == 0 {
			n.settle(Ignored, "it is the default", "")
		}
		if i.sticky {
			n.settle(Mistake, "keepalived leaves preempt_delay out where there is nopreempt", "take one of them out")
		}
	}
	for _, list := range []string{"virtual_ipaddress", "virtual_ipaddress_excluded"} {
		for _, block := range d.all(list) {
			block.mapped("vip: address")
			for _, e := range block.inside {
				i.readAddress(e, list == "virtual_ipaddress_excluded")
			}
		}
	}
	i.readAdverts()
}

// dropped are the options of addresses that have no setting of ours, with how many values they have.
var dropped = map[string]int{"brd": 1, "broadcast": 1, "scope": 1, "label": 1, "peer": 1, "home": 0, "-nodad": 0, "mngtmpaddr": 0, "noprefixroute": 0, "autojoin": 0,
	"no_track": 0, "preferred_lft": 1, "use_vmac": 0, "track_group": 1}

// readAddress reads one line of the addresses.
func (i *instance) readAddress(e *directive, excluded bool) {
	if e.out != nil {
		return
	}
	p, ok := addressOf(e.arg(0))
	if !ok {
		e.settle(Mistake, fmt.Sprintf("%q is no address with a prefix length", shown(e.arg(0), 60)), "write it like 192.0.2.10/24, then import again")
		return
	}
	if !excluded && i.advertised != nil && i.advertised.Is4() != p.Addr().Is4() {
		e.settle(Mistake, "the addresses of adverts are of one family, and keepalived leaves this one out", "put it into virtual_ipaddress_excluded, or into an instance of its own, then import again")
		return
	}
	v := virtual{prefix: p, d: e, excluded: excluded}
	if a := p.Addr(); !excluded && i.advertised == nil {
		i.advertised = &a
	}
	var lost []string
	for j := 1; j < len(e.args); j++ {
		word := e.args[j]
		n, known := dropped[word]
		switch {
		case word == "dev" && j+1 < len(e.args):
			j++
			v.link = e.args[j]
		case !known:
			e.settle(Mistake, fmt.Sprintf("keepalived knows no option %q of an address", shown(word, 40)), "take it out")
		case j+n >= len(e.args):
			e.settle(Mistake, fmt.Sprintf("%s has no value", word), "correct it")
		default:
			if word != "brd" && word != "broadcast" { // the kernel has the same one without being told
				lost = append(lost, strings.Join(e.args[j:j+n+1], " "))
			}
			j += n
		}
	}
	if len(lost) > 0 {
		e.settle(Unsupported, "an address has a prefix length and an interface alone; left out: "+shown(strings.Join(lost, ", "), 120), "look whether something relies on it")
	}
	if i.address(p.Addr()) != nil {
		e.settle(Mistake, "the address is there twice", "take one out")
		return
	}
	if i.index == nil {
		i.index = map[netip.Addr]int{}
	}
	i.index[p.Addr()] = len(i.addresses)
	i.addresses = append(i.addresses, v)
}

// readGroups reads the sync groups of a director.
func (b *box) readGroups() {
	instances := map[string]*instance{}
	for _, i := range b.instances {
		instances[i.name] = i
	}
	blocks, _ := b.named("vrrp_sync_group")
	for _, d := range blocks {
		g := &syncGroup{box: b, d: d, name: d.arg(0)}
		for _, list := range d.all("group") {
			list.mapped("vip: group")
			for _, e := range list.inside {
				if e.out == nil {
					g.member(e, instances[e.arg(0)])
				}
			}
		}
		if len(g.members) == 0 {
			d.leave(Mistake, "it has no member", "name instances in a block group { } inside it, then import again")
			continue
		}
		b.syncs = append(b.syncs, g)
	}
}

func (g *syncGroup) member(e *directive, i *instance) {
	switch {
	case i == nil:
		e.settle(Mistake, "there is no vrrp_instance of this name that has an address", "correct the name, or take it out")
	case i.sync != nil:
		e.settle(Mistake, "the instance is in a group already, "+i.sync.name, "take it out of one of them")
	default:
		i.sync = g
		g.members = append(g.members, i)
		e.mapped(fmt.Sprintf("vip: group = %q", plain(g.name)))
	}
}

// sameRouters names instances of one director that are the same virtual router on the network.
func (b *box) sameRouters() {
	type key struct {
		link, id string
		four     bool
	}
	seen := map[key]*instance{}
	for _, i := range b.instances {
		id := i.said("virtual_router_id")
		if id == nil || len(i.d.all("unicast_peer")) > 0 {
			continue
		}
		k := key{i.link, id.arg(0), i.addresses[0].prefix.Addr().Is4()}
		if o := seen[k]; o != nil {
			id.settle(Mistake, fmt.Sprintf("vrrp_instance %s has the same number on the same interface (%s)", o.name, o.d.at), "give each its own number")
		}
		seen[k] = i
	}
}

// said is the directive of a name that counts, settled or not: the last one; or the last mistake, where there are only those.
func (i *instance) said(word string) *directive {
	all := i.d.all(word)
	if len(all) == 0 {
		all = i.d.named(word)
	}
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}
