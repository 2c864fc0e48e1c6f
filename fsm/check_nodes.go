package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// CheckNodes checks what only the nodes can tell: that some director that is not leaving has the subnet of each VIP, that
// a data plane can do each service, that one node fits all VIPs of a group, that no node is reached at a VIP's address, and
// that preferred nodes exist. Apply does not ask for it, because nodes come and go; whoever proposes a configuration does.
func (c Config) CheckNodes(nodes map[NodeID]Node) Problems {
	var ps Problems
	var directors []Node
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		if n := nodes[id]; n.Role == Director && !n.Leaving {
			directors = append(directors, n)
		}
	}
	all := c.needsOf()
	if c.Settings.Profile == Fast {
		// Leases of 40 ms leave some 6 ms between the end of a lease and the next owner: not for a thread that may be held up.
		ps.add("cluster", "profile", string(Fast), "this version has no real-time lease thread, without which leases of 40 ms are not safe", `use "lan"`)
	}
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		v := c.VIPs[name]
		c.checkSubnet(&ps, v, directors)
		checkFree(&ps, v, nodes)
		checkPrefer(&ps, "vip."+name, v.Prefer, nodes)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		checkPrefer(&ps, "group."+name, c.Groups[name].Prefer, nodes)
		checkTogether(&ps, name, all, directors)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		if v, ok := c.VIPs[s.VIP]; ok {
			checkPlane(&ps, s, v, directors, c.Settings.DataPlane)
		}
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

// checkFree refuses the address at which a node is reached: its owner would answer for that node.
func checkFree(ps *Problems, v VIP, nodes map[NodeID]Node) {
	if v.Network != "" {
		return // which may be another one than that of the nodes
	}
	for _, id := range slices.Sorted(maps.Keys(nodes)) {
		at, err := netip.ParseAddrPort(nodes[id].Addr)
		if err == nil && at.Addr().Unmap() == v.Address.Addr() {
			ps.add("vip."+v.Name, "address", v.Address.String(), fmt.Sprintf("node %s is reached at this address", id),
				"use an address that no machine has")
		}
	}
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
	var forwards, schedulers, masquerades []string
	for _, n := range here {
		f := n.Facts.under(setting, s)
		if f.cannot(s) == "" {
			return
		}
		plane := f.DataPlane
		if plane == "" {
			plane = "none"
		}
		if !slices.Contains(f.Forwards, s.Forward) {
			forwards = append(forwards, fmt.Sprintf("%s: data plane %s can do %s", n.ID, plane, orNone(join(f.Forwards, ", "))))
		}
		if !slices.Contains(f.Schedulers, s.Scheduler) {
			schedulers = append(schedulers, fmt.Sprintf("%s: data plane %s can do %s", n.ID, plane, orNone(strings.Join(f.Schedulers, ", "))))
		}
		if s.Masquerade && plane == "ipvs" {
			masquerades = append(masquerades, fmt.Sprintf("%s: data plane ipvs", n.ID))
		}
	}
	load := "load ip_vs on a director (modprobe ip_vs) and restart its agent"
	if setting == "nft" {
		load = `apply data_plane = "ipvs" alone first, once ip_vs is loaded (modprobe ip_vs)`
	}
	if len(forwards) == len(here) {
		ps.add(object, "forward", string(s.Forward), fmt.Sprintf("no director that can have vip %s can forward like this (%s)", v.Name, firstOf(forwards, "")),
			`use forward = "nat", or `+load)
		return
	}
	if len(masquerades) == len(here) {
		ps.add(object, "masquerade", "true", fmt.Sprintf("no director that can have vip %s can masquerade (%s)", v.Name, firstOf(masquerades, "")),
			`set data_plane = "nft", or leave masquerade out and route the servers' replies through the director`)
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
			members = append(members, all[name])
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
