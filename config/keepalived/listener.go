package keepalived

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"quorate/fsm"
)

// listener is what a virtual server takes on one address or several.
type listener struct {
	addresses []netip.Addr
	ranges    []fsm.AddressRange
	port      uint16
	mark      uint32
	six       bool // of a mark
}

// listeners reads what a virtual server takes.
func (im *importer) listeners(b *box, d *directive, groups map[string]*directive) ([]listener, string) {
	six := d.one("ip_family").arg(0) == "inet6"
	if f := d.one("ip_family"); f != nil {
		f.mapped("vip: that of its family")
	}
	switch d.arg(0) {
	case "fwmark":
		if !number(1, 1<<32-1).ok(d.arg(1)) {
			return nil, "fwmark has no number from 1 to 4294967295"
		}
		for _, r := range d.all("real_server") {
			if a, err := netip.ParseAddr(r.arg(0)); err == nil && a.Is6() {
				six = true
			}
		}
		return []listener{{mark: uint32(d.number(1)), six: six}}, ""
	case "group":
		g := groups[d.arg(1)]
		if g == nil {
			return nil, fmt.Sprintf("there is no virtual_server_group %q", shown(d.arg(1), 60))
		}
		ls := groupListeners(g, six)
		if len(ls) == 0 {
			return nil, "its group has no address and no mark"
		}
		g.mapped("services: vips, addresses, port, fwmark")
		return ls, ""
	}
	a, err := netip.ParseAddr(d.arg(0))
	if err != nil || a.Zone() != "" {
		return nil, fmt.Sprintf("%q is no address, and neither fwmark nor group", shown(d.arg(0), 60))
	}
	if d.arg(1) != "" && !number(0, 65535).ok(d.arg(1)) {
		return nil, fmt.Sprintf("%q is no port", shown(d.arg(1), 60))
	}
	return []listener{{addresses: []netip.Addr{a}, port: uint16(d.number(1))}}, ""
}

// groupListeners reads a virtual_server_group: what has one port and family is one.
func groupListeners(g *directive, six bool) []listener {
	type key struct {
		port uint16
		six  bool
	}
	at := map[key]int{}
	var out []listener
	for _, e := range g.inside {
		if e.out != nil && e.out.Class == Mistake {
			continue
		}
		if e.arg(0) == "fwmark" {
			if !number(1, 1<<32-1).ok(e.arg(1)) {
				e.settle(Mistake, "fwmark has no number from 1 to 4294967295", "correct it, then import again")
				continue
			}
			e.mapped("service: fwmark")
			out = append(out, listener{mark: uint32(e.number(1)), six: six || e.arg(2) == "inet6"})
			continue
		}
		r, ok := rangeOf(e.arg(0))
		if !ok || e.arg(1) != "" && !number(0, 65535).ok(e.arg(1)) {
			e.settle(Mistake, "it is no address, no range of addresses and no fwmark, with a port", "write it like 192.0.2.10 80, 192.0.2.10-20 80 or fwmark 7, then import again")
			continue
		}
		e.mapped("service: vips, addresses, port")
		k := key{uint16(e.number(1)), r.First.Is6()}
		j, known := at[k]
		if !known {
			j = len(out)
			at[k] = j
			out = append(out, listener{port: k.port, six: k.six})
		}
		if r.First == r.Last {
			out[j].addresses = append(out[j].addresses, r.First)
		} else {
			out[j].ranges = append(out[j].ranges, r)
		}
	}
	return out
}

// rangeOf reads an address, ADDRESS-LASTPART, ADDRESS-ADDRESS or ADDRESS/LENGTH.
func rangeOf(s string) (fsm.AddressRange, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if p.IsSingleIP() {
			return fsm.AddressRange{First: p.Addr(), Last: p.Addr()}, true
		}
		r, err := fsm.ParseAddressRange(p.Masked().String())
		r.First = p.Addr()
		return r, err == nil
	}
	first, last, isRange := strings.Cut(s, "-")
	a, err := netip.ParseAddr(first)
	if err != nil || a.Zone() != "" {
		return fsm.AddressRange{}, false
	}
	if !isRange {
		return fsm.AddressRange{First: a, Last: a}, true
	}
	z, err := netip.ParseAddr(last)
	if err != nil {
		sep := "."
		if a.Is6() {
			sep = ":"
		}
		i := strings.LastIndex(first, sep)
		if i < 0 {
			return fsm.AddressRange{}, false
		}
		z, err = netip.ParseAddr(first[:i+1] + last)
	}
	if err != nil || z.Is4() != a.Is4() || z.Less(a) {
		return fsm.AddressRange{}, false
	}
	return fsm.AddressRange{First: a, Last: z}, true
}

