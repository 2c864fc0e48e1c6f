package whole

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"quorate/cluster"
	"quorate/fsm"
)

// operate is what an operator does while things break.
func (w *World) operate() {
	w.mu.Lock()
	rng := w.random()
	w.mu.Unlock()
	for n := 0; pause(w.chaos, below(rng, 500*time.Millisecond)); n++ {
		m, p := w.any(rng)
		if m == nil {
			continue
		}
		switch rng.IntN(11) {
		case 0:
			w.leave(m, p)
		case 1:
			w.grew(rng)
		case 2:
			w.breaks.Go(func() { w.resign(m, p) })
		default:
			if c, ok := wish(rng, n, p.node.State()); ok {
				d := 100*time.Millisecond + below(rng, 2*time.Second)
				w.breaks.Go(func() { w.propose(p, d, c) })
			}
		}
	}
}

// propose proposes a command at a node and notes what came of it.
func (w *World) propose(p *process, d time.Duration, c fsm.Command) {
	ctx, cancel := context.WithTimeout(w.ctx, d)
	defer cancel()
	r, err := p.propose(ctx, c)
	if c.Configure != nil {
		w.journal.configured(*c.Configure, r, w.verdict(p, err))
	}
	if err == nil {
		w.did("op " + c.Kind())
	}
}

// resign makes a node hand the leadership over, if it has it.
func (w *World) resign(m *machine, p *process) {
	ctx, cancel := context.WithTimeout(w.ctx, 2*time.Second)
	defer cancel()
	if leader, ok := p.node.Leader(); !ok || leader != m.id {
		return
	}
	err := p.node.Resign(ctx)
	w.tracef("%s resigns: %v", m.id, err)
	if now, _ := p.node.Leader(); err == nil && now != m.id {
		w.did("resigned")
	}
}

// wish is one thing that an operator may want of a cluster in state s; n is a number that no other wish has.
func wish(rng *rand.Rand, n int, s *fsm.State) (fsm.Command, bool) {
	no := fsm.Command{}
	ids := slices.Sorted(maps.Keys(s.Nodes))
	names := slices.Sorted(maps.Keys(s.Config.VIPs))
	if len(ids) == 0 || len(names) == 0 {
		return no, false
	}
	id, v := ids[rng.IntN(len(ids))], s.Config.VIPs[names[rng.IntN(len(names))]]
	c := s.Config
	c.VIPs = maps.Clone(c.VIPs)
	switch rng.IntN(9) {
	case 0, 1, 2:
		a := s.Assignments[v.Key()]
		if a.Owner == "" || a.Owner == id {
			return no, false
		}
		return fsm.Command{Actor: "operator", Decide: &fsm.Decide{Release: []fsm.StartRelease{{
			Key: a.Key, Epoch: a.Epoch, To: id, Reason: fsm.Reason{Code: fsm.ReasonRequested},
		}}}}, true
	case 3:
		return fsm.Command{Actor: "operator", SetDrain: &fsm.SetDrain{Node: id, Draining: !s.Nodes[id].Draining}}, true
	case 4: // another name for the same address
		delete(c.VIPs, v.Name)
		v.Name = fmt.Sprintf("v%d", n)
		c.VIPs[v.Name] = v
	case 5: // another network, another prefix
		if v.Address = netip.PrefixFrom(v.Address.Addr(), 24+rng.IntN(3)); rng.IntN(2) == 0 {
			if v.Network = "other"; rng.IntN(2) == 0 {
				v.Network = ""
			}
		}
		c.VIPs[v.Name] = v
	case 6: // one away, or one more
		if len(names) > 2 {
			delete(c.VIPs, v.Name)
			break
		}
		for i := range 4 {
			v := fsm.VIP{Name: fmt.Sprintf("w%d-%d", n, i), Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}), 24)}
			if !slices.ContainsFunc(slices.Collect(maps.Values(c.VIPs)), func(o fsm.VIP) bool { return o.Address.Addr() == v.Address.Addr() }) {
				c.VIPs[v.Name] = v
			}
		}
	case 7:
		c.Settings.Profile = []fsm.Profile{fsm.LAN, fsm.LAN, fsm.Fast}[rng.IntN(3)]
	default: // only what tells this configuration from all others
	}
	tag := fmt.Sprintf("g%d", n)
	c.Groups = map[string]fsm.Group{tag: {Name: tag}}
	return fsm.Command{Actor: "operator", Configure: &fsm.Configure{Base: s.ConfigVersion, Config: c}}, true
}

// resume ends all draining, so that after the faults there is somebody who may own things.
func (w *World) resume() {
	rng := rand.New(rand.NewPCG(uint64(w.opt.Seed), 3))
	for {
		if _, p := w.any(rng); p != nil {
			for id, n := range p.node.State().Nodes {
				if n.Draining && !n.Leaving {
					w.propose(p, time.Second, fsm.Command{Actor: "operator", SetDrain: &fsm.SetDrain{Node: id}})
				}
			}
		}
		if !pause(w.ctx, 100*time.Millisecond) {
			return
		}
	}
}

// grew adds a machine, while there are few.
func (w *World) grew(rng *rand.Rand) {
	w.mu.Lock()
	n := len(w.machines)
	w.mu.Unlock()
	if n >= 5 || rng.IntN(3) > 0 || !w.settled() || !w.busy.CompareAndSwap(false, true) {
		return
	}
	w.mu.Lock()
	m := w.add(fmt.Sprintf("x%d", n+1))
	w.spread()
	w.mu.Unlock()
	w.did("fresh node")
	m.boot()
	w.parts.Go(w.untilSettled)
}

// leave takes a node out for good; then it joins as another.
func (w *World) leave(m *machine, p *process) {
	w.mu.Lock()
	few := len(w.machines) < 3
	w.mu.Unlock()
	if few || !w.settled() || !w.busy.CompareAndSwap(false, true) {
		return
	}
	w.tracef("%s leaves", m.id)
	w.parts.Go(func() {
		ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
		defer cancel()
		if !p.reach(ctx) {
			w.untilSettled()
			return
		}
		err := p.node.Leave(ctx)
		w.tracef("%s has left: %v", m.id, err)
		if err == nil {
			w.did("left")
		}
		w.untilSettled()
	})
}

// keep makes a node that is in no cluster a member: one that is new or has left, and, after its old self was removed, one
// that has lost its disk.
func (p *process) keep(ctx context.Context) {
	w := p.m.w
	w.mu.Lock()
	rng := w.random()
	w.mu.Unlock()
	for pause(ctx, 100*time.Millisecond) {
		p.wait()
		w.mu.Lock()
		token := w.token
		w.mu.Unlock()
		if token == "" || p.node.Lease() != nil {
			continue
		}
		o, via := w.any(rng, p.m)
		if o == nil || !via.member() {
			continue
		}
		limit, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := p.node.Join(limit, o.addr(), token)
		if errors.Is(err, fsm.ErrNameTaken) && via.reach(limit) {
			if err := via.node.Remove(limit, p.m.id); err == nil {
				w.did("removed")
			}
		}
		cancel()
		if err == nil {
			w.tracef("%s joined through %s", p.m.id, o.id)
			w.did("joined")
		} else if !errors.Is(err, cluster.ErrAlreadyMember) {
			w.tracef("%s cannot join through %s: %v", p.m.id, o.id, err)
		}
	}
}

// member reports whether the node is past the start barrier of a membership.
func (p *process) member() bool {
	if p.node.Lease() == nil {
		return false
	}
	select {
	case <-p.node.Ready():
		return true
	default:
		return false
	}
}
