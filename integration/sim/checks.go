package sim

import (
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// This file is the model of checks of nodes, of which each process tells the leader what it finds, and of faults of paths, which a leader finds and agrees upon. Both have
// VIPs move, while everything else is at fault too.

// The checks that the schedules play with.
const (
	program = "program" // required, for the group
	uplink  = "uplink"  // has a weight, for all
)

// nodeChecks are those.
func nodeChecks() map[string]fsm.NodeCheck {
	one := []fsm.Check{{Type: fsm.CheckProcess, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1, Process: &fsm.ProcessCheck{Process: "haproxy", Least: 1}}}
	return map[string]fsm.NodeCheck{
		program: {Name: program, Required: true, Groups: []string{"pair"}, Checks: one},
		uplink:  {Name: uplink, Weight: -20, Checks: one},
	}
}

// checking has the cluster agree on the checks, and again when the operator has dropped them, and what they find change.
func (w *World) checking() {
	w.checked = w.opt.Seed%3 != 0
	if !w.checked {
		return
	}
	for _, n := range w.nodes {
		if n.up {
			n.tell()
		}
	}
	w.agreeOnChecks()
	w.checkFaults()
}

func (w *World) agreeOnChecks() {
	if l := w.leader(); l != nil && !l.frozen && len(l.state.Config.NodeChecks) == 0 {
		c := cloneConfig(l.state.Config)
		c.NodeChecks = nodeChecks()
		w.propose(l, fsm.Command{Configure: &fsm.Configure{Force: true, Config: c}}, func(fsm.Result, bool) { l.on(0, l.duty) })
	}
	w.after(300*time.Millisecond, w.agreeOnChecks)
}

// checkFaults has a check fail or pass, or a path cut or mended, now and then.
func (w *World) checkFaults() {
	w.after(time.Duration(w.rng.Int63n(int64(400*time.Millisecond))), func() {
		if w.now >= w.opt.Faults {
			return
		}
		n := w.nodes[w.rng.Intn(len(w.nodes))]
		switch w.rng.Intn(6) {
		case 0, 1:
			n.failing[program] = !n.failing[program]
		case 2:
			n.failing[uplink] = !n.failing[uplink]
		case 3:
			down := w.rng.Intn(3) == 0 // something that all have in common
			for _, x := range w.nodes {
				x.failing[program] = down
			}
		default:
			w.cutPath(n, w.rng.Intn(2) == 0)
		}
		w.checkFaults()
	})
}

// cutPath has a leader find that a node does not reach the servers of a VIP, or does again.
func (w *World) cutPath(n *node, cut bool) {
	l := w.leader()
	if l == nil || l.frozen {
		return
	}
	names := slices.Sorted(maps.Keys(l.state.Config.VIPs))
	if len(names) == 0 {
		return
	}
	edge := fsm.PathEdge{Node: n.id, VIP: names[w.rng.Intn(len(names))], Cut: cut}
	w.propose(l, fsm.Command{SetPaths: &fsm.SetPaths{Edges: []fsm.PathEdge{edge}}}, func(fsm.Result, bool) { l.on(0, l.duty) })
}

// someFail leaves the checks of some nodes failing for good when all else is healed, and the paths as they are: who has none that fails has to serve.
func (w *World) someFail() {
	well := w.rng.Intn(len(w.nodes))
	for i, n := range w.nodes {
		n.failing[program] = i != well && w.rng.Intn(3) == 0
	}
}

// tell has the leader know what the process finds and what is not agreed of it, for as long as the process runs (agent's nodeChecks).
func (n *node) tell() {
	w := n.w
	n.knows = false
	n.on(time.Duration(w.rng.Int63n(int64(200*time.Millisecond))), func() { n.knows = true })
	n.tellOn()
}

func (n *node) tellOn() {
	w := n.w
	n.on(40*time.Millisecond, n.tellOn)
	l := w.leader()
	found := n.news(n.state)
	if l == nil || !n.ready || len(found) == 0 || w.now < n.told+patience {
		return
	}
	n.told = w.now
	c := fsm.Command{SetNodeHealth: &fsm.SetNodeHealth{Node: n.id, Store: n.disk.store, Found: found}}
	w.net.send(n.id, l.id, func() {
		if l.up && !l.frozen && l.lead != 0 {
			w.propose(l, c, func(fsm.Result, bool) { l.on(0, l.duty) })
		}
	})
}

// news is what the node finds and what is not agreed of it.
func (n *node) news(s *fsm.State) map[string]fsm.Finding {
	me, out := s.Nodes[n.id], map[string]fsm.Finding{}
	if me.Store != n.disk.store {
		return nil
	}
	for _, c := range s.Config.NodeChecksOf(me) {
		v := fsm.Up
		switch {
		case !n.knows:
			v = fsm.Unknown
		case n.failing[c.Name]:
			v = fsm.Down
		}
		if me.Found(c.Name).Verdict != v {
			out[c.Name] = fsm.Finding{Verdict: v}
		}
	}
	return out
}

// barred says why a node may not be given a VIP by its required checks; "" = it may. VIPs of a group go together.
func barred(s *fsm.State, vip string, id fsm.NodeID) string {
	v, n := s.Config.VIPs[vip], s.Nodes[id]
	for _, c := range s.Config.NodeChecksOf(n) {
		if st := n.Found(c.Name).Verdict; c.Required && c.Concerns(v) && st != fsm.Up {
			return "check " + c.Name + " is " + string(st)
		}
	}
	return ""
}

// eligible reports whether some node may have the VIP for good.
func eligible(s *fsm.State, vip string) bool {
	for id, n := range s.Nodes {
		if !n.Draining && !n.Leaving && barred(s, vip, id) == "" {
			return true
		}
	}
	return false
}
