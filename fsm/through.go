package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// The firewall marks that each director gives its own probes through the forwarding path. No service may be by one of them.
const (
	FirstProbeMark uint32 = 0x51800000
	LastProbeMark  uint32 = 0x518fffff
)

// throughFeature is what the facts of a node say that can probe through the forwarding path.
const throughFeature = "through=" + string(ThroughForwarding)

// ChecksThrough reports whether a check of the service goes through the forwarding path.
func (s Service) ChecksThrough() bool {
	return slices.ContainsFunc(s.Checks, func(c Check) bool { return c.Through == ThroughForwarding })
}

// ProbesThrough reports whether the node, as an observer, probes the server through the forwarding path where its service has a check that asks for it. The
// other observers probe the server's own address in place of that, and count while none of these is alive (cluster's verdicts).
//
// Of a service with several VIPs it probes to each that it does not own. The owner of a VIP cannot: the answer would come from one of its own addresses, which it takes for forged. Nor can a node without IPVS, and one that is
// the server.
func ProbesThrough(s *State, server ServerKey, node NodeID) bool {
	return len(ThroughVIPs(s, server, node)) > 0
}

// ThroughVIPs are the VIPs of the server's service to which the node probes it through the forwarding path: those that it does not own.
// Nothing is led to one in shadow: the kernel's table is to be left alone.
func ThroughVIPs(s *State, server ServerKey, node NodeID) (out []VIP) {
	svc, ok := s.Config.Services[server.Service]
	n := s.Nodes[node]
	if !ok || !svc.ChecksThrough() || !n.Facts.probesThrough() || slices.Contains(n.Facts.Addresses, server.Address.Addr()) {
		return nil
	}
	for _, name := range svc.On() {
		vip, ok := s.Config.VIPs[name]
		if ok && !s.Config.Shadows(vip) && s.Assignments[vip.Key()].Owner != node && !slices.Contains(n.Facts.Addresses, vip.Address.Addr()) {
			out = append(out, vip)
		}
	}
	return out
}

func (f Facts) probesThrough() bool { return slices.Contains(f.Features, throughFeature) }

// validateThrough checks what a check through the forwarding path needs of the service.
func (s Service) validateThrough(ps *Problems, service string, transport string) {
	for i, c := range s.Checks {
		object := service + ".check." + strconv.Itoa(i)
		bad := func(what, cure string) { ps.add(object, "through", string(c.Through), what, cure) }
		switch {
		case c.Through == "":
			continue
		case c.Through != ThroughForwarding:
			bad("this is not a known value", `use "forwarding", or leave it out`)
			continue
		case !c.stream():
			bad("a probe through the forwarding path is a TCP connection, and a check of type "+string(c.Type)+" is none here", "leave it out, or add a check of another type")
		case s.OnlyPort() == 0 && c.Port == 0:
			ps.add(object, "port", "0", "a probe through the forwarding path goes to one port of the VIP, and the service is for more", "set the check's port, e.g. port = 80")
		}
		for _, server := range s.Servers {
			if forward, _ := s.Method(server); forward == NAT {
				bad(fmt.Sprintf("server %s gets its connections by nat, which needs nothing of it that a probe of its own address does not show", server.Address),
					`use forward = "dr" or "tun", or leave through out`)
				break
			}
		}
		if transport == SyncMulticast {
			bad(`by multicast the kernels tell each other of the probes' connections, and count them among those of the servers`,
				`use cluster { sync { transport = "relay" } }, or leave through out`)
		}
	}
}

// checkThrough demands a director that can probe through the forwarding path, under the setting data_plane.
func (c Config) checkThrough(ps *Problems, s Service, directors []Node) {
	if len(directors) == 0 || len(s.able(directors, c.Settings.DataPlane)) > 0 {
		return
	}
	var have []string
	for _, n := range directors {
		have = append(have, fmt.Sprintf("%s: data plane %s", n.ID, orNone(n.Facts.under(c.Settings.DataPlane, s).DataPlane)))
	}
	for i, check := range s.Checks {
		if check.Through == ThroughForwarding {
			ps.add("service."+s.Name+".check."+strconv.Itoa(i), "through", string(check.Through),
				fmt.Sprintf("no director can probe so: it takes ipvs (%s)", firstOf(have, "")),
				"leave it out, or load ip_vs on the directors (modprobe ip_vs), which their agents see within a minute")
		}
	}
}

// able are the directors that can probe through the forwarding path when they do not have the VIP.
func (s Service) able(directors []Node, setting string) (out []NodeID) {
	for _, n := range directors {
		if n.Facts.under(setting, s).probesThrough() {
			out = append(out, n.ID)
		}
	}
	return out
}

// WarnNodes are what is accepted in a configuration and does not do what its words say with these nodes.
func (c Config) WarnNodes(nodes map[NodeID]Node) Problems {
	var ps Problems
	directors := directorsOf(nodes)
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		able := s.able(directors, c.Settings.DataPlane)
		for i, check := range s.Checks {
			if check.Through == ThroughForwarding && len(able) == 1 {
				ps.add("service."+name+".check."+strconv.Itoa(i), "through", string(check.Through),
					fmt.Sprintf("%s is the only director that can probe so, and not while it owns vip %s: the servers' own addresses are probed then", able[0], join(s.On(), ", ")),
					"add a director that has ipvs")
			}
		}
	}
	return ps
}
