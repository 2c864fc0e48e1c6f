package apitest

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/api"
	"quorate/fsm"
)

// Agent is one node of the world; it implements the interfaces that api.Server asks for.
type Agent struct {
	world *World
	name  fsm.NodeID
	addr  string
	store fsm.StoreID

	// Guarded by world.mu.
	cluster   *cluster // nil: waits for bootstrap or join
	dead      bool
	frozen    bool
	kernel    map[fsm.AddressKey]netip.Prefix // the addresses on its interface
	confirmed map[fsm.AddressKey]uint64
}

// Options of a server that answers for this agent.
func (a *Agent) Options() api.Options {
	return api.Options{Reader: a, Proposer: a, Membership: a, Inspector: a, Reporter: a, Forcer: a, Balancer: a, Notifying: a, Observatory: a, Lookout: a, Version: "0.0.0-model"}
}

func (a *Agent) node() fsm.Node {
	return fsm.Node{ID: a.name, Store: a.store, Addr: a.addr, Role: fsm.Director, Weight: 1, Facts: fsm.Facts{
		Version: "0.0.0-model", Schema: fsm.MaxSchema, DataPlane: "nft", Forwards: []fsm.Forward{fsm.NAT}, Schedulers: []string{"rr", "sh", "wrr"},
		Features: []string{"addresses", "persistence", "ports", "scheduler_flags=sh-fallback", "scheduler_flags=sh-port"},
		Links:    []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64")}}},
	}}
}

// Kill makes the node silent; the others fence it, if they are a majority.
func (a *Agent) Kill() {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	a.dead = true
	clear(a.kernel) // what the finite lifetime of its addresses does
	c := a.cluster
	if c == nil {
		return
	}
	if !c.quorum() {
		for _, m := range c.members {
			clear(m.kernel) // their leases run out
		}
		return
	}
	f := fsm.PlanFence(c.state, c.hints(), a.name, c.state.Nodes[a.name].Epoch, c.state.Grantors.Index, "killed")
	if _, err := a.world.commit(c, fsm.Command{Actor: "planner", Fenced: &f}); err != nil {
		panic("apitest: fence: " + err.Error())
	}
}

// Revive ends Kill.
func (a *Agent) Revive() { a.change(func() { a.dead = false }) }

// Freeze keeps the node's kernel as it is: it answers, but neither puts addresses up nor takes them down.
func (a *Agent) Freeze() { a.change(func() { a.frozen = true }) }

// Thaw ends Freeze.
func (a *Agent) Thaw() { a.change(func() { a.frozen = false }) }

// change does f and lets the world settle by committing an empty entry.
func (a *Agent) change(f func()) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	f()
	if a.cluster != nil && a.cluster.quorum() {
		if _, err := a.world.commit(a.cluster, fsm.Command{}); err != nil {
			panic("apitest: empty entry: " + err.Error())
		}
	}
}

// carryOut makes the kernel match what is agreed and confirms releases; the world is locked.
func (a *Agent) carryOut() {
	if a.dead || a.frozen {
		return
	}
	local := fsm.LocalOf(a.cluster.state, a.name)
	clear(a.kernel)
	for _, v := range local.VIPs {
		a.kernel[v.Key] = v.VIP.Address
	}
	for _, r := range slices.Concat(local.Releases, local.ShadowReleases) {
		a.confirmed[r.Key] = r.ReleaseIndex
	}
}

// State implements api.Reader.
func (a *Agent) State() *fsm.State {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	return a.state()
}

func (a *Agent) state() *fsm.State {
	if a.cluster == nil {
		return fsm.New()
	}
	return a.cluster.state
}

// Changed implements api.Reader.
func (a *Agent) Changed() <-chan struct{} {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	return a.world.changed
}

// Read implements api.Reader.
func (a *Agent) Read(ctx context.Context) (*fsm.State, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if err := a.usable(); err != nil {
		return nil, err
	}
	return a.cluster.state, ctx.Err()
}

// Propose implements api.Proposer.
func (a *Agent) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if err := a.usable(); err != nil {
		return fsm.Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return fsm.Result{}, err
	}
	return a.world.commit(a.cluster, c)
}

func (a *Agent) usable() error {
	if a.cluster == nil {
		return api.ErrNoCluster
	}
	if !a.cluster.quorum() {
		return api.ErrNoQuorum
	}
	return nil
}

// Bootstrap implements api.Membership.
func (a *Agent) Bootstrap(_ context.Context, profile fsm.Profile) (string, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if err := a.world.form(a, profile); err != nil {
		return "", err
	}
	return a.cluster.token, nil
}

// Join implements api.Membership.
func (a *Agent) Join(_ context.Context, addr, token string) error {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	return a.world.join(a, addr, token)
}

