package agent

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"quorate/agent/target"
	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
	"quorate/lvs/probepath"
)

// observer turns the agreed checks into probes of this node and their results into observations of servers. Checks that
// are the same to the last detail are probed once, whatever number of services share them.
type observer struct {
	self    fsm.NodeID
	observe func([]cluster.Observation) // called with mu held; does not block
	forget  func([]fsm.ServerKey)       // likewise, with servers that are observed no longer

	mu      sync.Mutex
	servers map[fsm.ServerKey]probing
	needed  map[string][]fsm.ServerKey // the servers that need each probe
	stakes  map[string]stake           // by service, when the probes were last worked out
	results map[string]health.Transition
	sent    map[fsm.ServerKey]cluster.Observation
	fell    map[fsm.ServerKey]time.Time // when the node saw it go down, or first saw it down
	paths   map[string]probepath.Path   // of the probes that go through the forwarding path, by target ID
	vips    map[string]netip.Addr       // where those go
	// proved are the VIPs on which a server has answered this node. On the others a failure may be this node's own: its firewall, its reverse path filter. It says
	// nothing then of servers that answer at their own addresses: all of a service would go.
	proved map[netip.Addr]bool
}

// probing is how a server is probed.
type probing struct {
	ids     []string // of the probes
	checks  []int    // the check of each, in their order
	need    int      // how many checks have to pass
	weight  int      // of the server, as configured
	through bool     // those that are to go through the forwarding path do
}

func newObserver(self fsm.NodeID, observe func([]cluster.Observation), forget func([]fsm.ServerKey)) *observer {
	return &observer{self: self, observe: observe, forget: forget, results: map[string]health.Transition{}, sent: map[fsm.ServerKey]cluster.Observation{}, fell: map[fsm.ServerKey]time.Time{}, proved: map[netip.Addr]bool{}}
}

// targets is the whole set of probes that this node has to run by the state.
func (o *observer) targets(s *fsm.State) []health.Target {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.servers, o.needed = make(map[fsm.ServerKey]probing, len(o.servers)), make(map[string][]fsm.ServerKey, len(o.needed))
	o.paths, o.vips, o.stakes = map[string]probepath.Path{}, map[string]netip.Addr{}, stakesOf(s, o.self)
	out := make([]health.Target, 0, len(o.results))
	for _, name := range slices.Sorted(maps.Keys(s.Config.Services)) {
		svc := s.Config.Services[name]
		if len(svc.Checks) == 0 {
			continue
		}
		probes := make([]target.Template, len(svc.Checks)) // once for all servers: there may be thousands
		for i, c := range svc.Checks {
			probes[i] = target.New(c)
		}
		for _, srv := range svc.Servers {
			key := fsm.ServerKey{Service: svc.Name, Address: srv.Address}
			if !fsm.Watches(s, key, o.self) {
				continue
			}
			a := probing{need: svc.ChecksNeeded(), weight: srv.Weight, through: fsm.ProbesThrough(s, key, o.self)}
			need := func(t health.Target, check int) {
				by := o.needed[t.ID]
				if len(by) == 0 {
					out = append(out, t)
				}
				if !slices.Contains(a.ids, t.ID) {
					o.needed[t.ID] = append(by, key)
				}
				a.ids, a.checks = append(a.ids, t.ID), append(a.checks, check)
			}
			for i, c := range svc.Checks {
				t := probes[i].At(srv.Address)
				if !a.through || c.Through != fsm.ThroughForwarding {
					need(t, i)
					continue
				}
				for _, vip := range fsm.ThroughVIPs(s, key, o.self) {
					path := pathOf(vip, svc, srv)
					t := throughTarget(t, vip.Address.Addr(), cmp.Or(c.Port, svc.OnlyPort()), path)
					o.paths[t.ID], o.vips[t.ID] = path, t.Addr.Addr()
					need(t, i)
				}
			}
			o.servers[key] = a
		}
	}
	maps.DeleteFunc(o.results, func(id string, _ health.Transition) bool { return len(o.needed[id]) == 0 })
	var gone []fsm.ServerKey
	for key := range o.sent {
		if _, ok := o.servers[key]; !ok {
			delete(o.sent, key)
			delete(o.fell, key)
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		o.forget(gone)
	}
	return out
}

// transition takes a probe's change and passes on the servers whose observation changes with it. What nobody needs was decided just before the probe was given up.
func (o *observer) transition(t health.Transition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	servers := o.needed[t.ID]
	if len(servers) == 0 {
		return
	}
	o.results[t.ID] = t
	if vip, through := o.vips[t.ID]; through && t.Up && !o.proved[vip] {
		o.proved[vip] = true // what was held back of others is said now
		o.pass(maps.Keys(o.servers))
		return
	}
	o.pass(slices.Values(servers))
}

// refresh passes on the observations that are news.
func (o *observer) refresh() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pass(maps.Keys(o.servers))
}

