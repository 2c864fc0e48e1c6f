package agent

import (
	"net/netip"
	"strings"
	"time"

	"quorate/api"
	"quorate/fsm"
	"quorate/health"
	"quorate/lvs"
)

// local is this node's report: what it should carry by the state it has applied, and what its kernel really has.
func (a *Agent) local() api.NodeStatus {
	s := a.node.State()
	st := api.NodeStatus{
		Node: a.o.Name, Addr: a.o.Advertise, Version: a.o.Version, Phase: a.phase(s), ClusterID: s.ClusterID, Applied: s.Index,
		Epoch: s.Nodes[a.o.Name].Epoch, Started: a.started, Problems: a.denied,
		Links: s.Nodes[a.o.Name].Facts.Links,
		Fence: a.fence.status(lifetime(s.Config.Settings.Profile.Timing())),
	}
	if err := a.node.StoreError(); err != nil {
		st.Problems = append([]string{err.Error()}, st.Problems...)
	}
	if a.o.Role == fsm.Witness {
		st.Fence = api.Fence{Kind: fenceOf(a), Detail: "a witness carries no address"}
	}
	if st.Addr == "" {
		st.Addr = a.o.Bind
	}
	st.Leader, _ = a.node.Leader()
	st.Decisions = a.watch.decisions()
	st.MACs = macs()
	st.Lease = a.leaseStatus(st.Epoch)
	act := a.actuator.Load()
	if act != nil {
		if c := act.status.Load(); c != nil {
			st.Addresses = addressStatus(s, c, st.Lease.Held)
			a.watch.times(st.Addresses)
			if c.addresses.Err != nil {
				st.Problems = append(st.Problems[:len(st.Problems):len(st.Problems)], c.addresses.Err.Error())
			}
			st.Problems = append(st.Problems[:len(st.Problems):len(st.Problems)], a.fence.problems(c.addresses)...)
			wanted, table, err := a.plane.report()
			st.Services = serviceStatus(c.local, wanted, table)
			st.DataPlane.Problem = text(err)
			st.Problems = append(st.Problems[:len(st.Problems):len(st.Problems)], table.Problems...)
		}
	}
	st.Routers = a.routerStatus()
	sync, problems := a.syncStatus()
	st.Sync = sync
	st.Sysctls = a.settingsStatus()
	st.Notifiers = a.notifiersStatus()
	st.Problems = append(st.Problems[:len(st.Problems):len(st.Problems)], problems...)
	if p := a.paths.problem(s); p != "" {
		st.Problems = append(st.Problems[:len(st.Problems):len(st.Problems)], p)
	}
	if a.checks != nil {
		st.Problems = append(st.Problems[:len(st.Problems):len(st.Problems)], a.news.Problems()...)
		st.Checks = a.checks.status(s, a.probeStates())
	}
	if a.observer != nil {
		st.Problems = append(st.Problems[:len(st.Problems):len(st.Problems)], append(a.observer.unproved(), a.observer.unreached(s, time.Now())...)...)
	}
	st.DataPlane.Name = "none"
	if c := a.plane.capabilities(); c.Plane != "" {
		st.DataPlane.Name, st.DataPlane.Detail = c.Plane, c.Detail
	}
	return st
}

// probeStates are those of all probes of this node, by ID.
func (a *Agent) probeStates() map[string]health.State {
	all := a.engine.Snapshot()
	out := make(map[string]health.State, len(all))
	for _, p := range all {
		out[p.Target.ID] = p
	}
	return out
}

func (a *Agent) phase(s *fsm.State) api.Phase {
	switch {
	case a.node.Lease() == nil && a.node.Member():
		return api.PhaseStarting
	case a.node.Lease() == nil:
		return api.PhaseWaiting
	case a.leaving.Load() || s.Nodes[a.o.Name].Leaving:
		return api.PhaseLeaving
	case a.actuator.Load() == nil:
		return api.PhaseStarting
	default:
		return api.PhaseReady
	}
}

