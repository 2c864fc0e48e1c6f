package sim

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"time"

	"quorate/fsm"
)

// operator changes something now and then, through whoever leads or thinks so.
func (w *World) operator() {
	w.after(time.Duration(w.rng.Int63n(int64(600*time.Millisecond))), func() {
		if w.now >= w.opt.Faults {
			w.resumeAll()
			return
		}
		for _, i := range w.rng.Perm(len(w.nodes)) {
			if l := w.nodes[i]; l.up && !l.frozen && l.lead != 0 {
				if c, ok := w.wish(l.state); ok {
					w.propose(l, c, func(fsm.Result, bool) { l.on(0, l.duty) })
				}
				break
			}
		}
		w.operator()
	})
}

// resumeAll takes draining back, so that after the faults there is somebody who may own things, and long leases, which a schedule
// is too short for.
func (w *World) resumeAll() {
	if l := w.leader(); l != nil && !l.frozen {
		if c := cloneConfig(l.state.Config); c.Settings.Profile == fsm.WAN {
			c.Settings.Profile = fsm.LAN
			w.propose(l, fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}}, func(fsm.Result, bool) { l.on(0, l.duty) })
		}
		for _, id := range nodeIDs(l.state) {
			if nd := l.state.Nodes[id]; nd.Draining && !nd.Leaving {
				w.propose(l, fsm.Command{SetDrain: &fsm.SetDrain{Node: id}}, func(fsm.Result, bool) { l.on(0, l.duty) })
			}
		}
	}
	w.after(300*time.Millisecond, w.resumeAll)
}

// wish is one thing that an operator may want of a cluster in state s.
func (w *World) wish(s *fsm.State) (fsm.Command, bool) {
	ids := nodeIDs(s)
	id := ids[w.rng.Intn(len(ids))]
	keys := make([]fsm.AddressKey, 0, len(s.Assignments))
	for k := range s.Assignments {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, fsm.AddressKey.Compare)
	switch w.rng.Intn(9) {
	case 0, 1, 2: // vip move
		if len(keys) == 0 {
			return fsm.Command{}, false
		}
		a := s.Assignments[keys[w.rng.Intn(len(keys))]]
		if a.Owner == "" || a.Owner == id {
			return fsm.Command{}, false
		}
		return fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{
			Key: a.Key, Epoch: a.Epoch, To: id, Reason: fsm.Reason{Code: fsm.ReasonRequested},
		}}}}, true
	case 3:
		return fsm.Command{SetDrain: &fsm.SetDrain{Node: id, Draining: !s.Nodes[id].Draining}}, true
	case 4, 5: // the address of one VIP under another name, on another network, or with another prefix
		c := cloneConfig(s.Config)
		names := slices.Sorted(maps.Keys(c.VIPs))
		if len(names) == 0 {
			return fsm.Command{}, false
		}
		v := c.VIPs[names[w.rng.Intn(len(names))]]
		delete(c.VIPs, v.Name)
		switch w.rng.Intn(5) {
		case 0, 1:
			v.Name += "x"
			if len(v.Name) > 8 {
				v.Name = v.Name[:1]
			}
			if _, taken := c.VIPs[v.Name]; taken {
				return fsm.Command{}, false
			}
		case 2:
			if v.Network = "other"; w.rng.Intn(2) == 0 {
				v.Network = ""
			}
		default:
			v.Address = netip.PrefixFrom(v.Address.Addr(), 24+w.rng.Intn(3))
		}
		c.VIPs[v.Name] = v
		return fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}}, true
	case 6: // one VIP away, or all back
		c := cloneConfig(s.Config)
		if names := slices.Sorted(maps.Keys(c.VIPs)); len(names) > 2 {
			delete(c.VIPs, names[w.rng.Intn(len(names))])
		} else {
			c = w.config(c.Settings.Profile)
		}
		return fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}}, true
	case 7:
		c := cloneConfig(s.Config)
		c.Settings.Profile = []fsm.Profile{fsm.LAN, fsm.LAN, fsm.Fast, fsm.WAN}[w.rng.Intn(4)]
		return fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}}, true
	default: // a node leaves for good, another comes
		if len(s.Grantors.Members) < 4 || len(w.removing) > 0 {
			if len(w.nodes) < 5 && len(w.joining) == 0 && w.rng.Intn(2) == 0 {
				n := w.addNode(fsm.NodeID("x" + string(rune('1'+len(w.nodes)))))
				w.joining[n.disk.store] = true
				n.start()
			}
			return fsm.Command{}, false
		}
		return fsm.Command{SetDrain: &fsm.SetDrain{Node: id, Draining: true, Leaving: true}}, true
	}
}

func cloneConfig(c fsm.Config) fsm.Config {
	c.VIPs = maps.Clone(c.VIPs)
	return c
}

// describe names a command for the trace.
func describe(c fsm.Command) string {
	b, _ := json.Marshal(c)
	if len(b) > 400 {
		b = append(b[:400], "…"...)
	}
	return string(b)
}