// listen gives a service its VIPs, port, mark and name; false when it cannot be told which VIP a mark belongs to.
func (im *importer) listen(x *built, l listener) bool {
	s := &x.service
	if l.mark != 0 {
		s.Mark, s.Protocol = l.mark, ""
		x.parts = []string{"fwmark", strconv.FormatUint(uint64(l.mark), 10)}
		if l.six {
			x.parts = append(x.parts, "ipv6")
		}
		s.VIP = im.markVIP(l.six)
		if s.VIP == "" {
			return false
		}
		x.d.settle(Changed, fmt.Sprintf("service %q: vip = %q says which node balances the mark", strings.Join(x.parts, "-"), s.VIP), "look whether that is the address that the packets are for")
		return true
	}
	s.Port = l.port
	for _, a := range l.addresses {
		s.VIPs = append(s.VIPs, im.vipOf(a, x))
	}
	for _, r := range l.ranges {
		x.rangeOf(im, r)
	}
	slices.Sort(s.VIPs)
	if len(s.VIPs) == 0 { // a range of addresses needs one that the network routes them to
		if v := im.markVIP(l.six); v != "" {
			s.VIPs = []string{v}
			x.d.settle(Changed, fmt.Sprintf("the addresses of the group are none of a VIP: vip %q, the first of its family, says which node balances them; the network has to route them there", v), "look whether it does")
		} else if len(l.ranges) > 0 {
			s.VIPs = []string{im.vipOf(l.ranges[0].First, x)}
		}
	}
	first := netip.Addr{}
	if len(l.addresses) > 0 {
		first = l.addresses[0]
	} else {
		first = l.ranges[0].First
	}
	x.parts = []string{string(s.Protocol), strings.ReplaceAll(first.String(), ":", "-"), strconv.Itoa(int(l.port))}
	if x.d.arg(0) == "group" {
		x.parts = []string{x.d.arg(1), string(s.Protocol), strconv.Itoa(int(l.port))}
	}
	if len(s.VIPs) == 1 && len(s.Addresses) == 0 {
		s.VIP, s.VIPs = s.VIPs[0], nil
	} else if s.Port == 0 {
		s.Ports = []fsm.PortRange{{}}
	} else {
		s.Ports, s.Port = []fsm.PortRange{{From: s.Port, To: s.Port}}, 0
	}
	return true
}

// maxSpread is how many addresses of a range become VIPs of the service one by one.
const maxSpread = 256

// rangeOf adds a range: those of its addresses that are VIPs, or all of it as addresses that the network routes.
func (x *built) rangeOf(im *importer, r fsm.AddressRange) {
	var vips []string
	n, a := 0, r.First
	for ; n < maxSpread; n++ {
		if v := im.known(a); v != "" {
			vips = append(vips, v)
		}
		if a == r.Last {
			break
		}
		a = a.Next()
	}
	if len(vips) == n+1 {
		x.service.VIPs = append(x.service.VIPs, vips...)
		return
	}
	x.service.Addresses = append(x.service.Addresses, r)
	x.d.settle(Changed, "a range of addresses that are no VIPs: the network has to route them to the owner of the VIP", "look whether it does")
}

// known is the VIP of an address, or "".
func (im *importer) known(a netip.Addr) string {
	return im.byAddress[a]
}

// vipOf is the VIP of an address; it is made where no instance has it.
func (im *importer) vipOf(a netip.Addr, x *built) string {
	if v := im.known(a); v != "" {
		return v
	}
	name := unique(strings.ReplaceAll(a.String(), ":", "-"), func(n string) bool { _, ok := im.config.VIPs[n]; return ok })
	im.config.VIPs[name] = fsm.VIP{Name: name, Address: netip.PrefixFrom(a, a.BitLen())}
	im.byAddress[a] = name
	im.made("vip."+name, x.d, func() { delete(im.config.VIPs, name) })
	im.add(Finding{Place: x.d.at, Node: string(x.box.node), Class: Changed, Directive: x.d.path(), What: fmt.Sprintf("no vrrp_instance has the address: vip %q was made for it", name),
		Do: "give it the prefix length of its subnet; if it has to move together with others, put it into their group"})
	return name
}

// markVIP is the VIP that says which node balances a mark: the first of a family, if all of that family move together.
func (im *importer) markVIP(six bool) string {
	best, groups := "", map[string]bool{}
	for _, name := range sortedKeys(im.config.VIPs) {
		v := im.config.VIPs[name]
		if v.Address.Addr().Is6() != six {
			continue
		}
		best = cmp.Or(best, name)
		groups[cmp.Or("group "+v.Group, "vip "+name)] = true
		if v.Group == "" {
			groups["vip "+name] = true
			delete(groups, "group ")
		}
	}
	if len(groups) != 1 {
		return ""
	}
	return best
}
