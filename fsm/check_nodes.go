package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// fastCure is how nodes come to be able to have leases of 40 ms.
const fastCure = `give the agents CAP_SYS_NICE and what the kernel's gate needs (quorate node show says what is missing), or use profile = "lan"`

// tooSlow says why the node cannot be part of a cluster whose leases last 40 ms, or "". Its lease's thread must not wait for
// what else runs there, 8 ms being all that it has; and what closes an address when a lease has ended must do so within the
// margin of 1 ms: only the gate that compares clocks for each packet does.
func (n Node) tooSlow() string {
	switch f := n.Facts; {
	case f.LeaseThread != "deadline":
		return fmt.Sprintf("%s: its lease's thread is scheduled as %s, not as deadline", n.ID, cmp.Or(f.LeaseThread, "nobody knows"))
	case n.Role == Director && f.Fence != "bpf":
		return fmt.Sprintf("%s: its fence is %s, not bpf", n.ID, cmp.Or(f.Fence, "not known"))
	}
	return ""
}

// directorsOf are the directors that are not leaving, by name.
func directorsOf(nodes map[NodeID]Node) (out []Node) {
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		if n := nodes[id]; n.Role == Director && !n.Leaving {
			out = append(out, n)
		}
	}
	return out
}

// CheckNodes checks what only the nodes can tell: that some director that is not leaving has the subnet of each VIP, that
// a data plane can do each service, that one node fits all VIPs of a group, that no machine has a VIP's address, that
// none could get one address on two networks, and that preferred nodes exist. Apply does not ask for it, because nodes come
// and go; whoever proposes a configuration does.
func (c Config) CheckNodes(nodes map[NodeID]Node) Problems {
	var ps Problems
	directors := directorsOf(nodes)
	all, same, servers := c.needsOf(), c.byAddress(), c.serversAt()
	if c.Settings.Profile == Fast {
		var slow []string
		for _, id := range slices.Sorted(maps.Keys(nodes)) {
			if n := nodes[id]; !n.Leaving && n.tooSlow() != "" {
				slow = append(slow, n.tooSlow())
			}
		}
		if len(slow) > 0 {
			ps.add("cluster", "profile", string(Fast), fmt.Sprintf("leases of 40 ms are not for every node here (%s)", firstOf(slow, "")), fastCure)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		v := c.VIPs[name]
		c.checkSubnet(&ps, v, directors)
		c.checkFree(&ps, v, nodes)
		checkServers(&ps, v, servers[v.Address.Addr()])
		for _, n := range directors {
			if other, twice := twin(v, n, same[v.Address.Addr()]); twice && other.Name < name {
				ps.add("vip."+name, "address", v.Address.String(),
					fmt.Sprintf("vip %s has the same address on another network, and %s could get both, of which it can carry one", other.Name, n.ID),
					"give one of them another address, or name an interface that "+string(n.ID)+" does not have")
				break
			}
		}
		checkPrefer(&ps, "vip."+name, v.Prefer, nodes)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		checkPrefer(&ps, "group."+name, c.Groups[name].Prefer, nodes)
		checkTogether(&ps, name, all, directors)
	}
	c.checkRouters(&ps, nodes, directors)
	c.checkNodeChecks(&ps, nodes)
	if len(c.Services) > 0 && !checkSetting(&ps, c.Settings.DataPlane, directors) {
		return ps // the services would be judged by a data plane that nobody has
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		checkRouted(&ps, s, nodes)
		for _, vip := range s.On() {
			before := len(ps)
			if v, ok := c.VIPs[vip]; ok {
				checkPlane(&ps, s, v, directors, c.Settings.DataPlane)
			}
			if len(ps) > before {
				break // the others are on such directors, too
			}
		}
		c.checkThrough(&ps, s, directors)
	}
	return ps
}

func (c Config) checkSubnet(ps *Problems, v VIP, directors []Node) {
	for _, n := range directors {
		if n.misfit(needs{vip: v}) == "" {
			return
		}
	}
	var have []string
	for _, n := range directors {
		links := linksText(n.Facts.Links)
		if links == "" {
			links = "no interfaces"
		}
		have = append(have, fmt.Sprintf("%s: %s", n.ID, links))
	}
	seen := firstOf(have, "there are no directors")
	if v.Interface != "" {
		ps.add("vip."+v.Name, "interface", v.Interface, fmt.Sprintf("no director has this interface (%s)", seen),
			"correct the name, or leave it out to use the interface that has the subnet")
		return
	}
	ps.add("vip."+v.Name, "address", v.Address.String(), fmt.Sprintf("the address is outside the subnets of every director (%s)", seen),
		`correct the address, give an interface of a director an address in that subnet, or name the interface: interface = "eth0"`)
}

// checkFree refuses an address that a machine of the cluster has.
func (c Config) checkFree(ps *Problems, v VIP, nodes map[NodeID]Node) {
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		if what, cure := c.claims(nodes[id], v); what != "" {
			ps.add("vip."+v.Name, "address", v.Address.String(), what, cure)
		}
	}
}

