package fsm

import (
	"fmt"
	"slices"
	"strings"
)

// needs is what a VIP asks of the node that is to own it.
type needs struct {
	vip      VIP
	services []Service // on the VIP, by name
	// plane is the setting data_plane under which the services have to be done: a node that is still to change to it is judged
	// by what it will be, else its VIPs would leave it for as long as that takes.
	plane string
	fast  bool // leases are of 40 ms
	vmac  bool // its virtual router has a virtual MAC
	// beside is its virtual router, if that has peers: they take the VIP from a node that does not speak. "" = none.
	beside string
}

// inTime is what is asked of a node but for what may come and go within seconds.
func (n needs) inTime() needs {
	n.beside = ""
	return n
}

// needsOf lists, for each VIP name, what the VIP needs.
func (c Config) needsOf() map[string]needs {
	out := make(map[string]needs, len(c.VIPs))
	for name, v := range c.VIPs {
		out[name] = needs{vip: v, plane: c.Settings.DataPlane, fast: c.Settings.Profile == Fast}
	}
	for _, s := range c.Services {
		for _, name := range s.On() {
			if n, ok := out[name]; ok {
				n.services = append(n.services, s)
				out[name] = n
			}
		}
	}
	for _, r := range c.VirtualRouters() {
		for _, v := range r.VIPs {
			n := out[v.Name]
			n.vmac = r.VMAC
			if len(r.Peers) > 0 {
				n.beside = r.Name
			}
			out[v.Name] = n
		}
	}
	for _, n := range out {
		slices.SortFunc(n.services, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
	}
	return out
}

// misfit says why a node could never own the VIP as things are, or "" when it fits: it is a director, has the interface or
// subnet, and its data plane can do the services.
func (n Node) misfit(need needs) string {
	if n.Role != Director {
		return fmt.Sprintf("%s is a %s", n.ID, n.Role)
	}
	if need.fast {
		if why := n.tooSlow(); why != "" {
			return why
		}
	}
	if _, ok := n.Facts.LinkFor(need.vip.Address.Addr(), need.vip.Interface); !ok {
		if need.vip.Interface != "" {
			return fmt.Sprintf("%s has no interface %s", n.ID, need.vip.Interface)
		}
		return fmt.Sprintf("%s has no interface in the subnet of %s", n.ID, need.vip.Address.Addr())
	}
	if need.vmac && n.Facts.NoVMAC != "" {
		return fmt.Sprintf("%s can have no virtual MAC: %s", n.ID, n.Facts.NoVMAC)
	}
	if need.beside != "" {
		if why := n.Facts.deafTo(need.beside); why != "" {
			return fmt.Sprintf("%s does not speak VRRP for virtual router %s: %s", n.ID, need.beside, why)
		}
	}
	for _, s := range need.services {
		if why := n.Facts.under(need.plane, s).cannot(s); why != "" {
			return fmt.Sprintf("%s cannot do service %s: %s", n.ID, s.Name, why)
		}
		for _, r := range s.Addresses {
			if link, p, near := n.Facts.linkInto(r); near {
				return fmt.Sprintf("%s cannot do service %s: its %s has %v, where neighbours would ask for %v", n.ID, s.Name, link, p, r)
			}
		}
	}
	return ""
}

// cannot says why the node's data plane cannot do the service, or "".
func (f Facts) cannot(s Service) string {
	switch {
	case f.DataPlane == "" || f.DataPlane == "none":
		return "it has no data plane"
	case !slices.Contains(f.Forwards, s.Forward):
		return fmt.Sprintf("its data plane %s cannot forward by %q", f.DataPlane, s.Forward)
	case !slices.Contains(f.Schedulers, s.Scheduler):
		return fmt.Sprintf("its data plane %s has no scheduler %q", f.DataPlane, s.Scheduler)
	case s.Masquerade && f.DataPlane == "ipvs":
		return "its data plane ipvs cannot masquerade"
	}
	if f.lacks(s) != "" {
		return fmt.Sprintf("its data plane %s has no %s", f.DataPlane, f.lacks(s))
	}
	return ""
}

// lacks is the first of the features that the service asks for and the data plane does not have, or "".
func (f Facts) lacks(s Service) string {
	for _, x := range s.Features() {
		if !slices.Contains(f.Features, x) {
			return x
		}
	}
	return ""
}

// under are the facts as they will be, for the service, once the setting data_plane is in force. By "auto" a node stays with
// what it uses, unless that cannot do the service and IPVS can.
func (f Facts) under(dataPlane string, s Service) Facts {
	switch {
	case dataPlane == "ipvs" || dataPlane == "nft":
		return f.with(dataPlane)
	case f.cannot(s) == "":
		return f
	case f.has("ipvs"):
		return f.with("ipvs")
	case f.DataPlane == "none" && f.has("nft"):
		return f.with("nft")
	}
	return f
}

// has reports whether the node could use the data plane.
func (f Facts) has(plane string) bool {
	return slices.ContainsFunc(f.Planes, func(p Plane) bool { return p.Name == plane })
}

// with are the facts of the node when it uses the data plane; they are left as they are where it has said nothing about others.
func (f Facts) with(plane string) Facts {
	if f.DataPlane == plane || len(f.Planes) == 0 {
		return f
	}
	f.DataPlane, f.Forwards, f.Schedulers, f.Features = "none", nil, nil, nil
	for _, p := range f.Planes {
		if p.Name == plane {
			f.DataPlane, f.Forwards, f.Schedulers, f.Features = p.Name, p.Forwards, p.Schedulers, p.Features
		}
	}
	return f
}
