package apitest

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/api"
	"quorate/fsm"
)

// Epoch is the time of index 0; entry i is stamped i seconds later, and later by what Pass was given, so that answers are the same in every run.
var Epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// World is a network with agents on it. All its methods, and those of its agents, may be called from any goroutine.
type World struct {
	mu          sync.Mutex
	agents      []*Agent
	changed     chan struct{}                                   // closed at every change anywhere
	passed      time.Duration                                   // by Pass
	connections int                                             // by Count
	rates       bool                                            // by Count
	volumes     bool                                            // by Count: packets and bytes
	views       map[fsm.NodeID]map[fsm.ServerKey]api.ServerView // by See
	legacy      *Legacy                                         // by Beside
}

// NewWorld is an empty network.
func NewWorld() *World { return &World{changed: make(chan struct{})} }

// Pass lets time go by on the clocks of all agents, and lets every cluster settle.
func (w *World) Pass(d time.Duration) {
	w.mu.Lock()
	w.passed += d
	agents := slices.Clone(w.agents)
	w.mu.Unlock()
	for _, a := range agents {
		a.change(func() {})
	}
}

// cluster is what a group of agents has agreed.
type cluster struct {
	world   *World
	state   *fsm.State
	token   string
	members []*Agent // in order of joining
}

// Agent adds an agent that is in no cluster yet, at 10.0.0.1:7300 for the first, 10.0.0.2:7300 for the second and so on.
func (w *World) Agent(name fsm.NodeID) *Agent {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.agents) + 1
	a := &Agent{
		world: w, name: name, addr: fmt.Sprintf("10.0.0.%d:7300", n), store: fsm.StoreID(fmt.Sprintf("store-%d", n)),
		kernel: map[fsm.AddressKey]netip.Prefix{}, confirmed: map[fsm.AddressKey]uint64{},
	}
	w.agents = append(w.agents, a)
	return a
}