// claims is Node.claims. A VIP in shadow takes nothing over: what has its address now may be on a node.
func (c Config) claims(n Node, v VIP) (what, cure string) {
	if c.Shadows(v) {
		n.Facts.Addresses = nil
	}
	return n.claims(v)
}

// claims says why the VIP cannot have its address because of the node, and the cure; or "".
//
// The owner of the address at which a node is reached would answer for that node, and could not reach it, whatever the
// network is called. An address that a node has besides matters where the VIP is: on any network, when the VIP names none;
// else on the nodes that can carry it. There the VIP would take the node's own address over, and remove it when it moves.
// A link-local one is on another link, perhaps; but what closes addresses knows them without their links.
func (n Node) claims(v VIP) (what, cure string) {
	if at, err := netip.ParseAddrPort(n.Addr); err == nil && at.Addr().Unmap() == v.Address.Addr() {
		return fmt.Sprintf("node %s is reached at this address", n.ID), "use an address that no machine has"
	}
	if slices.Contains(n.Facts.Addresses, v.Address.Addr()) && (v.Network == "" || n.misfit(needs{vip: v}) == "") {
		what = fmt.Sprintf("node %s has this address for itself", n.ID)
		if v.Address.Addr().IsLinkLocalUnicast() { // fe80::1 on a bridge
			what += " (on whichever link: a director that does not own the VIP drops what comes from the address or goes to it on all of them)"
		}
		return what, fmt.Sprintf("use an address that no machine has, or remove it from %s (ip address del) and try again some seconds later", n.ID)
	}
	return "", ""
}

// twin finds one of the VIPs with the address of v that is on another network that the node could get as well as v. A host has an address once:
// its neighbours on the other network would be answered from the wrong link.
func twin(v VIP, n Node, same []VIP) (VIP, bool) {
	for _, o := range same {
		if o.Network != v.Network && n.misfit(needs{vip: v}) == "" && n.misfit(needs{vip: o}) == "" {
			return o, true
		}
	}
	return VIP{}, false
}

// byAddress lists the VIPs of each address, by name.
func (c Config) byAddress() map[netip.Addr][]VIP {
	out := make(map[netip.Addr][]VIP, len(c.VIPs))
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		v := c.VIPs[name]
		out[v.Address.Addr()] = append(out[v.Address.Addr()], v)
	}
	return out
}

