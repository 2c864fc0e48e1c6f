package apitest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"quorate/api"
	"quorate/fsm"
)

// Count makes the kernels of the world count: every owner's services have n connections to each server that is in, of which half are over, and counters to match.
// Rates says whether the kernels estimate rates, as IPVS does.
func (w *World) Count(n int, rates bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connections, w.rates, w.volumes = n, rates, true
}

// CountConnections is Count by kernels that count no packets and estimate no rates, as nftables are used.
func (w *World) CountConnections(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connections, w.rates, w.volumes = n, false, false
}

// member finds a node that answers; the world is locked.
func (a *Agent) member(node fsm.NodeID) (*Agent, error) {
	if a.cluster != nil {
		for _, m := range a.cluster.members {
			if m.name == node && !m.dead {
				return m, nil
			}
		}
	}
	return nil, fmt.Errorf("ask %s: %w", node, api.ErrUnreachable)
}

// Traffic implements api.Balancer.
func (a *Agent) Traffic(ctx context.Context, node fsm.NodeID, q api.TrafficQuery) ([]api.ServiceTraffic, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	m, err := a.member(node)
	if err != nil {
		return nil, err
	}
	carried := map[string]bool{}
	for _, s := range fsm.LocalOf(m.cluster.state, m.name).Services {
		carried[s.Service.Name] = true
	}
	out := []api.ServiceTraffic{}
	for _, s := range m.cluster.state.Table() {
		if len(q.Services) > 0 && !slices.Contains(q.Services, s.Service.Name) {
			continue
		}
		t := api.ServiceTraffic{Service: s.Service.Name, Node: m.name, Plane: "nft", At: m.cluster.at(m.cluster.state.Index), Rates: a.world.rates, Counted: true,
			Wanted: carried[s.Service.Name], Present: carried[s.Service.Name]}
		if !t.Present {
			t.Problem = fmt.Sprintf("%s does not carry it", m.name)
			out = append(out, t)
			continue
		}
		for _, server := range s.Servers {
			c := a.world.counters(server.Weight)
			t.Counters = sum(t.Counters, c)
			if q.Servers {
				t.Servers = append(t.Servers, api.ServerTraffic{Address: server.Address, Want: &server.Weight, Have: &server.Weight, Counters: c})
			}
		}
		out = append(out, t)
	}
	return out, ctx.Err()
}

// counters of a server with this weight.
func (w *World) counters(weight int) api.Counters {
	n := w.connections * weight
	u := uint64(n)
	c := api.Counters{Active: n - n/2, Inactive: n / 2, Connections: u}
	if w.volumes {
		c.InPackets, c.OutPackets, c.InBytes, c.OutBytes = 10*u, 8*u, 1000*u, 100_000*u
	}
	if w.rates {
		c.ConnectionRate, c.InPacketRate, c.OutPacketRate, c.InByteRate, c.OutByteRate = u, 10*u, 8*u, 1000*u, 100_000*u
	}
	return c
}

func sum(a, b api.Counters) api.Counters {
	a.Active, a.Inactive, a.Connections = a.Active+b.Active, a.Inactive+b.Inactive, a.Connections+b.Connections
	a.InPackets, a.OutPackets, a.InBytes, a.OutBytes = a.InPackets+b.InPackets, a.OutPackets+b.OutPackets, a.InBytes+b.InBytes, a.OutBytes+b.OutBytes
	a.ConnectionRate, a.InPacketRate, a.OutPacketRate = a.ConnectionRate+b.ConnectionRate, a.InPacketRate+b.InPacketRate, a.OutPacketRate+b.OutPacketRate
	a.InByteRate, a.OutByteRate = a.InByteRate+b.InByteRate, a.OutByteRate+b.OutByteRate
	return a
}

// Connections implements api.Balancer: from 198.51.100.1:1024 on, to the servers that are in, one after the other. Each third was synced from another node.
func (a *Agent) Connections(ctx context.Context, node fsm.NodeID, q api.ConnectionQuery) (api.Connections, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	m, err := a.member(node)
	if err != nil {
		return api.Connections{}, err
	}
	out := api.Connections{Service: q.Service, Node: m.name, Plane: "ipvs"}
	seen := 0
	for _, s := range fsm.LocalOf(m.cluster.state, m.name).Services {
		if s.Service.Name != q.Service {
			continue
		}
		for i := range a.world.connections * len(s.Servers) {
			server := s.Servers[i%len(s.Servers)]
			if q.Server.IsValid() && q.Server != server.Address {
				continue
			}
			if seen++; seen <= q.Skip {
				continue
			}
			if len(out.Connections) == q.Limit {
				out.Next = q.Skip + q.Limit
				return out, ctx.Err()
			}
			c := api.Connection{Protocol: string(s.Service.Protocol), Client: netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), uint16(1024+i)),
				Virtual: netip.AddrPortFrom(s.Addrs[0], s.Service.Port), Server: server.Address, State: "ESTABLISHED", ExpiresIn: 899, Origin: "local"}
			if i%3 == 2 {
				c.Origin = "sync"
			}
			out.Connections = append(out.Connections, c)
		}
	}
	return out, ctx.Err()
}

// IPVSAdm implements api.Balancer, with the names of the services only.
func (a *Agent) IPVSAdm(ctx context.Context, node fsm.NodeID) (api.IPVSAdm, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	services := a.state().Table()
	if node != "" {
		m, err := a.member(node)
		if err != nil {
			return api.IPVSAdm{}, err
		}
		services = fsm.LocalOf(m.cluster.state, m.name).Services
	}
	out := api.IPVSAdm{Node: node}
	for _, s := range services {
		out.Text += fmt.Sprintf("-A -t %v -s %s\n", netip.AddrPortFrom(s.Addrs[0], s.Service.Port), s.Service.Scheduler)
		if s.Service.Masquerade {
			out.Left = append(out.Left, "service "+s.Service.Name+": ipvsadm has no masquerade")
		}
	}
	return out, ctx.Err()
}

// TestNotifier implements api.Notifying: whatever is not called broken is told.
func (a *Agent) TestNotifier(_ context.Context, node fsm.NodeID, name string) (api.NotifyTest, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if _, err := a.member(node); err != nil {
		return api.NotifyTest{}, err
	}
	if name == "broken" {
		return api.NotifyTest{Notifier: name, Node: node, Said: "connection refused"}, nil
	}
	return api.NotifyTest{Notifier: name, Node: node, OK: true, Said: "HTTP 200 OK", TookMS: 12}, nil
}
