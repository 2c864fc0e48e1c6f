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
}

// needsOf lists, for each VIP name, what the VIP needs.
func (c Config) needsOf() map[string]needs {
	out := make(map[string]needs, len(c.VIPs))
	for name, v := range c.VIPs {
		out[name] = needs{vip: v}
	}
	for _, s := range c.Services {
		if n, ok := out[s.VIP]; ok {
			n.services = append(n.services, s)
			out[s.VIP] = n
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
	if _, ok := n.Facts.LinkFor(need.vip.Address.Addr(), need.vip.Interface); !ok {
		if need.vip.Interface != "" {
			return fmt.Sprintf("%s has no interface %s", n.ID, need.vip.Interface)
		}
		return fmt.Sprintf("%s has no interface in the subnet of %s", n.ID, need.vip.Address.Addr())
	}
	for _, s := range need.services {
		if why := n.Facts.cannot(s); why != "" {
			return fmt.Sprintf("%s cannot do service %s: %s", n.ID, s.Name, why)
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
	return ""
}

// under are the facts as they will be once the setting data_plane is in force: nftables is there wherever we run, and
// forwards by nat only. Whether a node that uses nftables has IPVS, and with which schedulers, only the node can tell;
// that IPVS cannot masquerade is certain.
func (f Facts) under(dataPlane string, s Service) Facts {
	switch {
	case dataPlane == "nft" && f.DataPlane == "ipvs":
		f.DataPlane, f.Forwards = "nft", []Forward{NAT}
	case dataPlane == "ipvs" && f.DataPlane == "nft" && s.Masquerade:
		f.DataPlane = "ipvs"
	}
	return f
}