// CheckJoin says why a node must not become a member: it has the address of a VIP, or could get it on two networks. Such an error matches ErrInvalid.
func (c Config) CheckJoin(n Node) error {
	if why := n.tooSlow(); c.Settings.Profile == Fast && why != "" {
		return fmt.Errorf("%w: profile = %q has leases of 40 ms, and %s; %s", ErrInvalid, Fast, why, fastCure)
	}
	same := c.byAddress()
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		v := c.VIPs[name]
		if what, _ := c.claims(n, v); what != "" {
			return fmt.Errorf("%w: %s, and vip %s has it (%s); give %s another address, or the VIP", ErrInvalid, what, name, v.Address, n.ID)
		}
		if other, twice := twin(v, n, same[v.Address.Addr()]); twice {
			return fmt.Errorf("%w: %s could get %s twice, as vip %s and vip %s on another network, and can carry it once; "+
				"name interfaces for them of which %s has one only", ErrInvalid, n.ID, v.Address.Addr(), name, other.Name, n.ID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		for _, r := range c.Services[name].Addresses {
			if what, _ := n.has(r); what != "" {
				return fmt.Errorf("%w: %s, and service %s takes what is sent to %v; give %s another address or network, or the service others", ErrInvalid, what, name, r, n.ID)
			}
		}
	}
	return nil
}

// checkServers refuses the address of a real server: the VIP's owner would keep the traffic for that server to itself.
func checkServers(ps *Problems, v VIP, servers []ServerKey) {
	if len(servers) > 0 {
		ps.add("vip."+v.Name, "address", v.Address.String(), fmt.Sprintf("service %s has a server at this address, %s", servers[0].Service, servers[0].Address),
			"use an address that no machine has, or name the server's own address there")
	}
}

// serversAt lists the servers of each address, by service, without those at the address of a VIP of their own service,
// which Validate has refused.
func (c Config) serversAt() map[netip.Addr][]ServerKey {
	out := map[netip.Addr][]ServerKey{}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		for _, server := range s.Servers {
			a := server.Address.Addr()
			if !slices.ContainsFunc(s.On(), func(vip string) bool { return a == c.VIPs[vip].Address.Addr() }) {
				out[a] = append(out[a], ServerKey{Service: name, Address: server.Address})
			}
		}
	}
	return out
}

func checkPrefer(ps *Problems, object string, prefer []NodeID, nodes map[NodeID]Node) {
	for _, id := range prefer {
		n, ok := nodes[id]
		switch {
		case !ok:
			ps.add(object, "prefer", string(id), fmt.Sprintf("there is no such node (members: %s)", join(slices.Sorted(maps.Keys(nodes)), ", ")),
				"correct the name, or join the node first")
		case n.Role != Director:
			ps.add(object, "prefer", string(id), fmt.Sprintf("the node is a %s, which owns no VIPs", n.Role), "prefer directors only")
		}
	}
}

// checkSetting demands a director that has the data plane which the setting names.
func checkSetting(ps *Problems, setting string, directors []Node) bool {
	if len(directors) == 0 || setting != "ipvs" && setting != "nft" {
		return true
	}
	var have []string
	for _, n := range directors {
		if n.Facts.with(setting).DataPlane == setting || len(n.Facts.Planes) == 0 {
			return true
		}
		var names []string
		for _, p := range n.Facts.Planes {
			names = append(names, p.Name)
		}
		have = append(have, fmt.Sprintf("%s has %s", n.ID, orNone(strings.Join(names, ", "))))
	}
	cure := `use "auto", or update the kernel of a director (nf_tables)`
	if setting == "ipvs" {
		cure = `use "auto", or load ip_vs on a director (modprobe ip_vs), which its agent sees within a minute`
	}
	ps.add("cluster", "data_plane", setting, fmt.Sprintf("no director has it (%s)", firstOf(have, "")), cure)
	return false
}

