package apitest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"quorate/api"
	"quorate/fsm"
)

// Legacy is a model of a router outside the cluster: while it runs it has the VIPs of a virtual router that the cluster is silent about, or that it outranks it for.
type Legacy struct {
	Source   netip.Addr
	Priority uint8
	Off      bool // nothing runs VRRP there; its host answers for its own address
	Gone     bool // nor does that
	Differs  []api.Differs
}

const legacyMAC = "02:00:00:00:00:99"

// Beside puts a router outside the cluster beside all clusters; nil takes it away.
func (w *World) Beside(l *Legacy) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.legacy = l
}

// Sight implements api.Lookout.
func (a *Agent) Sight(_ context.Context, node fsm.NodeID, q api.SightQuery) (api.NodeSight, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	i := slices.IndexFunc(a.cluster.members, func(m *Agent) bool { return m.name == node && !m.dead })
	if i < 0 {
		return api.NodeSight{}, fmt.Errorf("%s does not answer: %w", node, api.ErrUnreachable)
	}
	if n := len(q.VIPs) + len(q.Peers); n > api.MaxSight || len(q.VIPs) != len(q.Interfaces) {
		return api.NodeSight{}, fmt.Errorf("asked about %d addresses on %d interfaces", n, len(q.Interfaces))
	}
	me := a.cluster.members[i]
	out := api.NodeSight{MACs: []string{me.mac()}}
	l := a.world.legacy
	speaks := l != nil && !l.Off && !l.Gone
	for _, r := range q.Routers {
		var owner *Agent
		for _, m := range a.cluster.members {
			for k := range m.kernel {
				if v, ok := a.cluster.state.VIPByKey(k); ok && v.RouterName() == r && !m.dead {
					owner = m
				}
			}
		}
		h := api.HeardRouter{Name: r, Source: me.source(), Speaks: owner == me}
		if owner != nil && owner != me {
			h.Heard = append(h.Heard, api.Rival{Source: owner.source(), Role: "fellow", Active: true, Priority: 254})
		}
		if l != nil {
			x := api.Rival{Source: l.Source, Role: "listed", Priority: l.Priority, Differs: l.Differs}
			x.Active = speaks && (owner == nil || l.Priority == 254)
			h.Heard = append(h.Heard, x)
		}
		out.Routers = append(out.Routers, h)
	}
	for _, addr := range q.VIPs {
		h := api.HeardAddress{Address: addr, Link: "eth0", Asked: true}
		held := false
		for _, m := range a.cluster.members {
			if _, has := m.kernel[fsm.AddressKey{Addr: addr}]; !has || m.dead {
				continue
			}
			held = true
			if m == me {
				h.Here, h.Ours = true, true
			} else {
				h.MACs = append(h.MACs, m.mac())
			}
		}
		if !held && speaks {
			h.MACs = append(h.MACs, legacyMAC)
		}
		out.Addresses = append(out.Addresses, h)
	}
	for _, p := range q.Peers {
		h := api.HeardAddress{Address: p.Address, Router: p.Router, Link: "eth0", Asked: true}
		if p.Address.IsLinkLocalUnicast() != p.VIP.IsValid() {
			return api.NodeSight{}, fmt.Errorf("asked for %v beside the VIP %v", p.Address, p.VIP)
		}
		if l != nil && p.Address == l.Source && !l.Gone {
			h.MACs = []string{legacyMAC}
		}
		out.Addresses = append(out.Addresses, h)
	}
	return out, nil
}

func (a *Agent) mac() string { return "02:00:00:00:00:0" + string(a.name[len(a.name)-1]) }

func (a *Agent) source() netip.Addr {
	return netip.MustParseAddr("192.0.2." + string(a.name[len(a.name)-1]))
}