// pass passes on the observations of servers that are news. It is called with mu held: the last word on a server must be the last that is heard.
func (o *observer) pass(servers iter.Seq[fsm.ServerKey]) {
	var changed []cluster.Observation
	for key := range servers {
		if obs, known := o.combine(key, o.servers[key]); known && o.sent[key] != obs {
			if was, said := o.sent[key]; !obs.Up && (was.Up || !said) {
				o.fell[key] = time.Now()
			}
			o.sent[key] = obs
			changed = append(changed, obs)
		}
	}
	slices.SortFunc(changed, func(a, b cluster.Observation) int { return a.Server.Compare(b.Server) })
	if len(changed) > 0 {
		o.observe(changed)
	}
}

// combine is one server's observation from its probes: up once as many checks pass as have to, down once so many cannot any more, else not known yet. A check passes when
// all its probes do. One that may be this node's own fault is not known.
func (o *observer) combine(key fsm.ServerKey, a probing) (cluster.Observation, bool) {
	obs := cluster.Observation{Server: key, Through: a.through}
	passed, open := 0, 0
	for i := 0; i < len(a.ids); {
		check, up, known := a.checks[i], true, true
		for ; i < len(a.ids) && a.checks[i] == check; i++ {
			switch r, ok := o.results[a.ids[i]]; {
			case !ok, r.OwnOnly && !o.proved[o.vips[a.ids[i]]]:
				known = false
			case !r.Up:
				if up = false; obs.Detail == "" {
					obs.Detail = r.Detail
				}
			default:
				obs.Asked = lower(obs.Asked, fsm.Asked{Is: r.Weight.Asked, Percent: r.Weight.Percent, Value: r.Weight.Value}, a.weight)
			}
		}
		switch {
		case !up:
		case known:
			passed++
		default:
			open++
		}
	}
	switch {
	case passed >= a.need:
		obs.Up, obs.Detail = true, ""
	case passed+open < a.need:
		obs.Asked = fsm.Asked{}
	default:
		return cluster.Observation{}, false
	}
	return obs, true
}

// lower is the one of two wishes of a server by which it gets less; one that asks for nothing does not count.
func lower(a, b fsm.Asked, weight int) fsm.Asked {
	if !a.Is || b.Is && b.Of(weight) < a.Of(weight) {
		return b
	}
	return a
}

// throughTarget is the probe t of a server's own address as one of the VIP, led there by the path. Services that share the VIP, port, server and method
// share it.
func throughTarget(t health.Target, vip netip.Addr, port uint16, path probepath.Path) health.Target {
	t.ID = fmt.Sprintf("%s through %v to %v", t.ID, path, netip.AddrPortFrom(vip, port))
	t.Through = health.Through{Server: t.Addr, Method: path.String()}
	t.Addr = netip.AddrPortFrom(vip, port)
	return t
}

// ways are the paths of the probes that the last targets have.
func (o *observer) ways() map[string]probepath.Path {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.paths
}

// unproved are the problems of this node with VIPs on which no server answers it.
func (o *observer) unproved() (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := map[netip.Addr]int{}
	for id, r := range o.results {
		if vip := o.vips[id]; r.OwnOnly && !o.proved[vip] {
			n[vip]++
		}
	}
	for _, vip := range slices.SortedFunc(maps.Keys(n), netip.Addr.Compare) {
		out = append(out, fmt.Sprintf("no server answers this node on the VIP %s through the forwarding path, and its checks of %d that answer at their own addresses do not count: either none has the VIP "+
			"(quorate realserver check says so there), or this node drops the answers: its firewall has to let in TCP from %s, and rp_filter must not be 1 on the link by which they come in", vip, n[vip], vip))
	}
	return out
}