func (a *Agent) leaseStatus(epoch fsm.Epoch) api.Lease {
	l := a.node.Lease()
	if l == nil {
		return api.Lease{Reason: "in no cluster"}
	}
	st := l.Status()
	out := api.Lease{Epoch: epoch, Held: l.Live(epoch), Thread: string(st.Priority.Class), ThreadWhy: text(st.Priority.Why), LateUS: st.Late.Microseconds()}
	switch {
	case out.Held:
		out.RemainingMS = max(0, (l.Until(epoch).Raw - a.clock.Now().Raw).Milliseconds())
	case a.actuator.Load() == nil:
		out.Reason = "the start barrier is not passed: no majority has confirmed yet what is agreed"
	default:
		out.Reason = "no majority of the grantors acknowledges it"
	}
	return out
}

func addressStatus(s *fsm.State, c *carried, leased bool) []api.Address {
	var out []api.Address
	name := map[netip.Addr]fsm.VIP{}
	for _, v := range s.Config.VIPs {
		name[v.Address.Addr()] = v
	}
	seen := map[netip.Addr]bool{}
	for _, x := range c.addresses.Addresses {
		if x.Lingers && !x.Actual {
			continue
		}
		seen[x.Prefix.Addr()] = true
		v := name[x.Prefix.Addr()]
		a := api.Address{Prefix: x.Prefix, VIP: v.Name, Network: v.Network, Link: x.Link, Wanted: x.Wanted, Present: x.Actual, Problem: text(x.Err)}
		if loose := c.loose[x.Parent]; loose != "" && x.Parent != "" && x.Prefix.Addr().Is4() && a.Problem == "" {
			a.Problem = loose
		}
		switch {
		case x.Lingers:
			a.Reason = "it is being handed over: it takes what is still sent here"
		case x.Wanted:
			a.Reason = "this node owns it and holds its lease"
			if h, ok := c.held[v.Key()]; ok {
				a.HeldSince = h.Since
				a.Reason = "this node owns it, has lost the quorum, and holds it as its policy says: another node may claim it too"
				if h.Forced {
					a.Reason = "an operator has forced it onto this node without a quorum: another node may claim it too"
				}
			}
		}
		out = append(out, a)
	}
	for _, v := range c.local.VIPs {
		if seen[v.Key.Addr] {
			continue
		}
		a := api.Address{Prefix: v.VIP.Address, VIP: v.VIP.Name, Network: v.VIP.Network, Link: v.Link}
		ask, asking := c.asking[v.Key]
		switch {
		case c.waits[v.Key] != "":
			a.Reason = c.waits[v.Key]
			a.Problem = a.Reason
		case asking:
			a.Reason = ask.text()
			a.Problem = a.Reason
		case !leased && c.barred[v.Key] != "":
			a.Reason = "this node owns it, holds no lease, and does not hold it without one: " + c.barred[v.Key]
			a.Problem = a.Reason
		case v.Link == "":
			a.Problem = "this node has no interface with its subnet"
		case !leased:
			a.Reason = "this node owns it but holds no lease"
		default:
			a.Reason = "its services are being programmed"
		}
		out = append(out, a)
	}
	return out
}

func serviceStatus(local fsm.Local, wanted []lvs.Service, table lvs.Status) []api.Carried {
	byKey := map[lvs.Key]lvs.ServiceStatus{}
	for _, x := range table.Services {
		byKey[x.Key] = x
	}
	want := map[lvs.Key]bool{}
	for _, w := range wanted {
		want[w.Key()] = true
	}
	var out []api.Carried
	for _, svc := range local.Services {
		key := keyOf(svc)
		x := byKey[key]
		c := api.Carried{Service: svc.Service.Name, VIP: strings.Join(svc.Service.On(), ", "), Wanted: want[key], Present: x.Have != nil, Problem: x.Err}
		if x.Have != nil {
			c.Servers = len(x.Have.Destinations)
		}
		out = append(out, c)
	}
	return out
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
