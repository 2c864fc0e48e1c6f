package agent

import (
	"maps"
	"net/netip"
	"slices"

	"quorate/agent/survey"
	"quorate/fsm"
	"quorate/vip"
	"quorate/vip/vrrp"
)

// KnownHere is what a configuration says of the links of this machine, for who listens there: its virtual routers as a director would run them, and the VIPs without one. nodes are
// the names of the cluster's nodes by the addresses that they send from. It needs no agent on this machine.
func KnownHere(cluster string, c fsm.Config, nodes map[netip.Addr]string) (survey.Known, error) {
	links, err := vip.Links()
	if err != nil {
		return survey.Known{}, err
	}
	var here fsm.Facts
	for _, l := range links {
		here.Links = append(here.Links, fsm.Link{Name: l.Name, Prefixes: l.Prefixes})
	}
	k := survey.Known{Cluster: cluster, Nodes: nodes, Alone: map[netip.Addr]string{}}
	for name, v := range c.VIPs {
		if v.RouterName() == "" {
			k.Alone[v.Address.Addr()] = name
		}
	}
	for _, r := range c.VirtualRouters() {
		if len(r.VIPs) == 0 {
			continue
		}
		l := fsm.LocalRouter{Router: r}
		l.Link, _ = here.LinkFor(r.VIPs[0].Address.Addr(), r.VIPs[0].Interface)
		id, ok := routerID(l)
		i := slices.IndexFunc(links, func(x vip.Link) bool { return x.Name == l.Link })
		if !ok || i < 0 {
			continue
		}
		want := wantedRouter(id, r, slices.Collect(maps.Keys(nodes)))
		if x := &want.Config; !x.SharedSource {
			source := links[i].Primary
			if id.Family == vrrp.IPv6 {
				source = links[i].LinkLocal
			}
			*x = x.From(source)
		}
		if !want.Config.Source.IsValid() {
			continue // an agent here would not speak either, and says why
		}
		if len(want.Keys) > 0 {
			if want.Config.Keys, err = vrrp.NewKeyring(want.Keys[0].ID, want.Keys...); err != nil {
				return k, err
			}
		}
		k.Ours = append(k.Ours, survey.Ours{Name: r.Name, Link: l.Link, Config: want.Config})
	}
	return k, nil
}