// Leave implements api.Membership.
func (a *Agent) Leave(_ context.Context, node fsm.NodeID) error {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if err := a.usable(); err != nil {
		return err
	}
	if i := slices.IndexFunc(a.cluster.members, func(m *Agent) bool { return m.name == node }); i >= 0 {
		return a.world.leave(a.cluster.members[i])
	}
	return a.world.leave(a)
}

// Token implements api.Membership.
func (a *Agent) Token() (string, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.cluster == nil {
		return "", api.ErrNoCluster
	}
	return a.cluster.token, nil
}

// Members implements api.Inspector.
func (a *Agent) Members() []api.Member {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.cluster == nil {
		return nil
	}
	leader, _ := a.cluster.leader()
	var out []api.Member
	for _, m := range a.cluster.members {
		out = append(out, api.Member{ID: m.name, Addr: m.addr, Voter: true, Leader: m.name == leader, Alive: !m.dead, Applied: a.cluster.state.Index})
	}
	return out
}

// Leader implements api.Inspector.
func (a *Agent) Leader() (fsm.NodeID, bool) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.cluster == nil {
		return "", false
	}
	return a.cluster.leader()
}

// Hints implements api.Inspector: only the leader has any.
func (a *Agent) Hints() fsm.Hints {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.cluster == nil {
		return fsm.Hints{}
	}
	if l, ok := a.cluster.leader(); !ok || l != a.name {
		return fsm.Hints{Now: a.cluster.at(a.cluster.state.Index)}
	}
	return a.cluster.hints()
}

// Local implements api.Reporter.
func (a *Agent) Local() api.NodeStatus {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	return a.report()
}

// Ask implements api.Reporter.
func (a *Agent) Ask(ctx context.Context, node fsm.NodeID) (api.NodeStatus, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.cluster != nil {
		for _, m := range a.cluster.members {
			if m.name == node && !m.dead {
				return m.report(), ctx.Err()
			}
		}
	}
	return api.NodeStatus{}, fmt.Errorf("ask %s: %w", node, api.ErrUnreachable)
}

func (a *Agent) report() api.NodeStatus {
	s := api.NodeStatus{
		Node: a.name, Addr: a.addr, Version: "0.0.0-model", Phase: api.PhaseWaiting, Started: Epoch,
		Fence: api.Fence{Kind: "address-lifetime"}, DataPlane: api.DataPlane{Name: "nft"}, Links: a.node().Facts.Links,
	}
	if a.cluster == nil {
		s.Lease.Reason = "in no cluster"
		return s
	}
	st := a.cluster.state
	s.Phase, s.ClusterID, s.Applied, s.Epoch = api.PhaseReady, st.ClusterID, st.Index, st.Nodes[a.name].Epoch
	s.Leader, _ = a.cluster.leader()
	if st.Config.Settings.SetSysctls {
		s.Sysctls = []api.Sysctl{{Name: "net.ipv4.ip_forward", Value: "1", Was: "0", For: "services"}, {Name: "net.ipv4.vs.sync_threshold", Value: "0 0", Was: "3 50", For: "sync"}}
	}
	s.Lease = api.Lease{Held: a.cluster.quorum(), Epoch: s.Epoch}
	if s.Lease.Held {
		s.Lease.RemainingMS = 240
	} else {
		s.Lease.Reason = "no majority of the grantors answers"
	}
	local := fsm.LocalOf(st, a.name)
	wanted := map[fsm.AddressKey]fsm.LocalVIP{}
	for _, v := range local.VIPs {
		wanted[v.Key] = v
	}
	for _, k := range slices.SortedFunc(maps.Keys(a.kernel), fsm.AddressKey.Compare) {
		_, w := wanted[k]
		s.Addresses = append(s.Addresses, api.Address{Prefix: a.kernel[k], Network: k.Network, VIP: wanted[k].VIP.Name, Link: "eth0", Wanted: w, Present: true, ValidForMS: 2000})
	}
	for _, v := range local.VIPs {
		if _, there := a.kernel[v.Key]; !there {
			s.Addresses = append(s.Addresses, api.Address{Prefix: v.VIP.Address, Network: v.Key.Network, VIP: v.VIP.Name, Link: v.Link, Wanted: true})
		}
	}
	for _, svc := range local.Services {
		s.Services = append(s.Services, api.Carried{Service: svc.Service.Name, VIP: svc.Service.VIP, Wanted: true, Present: true, Servers: len(svc.Servers)})
	}
	return s
}

// Force implements api.Forcer.
func (a *Agent) Force(_ context.Context, v fsm.VIP, _ string, d time.Duration) (time.Time, error) {
	a.world.mu.Lock()
	defer a.world.mu.Unlock()
	if a.cluster == nil || a.cluster.quorum() {
		return time.Time{}, fmt.Errorf("%w: there is a quorum", api.ErrNotPossible)
	}
	a.kernel[v.Key()] = v.Address
	return time.Now().Add(d), nil
}