// Cluster adds agents that form one cluster, the first of them its leader.
func (w *World) Cluster(names ...fsm.NodeID) []*Agent {
	var out []*Agent
	for _, n := range names {
		out = append(out, w.Agent(n))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, a := range out {
		var err error
		if i == 0 {
			err = w.form(a, fsm.LAN)
		} else {
			err = w.join(a, out[0].addr, out[0].cluster.token)
		}
		if err != nil {
			panic("apitest: form a cluster: " + err.Error())
		}
	}
	return out
}

// form is the bootstrap; the world is locked.
func (w *World) form(a *Agent, profile fsm.Profile) error {
	if a.cluster != nil {
		return fmt.Errorf("%s: %w", a.name, api.ErrAlreadyMember)
	}
	c := &cluster{world: w, state: fsm.New(), token: "QT1-model-" + string(a.name), members: []*Agent{a}}
	a.cluster = c
	if _, err := w.commit(c, fsm.Command{Actor: string(a.name), Init: &fsm.Init{
		ClusterID: "model-cluster", Node: a.node(), Settings: fsm.Settings{Profile: profile},
	}}); err != nil {
		a.cluster = nil
		return err
	}
	return nil
}

// join adds a to the cluster of the agent at addr; the world is locked.
func (w *World) join(a *Agent, addr, token string) error {
	if a.cluster != nil {
		return fmt.Errorf("%s: %w", a.name, api.ErrAlreadyMember)
	}
	i := slices.IndexFunc(w.agents, func(o *Agent) bool { return o.addr == addr && !o.dead })
	if i < 0 {
		return fmt.Errorf("join %s: %w", addr, api.ErrUnreachable)
	}
	c := w.agents[i].cluster
	switch {
	case c == nil:
		return fmt.Errorf("join %s: %s is in no cluster itself: %w", addr, w.agents[i].name, api.ErrNotPossible)
	case token != c.token:
		return fmt.Errorf("join %s: %w", addr, api.ErrBadToken)
	}
	if _, err := w.commit(c, fsm.Command{Actor: string(a.name), PutNode: &fsm.PutNode{Node: a.node()}}); err != nil {
		return fmt.Errorf("join %s: %w", addr, err)
	}
	a.cluster = c
	c.members = append(c.members, a)
	set := append(slices.Clone(c.state.Grantors.Members), fsm.Grantor{Node: a.name, Store: a.store})
	if _, err := w.commit(c, fsm.Command{Actor: "planner", SetGrantors: &fsm.SetGrantors{Prev: c.state.Grantors.Index, Members: set}}); err != nil {
		return fmt.Errorf("join %s: %w", addr, err)
	}
	return nil
}

// leave drains a, waits for nothing as the world settles at once, and removes it; the world is locked.
func (w *World) leave(a *Agent) error {
	c := a.cluster
	if _, err := w.commit(c, fsm.Command{Actor: string(a.name), SetDrain: &fsm.SetDrain{Node: a.name, Draining: true, Leaving: true}}); err != nil {
		return err
	}
	if len(c.members) == 1 {
		return fmt.Errorf("%s is the last node of the cluster: stop its agent and remove its data directory instead: %w", a.name, api.ErrNotPossible)
	}
	set := slices.DeleteFunc(slices.Clone(c.state.Grantors.Members), func(g fsm.Grantor) bool { return g.Node == a.name })
	for _, cmd := range []fsm.Command{
		{Actor: "planner", SetGrantors: &fsm.SetGrantors{Prev: c.state.Grantors.Index, Members: set}},
		{Actor: "planner", RemoveNode: &fsm.RemoveNode{Node: a.name, Store: a.store}},
	} {
		if _, err := w.commit(c, cmd); err != nil {
			return err
		}
	}
	c.members = slices.DeleteFunc(c.members, func(m *Agent) bool { return m == a })
	a.cluster = nil
	return nil
}

// commit applies one command at the next index and settles; the world is locked.
func (w *World) commit(c *cluster, cmd fsm.Command) (fsm.Result, error) {
	res, err := c.apply(cmd)
	if err == nil {
		c.settle()
	}
	close(w.changed)
	w.changed = make(chan struct{})
	return res, err
}

// apply sends the command through its encoding, as the log does.
func (c *cluster) apply(cmd fsm.Command) (fsm.Result, error) {
	i := c.state.Index + 1
	cmd.Schema, cmd.At = fsm.MaxSchema, c.at(i)
	b, err := fsm.Encode(cmd)
	if err != nil {
		return fsm.Result{}, err
	}
	if cmd, err = fsm.Decode(b); err != nil {
		return fsm.Result{}, err
	}
	var res fsm.Result
	c.state, res = c.state.Apply(i, cmd)
	return res, res.Err
}

// settle lets kernels and planner work until nothing changes any more. The bound is far above what a plan needs.
func (c *cluster) settle() {
	if !c.quorum() {
		return
	}
	for range 100 {
		for _, a := range c.members {
			a.carryOut()
		}
		d, any := fsm.Plan(c.state, c.hints())
		if !any {
			return
		}
		if _, err := c.apply(fsm.Command{Actor: "planner", Decide: &d}); err != nil {
			panic("apitest: a plan was refused: " + err.Error())
		}
	}
	panic("apitest: the planner does not come to rest")
}

func (c *cluster) hints() fsm.Hints {
	h := fsm.Hints{Able: map[fsm.NodeID]bool{}, Confirmed: map[fsm.AddressKey]uint64{}, Now: c.at(c.state.Index)}
	for _, a := range c.members {
		h.Able[a.name] = !a.dead
		for k, i := range a.confirmed {
			h.Confirmed[k] = max(h.Confirmed[k], i)
		}
	}
	return h
}

// at is the time of entry i, if it is made now.
func (c *cluster) at(i uint64) time.Time {
	return Epoch.Add(time.Duration(i)*time.Second + c.world.passed)
}

// quorum reports whether a majority is alive.
func (c *cluster) quorum() bool {
	alive := 0
	for _, a := range c.members {
		if !a.dead {
			alive++
		}
	}
	return alive > len(c.members)/2
}

func (c *cluster) leader() (fsm.NodeID, bool) {
	if !c.quorum() {
		return "", false
	}
	for _, a := range c.members {
		if !a.dead {
			return a.name, true
		}
	}
	return "", false
}
