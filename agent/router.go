package agent

import (
	"net/netip"
	"slices"

	"quorate/agent/speak"
	"quorate/fsm"
	"quorate/vip"
	"quorate/vip/vrrp"
)

// routerID is where a virtual router is on this node; false: it has no link for it.
func routerID(r fsm.LocalRouter) (speak.ID, bool) {
	if r.Link == "" || len(r.Router.VIPs) == 0 {
		return speak.ID{}, false
	}
	return speak.ID{Link: r.Link, Family: vrrp.FamilyOf(r.Router.VIPs[0].Address.Addr()), VRID: vrrp.VRID(r.Router.VRID)}, true
}

// wantedRouters are the virtual routers that this node hears, and speaks for in its turn.
func wantedRouters(s *fsm.State, self fsm.NodeID, routers []fsm.LocalRouter) []speak.Router {
	var others []netip.Addr
	for id, n := range s.Nodes {
		if id != self && n.Role == fsm.Director {
			others = append(others, n.Facts.Addresses...)
		}
	}
	var out []speak.Router
	for _, r := range routers {
		id, ok := routerID(r)
		if !ok {
			continue
		}
		w := wantedRouter(id, r.Router, others)
		w.Elects = elects(r)
		out = append(out, w)
	}
	return out
}

// wantedRouter translates an agreed virtual router. What it says of a source and keys was checked when it was configured.
func wantedRouter(id speak.ID, r fsm.ResolvedRouter, others []netip.Addr) speak.Router {
	c := vrrp.Config{
		VRID: id.VRID, Version: vrrp.Version(r.Version), Priority: vrrp.Priority(r.Priority), Interval: r.Interval, Addresses: r.Addrs(),
		Mode: vrrp.Appointed, Preempt: !r.NoPreempt, AcceptMode: true,
		Source: r.Source, SharedSource: r.Source.IsValid(), Listed: slices.Clone(r.Peers), Fellows: fellows(id.Family, others, r.Peers),
		Contest: r.NoYield, Form: forms[r.Checksum],
	}
	c.Group = r.Group
	if r.Unicast {
		c.Peers = slices.Clone(r.Peers)
	}
	if r.Password != "" {
		c.Auth, c.Password = vrrp.AuthPassword, vrrp.PasswordOf(r.Password)
	}
	out := speak.Router{ID: id, Name: r.Name, Config: c}
	if r.VMAC {
		out.MAC = vip.Virtual{VRID: r.VRID, IPv6: id.Family == vrrp.IPv6}.MAC()
	}
	for _, k := range r.HMACKeys {
		if id, secret, err := fsm.ParseHMACKey(k); err == nil {
			out.Keys = append(out.Keys, vrrp.Key{ID: id, Secret: secret})
		}
	}
	if len(out.Keys) > 0 {
		out.Config.Signing = signings[r.HMACMode]
	}
	return out
}

var (
	forms = map[fsm.ChecksumForm]vrrp.Form{
		fsm.ChecksumLearn: vrrp.Learn, fsm.ChecksumPseudo: vrrp.PseudoHeader, fsm.ChecksumMessage: vrrp.MessageOnly, fsm.ChecksumGroup: vrrp.MulticastHeader,
	}
	signings = map[fsm.HMACMode]vrrp.Signing{
		fsm.HMACEnforce: vrrp.Enforce, fsm.HMACPermissive: vrrp.Permissive, fsm.HMACReceiveOnly: vrrp.ReceiveOnly,
	}
)

// fellows are the addresses from which the other nodes may send, each once and in order. What is listed is outside the cluster.
func fellows(f vrrp.Family, others, listed []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range others {
		if vrrp.FamilyOf(a) == f && !a.IsMulticast() && !a.IsUnspecified() && !slices.Contains(listed, a) {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return slices.Compact(out)
}
