package agent

import (
	"cmp"
	"fmt"
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
	wanted  map[string]bool // the probes of all of them
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
	o.servers, o.paths = map[fsm.ServerKey]probing{}, map[string]probepath.Path{}
	o.vips = map[string]netip.Addr{}
	byID := map[string]health.Target{}
	for _, svc := range s.Config.Services {
		probes := make([]target.Template, len(svc.Checks)) // once for all servers: there may be thousands
		for i, c := range svc.Checks {
			probes[i] = target.New(c)
		}
		for _, srv := range svc.Servers {
			key := fsm.ServerKey{Service: svc.Name, Address: srv.Address}
			if len(svc.Checks) == 0 || !fsm.Watches(s, key, o.self) {
				continue
			}
			a := probing{need: svc.ChecksNeeded(), weight: srv.Weight, through: fsm.ProbesThrough(s, key, o.self)}
			for i, c := range svc.Checks {
				t := probes[i].At(srv.Address)
				if !a.through || c.Through != fsm.ThroughForwarding {
					byID[t.ID] = t
					a.ids, a.checks = append(a.ids, t.ID), append(a.checks, i)
					continue
				}
				for _, vip := range fsm.ThroughVIPs(s, key, o.self) {
					path := pathOf(vip, svc, srv)
					t := throughTarget(t, vip.Address.Addr(), cmp.Or(c.Port, svc.OnlyPort()), path)
					o.paths[t.ID], o.vips[t.ID] = path, t.Addr.Addr()
					byID[t.ID] = t
					a.ids, a.checks = append(a.ids, t.ID), append(a.checks, i)
				}
			}
			o.servers[key] = a
		}
	}
	o.wanted = make(map[string]bool, len(byID))
	for id := range byID {
		o.wanted[id] = true
	}
	maps.DeleteFunc(o.results, func(id string, _ health.Transition) bool { return !o.wanted[id] })
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
	out := make([]health.Target, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) { // names are sorted, as a target is large
		out = append(out, byID[id])
	}
	return out
}

// transition takes a probe's change and passes on the servers whose observation changes with it.
func (o *observer) transition(t health.Transition) {
	o.mu.Lock()
	wanted, probe := o.wanted[t.ID], t.ID
	if wanted { // else it was decided just before the probe was given up
		o.results[t.ID] = t
	}
	if vip, through := o.vips[t.ID]; through && t.Up && !o.proved[vip] {
		o.proved[vip], probe = true, "" // what was held back of others is said now
	}
	o.mu.Unlock()
	if wanted {
		o.refresh(probe)
	}
}

// refresh passes on the observations that are news, of the servers that need the probe, or of all when probe is "". They
// are passed on under the lock: the last word on a server must be the last that is heard.
func (o *observer) refresh(probe string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var changed []cluster.Observation
	for key, a := range o.servers {
		if probe != "" && !slices.Contains(a.ids, probe) {
			continue
		}
		if obs, known := o.combine(key, a); known && o.sent[key] != obs {
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
