package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/agent/speak"
	"quorate/api"
	"quorate/fsm"
	"quorate/vip/probe"
	"quorate/vip/vrrp"
)

// sightFor is how long answers are heard for a question of api.Lookout: one that is lost is asked again at half of it.
const sightFor = 300 * time.Millisecond

// Sight implements api.Lookout.
func (b backend) Sight(ctx context.Context, node fsm.NodeID, q api.SightQuery) (out api.NodeSight, err error) {
	if node == b.a.o.Name {
		return b.a.sight(ctx, q)
	}
	err = b.a.node.Query(ctx, node, question{Sight: &q}, &out)
	return out, translate(err)
}

// sight is what this node hears of VIPs, of routers outside the cluster, and of who speaks for the VIPs.
func (a *Agent) sight(ctx context.Context, q api.SightQuery) (out api.NodeSight, err error) {
	if n := len(q.VIPs) + len(q.Peers); n > api.MaxSight {
		return out, fmt.Errorf("asked about %d addresses at once, at most %d are allowed", n, api.MaxSight)
	}
	for _, m := range macs() {
		out.MACs = append(out.MACs, m)
	}
	slices.Sort(out.MACs)
	var on map[string][]netip.Addr
	out.Addresses, on = whereAsked(a.node.State().Nodes[a.o.Name].Facts, q)
	have := a.here()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for link, addrs := range on {
		wg.Go(func() {
			found, err := a.prober.Ask(ctx, probe.Question{Link: link, Addresses: addrs, Wait: sightFor})
			mu.Lock()
			defer mu.Unlock()
			for i := range out.Addresses {
				h := &out.Addresses[i]
				if h.Link != link {
					continue
				}
				h.Asked = probe.Asked(h.Address, err)
				for _, x := range found {
					if x.Addr == h.Address {
						h.MACs = append(h.MACs, x.MAC.String())
					}
				}
			}
		})
	}
	wg.Wait()
	for i := range out.Addresses {
		h := &out.Addresses[i]
		h.Ours, h.Here = have[h.Address]
	}
	for _, r := range a.voices.Status() {
		if slices.Contains(q.Routers, r.Name) {
			out.Routers = append(out.Routers, heardRouter(r))
		}
	}
	return out, nil
}

// whereAsked are the addresses of a question with the link on which each is asked, each once; and by link which are.
func whereAsked(facts fsm.Facts, q api.SightQuery) (out []api.HeardAddress, on map[string][]netip.Addr) {
	on = map[string][]netip.Addr{}
	add := func(addr netip.Addr, router, link string) {
		if slices.ContainsFunc(out, func(h api.HeardAddress) bool { return h.Address == addr && h.Router == router }) {
			return
		}
		out = append(out, api.HeardAddress{Address: addr, Router: router, Link: link})
		if link != "" && !slices.Contains(on[link], addr) {
			on[link] = append(on[link], addr)
		}
	}
	for i, addr := range q.VIPs {
		named := ""
		if i < len(q.Interfaces) {
			named = q.Interfaces[i]
		}
		link, _ := facts.LinkFor(addr, named)
		add(addr, "", link)
	}
	for _, p := range q.Peers {
		at, named := p.Address, ""
		if p.VIP.IsValid() { // it is where that is
			at, named = p.VIP, p.Interface
		}
		link, _ := facts.LinkFor(at, named)
		add(p.Address, p.Router, link)
	}
	return out, on
}

// here are the addresses of this host, and whether they are ours.
func (a *Agent) here() map[netip.Addr]bool {
	list, _, err := a.kernel.Survey()
	if err != nil {
		a.log.Debug("addresses cannot be listed", "err", err)
	}
	out := make(map[netip.Addr]bool, len(list))
	for _, x := range list {
		out[x.Prefix.Addr()] = x.Ours || out[x.Prefix.Addr()]
	}
	return out
}

// heardRouter is a virtual router as this node speaks and hears it.
func heardRouter(r speak.Status) api.HeardRouter {
	out := api.HeardRouter{Name: r.Name, Source: r.Config.Source, Speaks: r.Speaks && r.State == vrrp.Active, Problem: r.Problem}
	if !r.View.ActiveSince.IsZero() {
		out.ActiveMS = max(1, time.Since(r.View.ActiveSince).Milliseconds())
	}
	for i := range r.Neighbours {
		n := &r.Neighbours[i]
		x := api.Rival{Source: n.Source, Role: n.Role.String(), Active: r.Activity[i] == vrrp.Speaking, Priority: uint8(n.Priority), DownMS: (n.SilentAt() - n.LastHeard).Milliseconds()}
		for j, d := range n.Differs.All() {
			if j < len(r.Explained[i]) {
				// In version 3 a backup learns the interval.
				x.Differs = append(x.Differs, api.Differs{What: d.String(), Text: r.Explained[i][j], Harmless: d == vrrp.IntervalDiffers && n.Version == vrrp.V3 && r.Config.Version == vrrp.V3})
			}
		}
		out.Heard = append(out.Heard, x)
	}
	return out
}