// checkPlane demands a director that has the VIP's subnet and can do the service.
func checkPlane(ps *Problems, s Service, v VIP, directors []Node, setting string) {
	object := "service." + s.Name
	var here []Node // can carry the VIP
	for _, n := range directors {
		if n.misfit(needs{vip: v}) == "" {
			here = append(here, n)
		}
	}
	if len(here) == 0 {
		return // the VIP's own problem
	}
	const route = `set data_plane = "nft", or leave masquerade out and route the servers' replies through the director`
	if s.Masquerade && setting == "ipvs" {
		ps.add(object, "masquerade", "true", "the data plane ipvs cannot masquerade", route)
		return
	}
	var forwards, schedulers, masquerades, lacks []string
	lacking := ""
	for _, n := range here {
		f := n.Facts.under(setting, s)
		if f.cannot(s) == "" {
			return
		}
		plane := cmp.Or(f.DataPlane, "none")
		if !slices.Contains(f.Forwards, s.Forward) {
			forwards = append(forwards, fmt.Sprintf("%s: data plane %s can do %s", n.ID, plane, orNone(join(f.Forwards, ", "))))
		}
		if !slices.Contains(f.Schedulers, s.Scheduler) {
			schedulers = append(schedulers, fmt.Sprintf("%s: data plane %s can do %s", n.ID, plane, orNone(strings.Join(f.Schedulers, ", "))))
		}
		if x := f.lacks(s); x != "" {
			lacking = x
			lacks = append(lacks, fmt.Sprintf("%s: data plane %s has %s", n.ID, plane, orNone(strings.Join(f.Features, ", "))))
		}
		if s.Masquerade && plane == "ipvs" {
			masquerades = append(masquerades, fmt.Sprintf("%s: data plane ipvs", n.ID))
		}
	}
	load := "load ip_vs on a director (modprobe ip_vs), which its agent sees within a minute"
	if setting == "nft" {
		load = `set data_plane = "ipvs", where ip_vs is loaded (modprobe ip_vs)`
	}
	if len(forwards) == len(here) {
		ps.add(object, "forward", string(s.Forward), fmt.Sprintf("no director that can have vip %s can forward like this (%s)", v.Name, firstOf(forwards, "")),
			`use forward = "nat", or `+load)
		return
	}
	if len(masquerades) == len(here) {
		ps.add(object, "masquerade", "true", fmt.Sprintf("no director that can have vip %s can masquerade (%s)", v.Name, firstOf(masquerades, "")), route)
		return
	}
	if len(lacks) == len(here) {
		key, value, _ := strings.Cut(lacking, "=")
		cure := "leave it out, or " + load
		if key == "ports" || key == "addresses" {
			key, value = s.compoundBy(key)
			cure = "make a service of each port of each VIP, or give a director a kernel whose nftables marks packets by ranges (Linux 5.6 and later: modprobe nf_tables)"
		}
		ps.add(object, key, cmp.Or(value, "true"), fmt.Sprintf("no director that can have vip %s can do this (%s)", v.Name, firstOf(lacks, "")), cure)
		return
	}
	if len(schedulers) == 0 {
		schedulers = forwards
	}
	ps.add(object, "scheduler", s.Scheduler, fmt.Sprintf("no director that can have vip %s can schedule like this (%s)", v.Name, firstOf(schedulers, "")),
		`use another scheduler, like "rr", or `+load)
}

// checkTogether demands a director that fits all VIPs of a group, unless one of them fits nowhere anyway.
func checkTogether(ps *Problems, group string, all map[string]needs, directors []Node) {
	var members []needs
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name].vip.Group == group {
			members = append(members, all[name].inTime())
		}
	}
	var reasons []string
	for _, n := range directors {
		why := ""
		for _, need := range members {
			if why = n.misfit(need); why != "" {
				break
			}
		}
		if why == "" {
			return
		}
		reasons = append(reasons, why)
	}
	for _, need := range members {
		if !slices.ContainsFunc(directors, func(n Node) bool { return n.misfit(need) == "" }) {
			return
		}
	}
	if len(members) > 0 && len(directors) > 0 {
		ps.add("group."+group, "", "", fmt.Sprintf("no director fits all of its VIPs (%s)", firstOf(reasons, "")), "split the group, or give a director what it lacks")
	}
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// firstOf is the first few of a list as text, or what to say when it is empty.
func firstOf(list []string, empty string) string {
	const shown = 5
	if len(list) == 0 {
		return empty
	}
	if len(list) > shown {
		return strings.Join(list[:shown], "; ") + fmt.Sprintf("; and %d more", len(list)-shown)
	}
	return strings.Join(list, "; ")
}
