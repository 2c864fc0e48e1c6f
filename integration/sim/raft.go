package sim

import (
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// This file is the model of Raft: one log, entries that commit where the leader reaches a majority of the voters, leaders
// that are deposed without knowing it, followers that lag.

// electionMin and electionSpread bound how long voters wait before they elect another leader.
const (
	electionMin    = 80 * time.Millisecond
	electionSpread = 120 * time.Millisecond
)

// quorate reports whether l reaches a majority of the voters, itself included.
func (w *World) quorate(l *node) bool {
	return w.isVoter(l.member()) && w.reachable(l) > len(w.voters)/2
}

func (w *World) reachable(l *node) int {
	n := 0
	for _, v := range w.voters {
		if x := w.byID[v.Node]; x.up && !x.frozen && x.disk.store == v.Store && w.net.both(l.id, x.id) {
			n++
		}
	}
	return n
}

func (w *World) isVoter(g fsm.Grantor) bool {
	for _, v := range w.voters {
		if v == g {
			return true
		}
	}
	return false
}

// leader is the node that leads the newest term, nil while there is none.
func (w *World) leader() *node {
	for _, n := range w.nodes {
		if n.up && n.lead != 0 && n.lead == w.term {
			return n
		}
	}
	return nil
}

// raftTick lets leaders send heartbeats, notice that they are alone, and voters elect.
func (w *World) raftTick() {
	w.after(10*time.Millisecond, w.raftTick)
	for _, l := range w.nodes {
		if !l.up || l.frozen || l.lead == 0 {
			continue
		}
		if w.quorate(l) {
			l.alone = 0
		} else if l.alone == 0 {
			l.alone = w.now
		}
		deposed := l.lead != w.term
		if deposed && w.leader() != nil && w.net.both(l.id, w.leader().id) || l.alone > 0 && w.now-l.alone > electionMin {
			w.tracef("%s steps down from term %d", l.id, l.lead)
			l.lead = 0
			l.step(lease.Follow{})
			continue
		}
		if !deposed {
			if len(w.limbo) > 0 && l.alone == 0 {
				w.flush(l)
			}
			w.replicate(l)
		}
	}
	l := w.leader()
	if l != nil && !l.frozen && w.quorate(l) {
		w.headless = 0
		return
	}
	if w.headless == 0 {
		w.headless = w.now + electionMin + time.Duration(w.rng.Int63n(int64(electionSpread)))
	}
	if w.now < w.headless {
		return
	}
	var can []*node
	for _, n := range w.nodes {
		if !n.frozen && w.electable(n) {
			can = append(can, n)
		}
	}
	if len(can) == 0 {
		return
	}
	w.elect(can[w.rng.Intn(len(can))])
}

// electable reports whether a majority would vote for n.
func (w *World) electable(n *node) bool {
	return n.up && n.disk.have == len(w.log) && n.lead == 0 && w.quorate(n) && !w.removing[n.disk.store]
}

// succeed has n stand for election in its turn, if the leader is still the one that is silent, whether it lives or not.
func (w *World) succeed(n *node, e lease.LeaderSilent) {
	n.on(time.Duration(e.Turn)*electionMin/4+2*w.net.latency()+n.fsync(), func() {
		if l := w.leader(); l != nil && l.id == e.Leader && w.electable(n) {
			w.happened["leader succeeded"]++
			w.elect(n)
		}
	})
}

// elect makes n the leader of a new term. Entries of the last leader that it may have had are committed, or not.
func (w *World) elect(n *node) {
	w.term++
	w.headless = 0
	w.tracef("%s leads term %d", n.id, w.term)
	n.lead, n.alone, n.busy = w.term, 0, false
	n.fences, n.raises, n.allowed = map[fsm.NodeID]lease.FenceReady{}, map[fsm.NodeID]lease.RaiseWanted{}, lease.GrantorChangeAllowed{}
	limbo := w.limbo
	w.limbo = nil
	if k := w.rng.Intn(len(limbo) + 1); k > 0 {
		w.commitAll(n, limbo[:k]) // as far as it has the last leader's log
	}
	w.commit(n, fsm.Command{}) // a leader's first entry
	w.elected = len(w.log)
	n.step(lease.Lead{Term: w.term, LastIndex: uint64(len(w.log))})
	n.apply(len(w.log))
}

// replicate brings the log to the followers that the leader reaches.
func (w *World) replicate(l *node) {
	upTo := len(w.log)
	for _, f := range w.nodes {
		if f == l || !f.up || !w.net.both(l.id, f.id) || w.removed[f.disk.store] {
			continue
		}
		d := w.net.latency()
		if f.slow > 0 {
			d += f.slow
		}
		term := w.term
		f.on(d, func() {
			if w.term != term {
				return
			}
			f.disk.have = max(f.disk.have, upTo)
			f.apply(upTo)
			if f.lead == 0 {
				f.step(lease.Follow{Leader: l.id})
			}
		})
	}
}

// flush commits what the leader appended while it did not reach a majority: in Raft nothing overtakes it.
func (w *World) flush(l *node) {
	limbo := w.limbo
	w.limbo = nil
	w.commitAll(l, limbo)
	l.apply(len(w.log))
}

func (w *World) commitAll(l *node, cs []fsm.Command) {
	for _, c := range cs {
		res := w.commit(l, c)
		w.tracef("%s commits %d, late: %s (err %v, refused %d)", l.id, len(w.log), describe(c), res.Err, len(res.Refused))
	}
}

// commit appends an entry for good: it is on the leader's disk and on those of a majority.
func (w *World) commit(l *node, c fsm.Command) fsm.Result {
	index := uint64(len(w.log) + 1)
	s, res := w.states[len(w.log)].Apply(index, c)
	w.log = append(w.log, c)
	w.states = append(w.states, s)
	l.disk.have = len(w.log)
	for _, v := range w.voters {
		if x := w.byID[v.Node]; x != l && x.up && !x.frozen && x.disk.store == v.Store && w.net.both(l.id, x.id) {
			x.disk.have = len(w.log)
		}
	}
	w.checkEpochs(w.states[len(w.states)-2], s)
	w.longestLinger = max(w.longestLinger, lease.LongestLinger(s.Config.Settings.Profile.Timing()))
	if res.Err == nil {
		w.count(c)
		if s.Config.Settings.Profile != w.states[len(w.states)-2].Config.Settings.Profile {
			w.happened["profile changed"]++
		}
		if c.Fenced != nil {
			w.fenced[c.Fenced.Node] = max(w.fenced[c.Fenced.Node], c.Fenced.Epoch)
			w.dirty = true
		}
		if d := c.SetDrain; d != nil && d.Leaving {
			w.removing[s.Nodes[d.Node].Store] = true
		}
		if c.RemoveNode != nil {
			w.left(*c.RemoveNode)
		}
	}
	return res
}

// patience is how long the one who proposed something waits for its commit. After that it is uncertain, and goes on.
const patience = 150 * time.Millisecond

// propose commits c after the time that takes, if n still leads then; else it is lost, or turns up later. done is called
// once, when that is known or when patience has run out.
func (w *World) propose(n *node, c fsm.Command, done func(fsm.Result, bool)) {
	c.Schema = n.state.Schema
	c.At = w.wall(n)
	if wire, err := fsm.Encode(c); err != nil {
		w.fail("encode %+v: %v", c, err)
	} else if c, err = fsm.Decode(wire); err != nil {
		w.fail("decode %s: %v", wire, err)
	}
	w.proposed = append(w.proposed, c)
	term := n.lead
	takes := w.net.latency()*2 + n.fsync()
	answer := func(res fsm.Result, ok bool) {
		if f := done; f != nil {
			done = nil
			f(res, ok)
		}
	}
	if takes > patience {
		n.on(patience, func() { answer(fsm.Result{}, false) })
	}
	n.on(takes, func() {
		switch {
		case n.lead == term && term == w.term && w.quorate(n):
			w.flush(n)
			res := w.commit(n, c)
			w.tracef("%s commits %d: %s (err %v, refused %d)", n.id, len(w.log), describe(c), res.Err, len(res.Refused))
			n.apply(len(w.log))
			w.replicate(n)
			answer(res, true)
		default:
			if n.lead == term && term == w.term {
				w.limbo = append(w.limbo, c)
			}
			answer(fsm.Result{}, false)
		}
	})
}

// transfer hands leadership to another node, if that is possible.
func (w *World) transfer(from *node, to fsm.NodeID) {
	t := w.byID[to]
	if t == nil || t == from || !t.up || t.frozen || from.lead != w.term || from.lead == 0 || t.disk.have != len(w.log) || !w.isVoter(t.member()) {
		return
	}
	from.on(w.net.latency(), func() {
		if from.lead == w.term && t.up && !t.frozen && t.disk.have == len(w.log) && w.quorate(t) {
			from.lead = 0
			from.step(lease.Follow{Leader: t.id})
			w.elect(t)
		}
	})
}

// left is what happens to a node once it has been removed: its store is worth nothing any more, and it comes back as
// another member.
func (w *World) left(r fsm.RemoveNode) {
	delete(w.removing, r.Store)
	w.removed[r.Store] = true
	n := w.byID[r.Node]
	if n == nil || n.disk.store != r.Store {
		return
	}
	if n.up {
		n.crash()
	}
	n.disk = w.newDisk()
	w.joining[n.disk.store] = true
	w.after(200*time.Millisecond, func() { w.revive(n) })
}

// count keeps the books of what a schedule really did.
func (w *World) count(c fsm.Command) {
	switch {
	case c.Fenced != nil:
		w.happened["fenced"]++
		w.happened["moved by fence"] += len(c.Fenced.Moves)
	case c.Raise != nil:
		w.happened["raised"]++
	case c.SetGrantors != nil:
		w.happened["grantors changed"]++
	case c.RemoveNode != nil:
		w.happened["node removed"]++
	case c.PutNode != nil:
		w.happened["node joined"]++
	case c.Configure != nil:
		w.happened["configured"]++
	case c.SetNodeHealth != nil:
		w.happened["check said"]++
	case c.SetPaths != nil:
		w.happened["path cut"]++
	case c.Decide != nil:
		for _, r := range c.Decide.Release {
			switch r.Reason.Code {
			case fsm.ReasonUnhealthy:
				w.happened["left a failing check"]++
			case fsm.ReasonPath:
				w.happened["left a cut path"]++
			}
		}
		for _, a := range c.Decide.Assign {
			if a.ReleaseIndex != 0 {
				w.happened["handed over"]++
			}
		}
	}
}
