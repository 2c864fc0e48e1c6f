package lease

import (
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// raft elects leaders and adds what they propose.
func (w *walk) raft() {
	if w.leader != nil && w.leader.stuck > w.now && w.rng.IntN(400) == 0 {
		w.leader = nil
		w.elect = w.now + w.upTo(100*time.Millisecond)
	}
	if w.leader == nil && w.now >= w.elect {
		x := w.nodes[w.rng.IntN(len(w.nodes))]
		if w.heir != nil {
			x, w.heir = w.heir, nil
		}
		if x.up && x.stuck <= w.now {
			w.leader = x
			w.term++
			x.leads = w.term
			for _, y := range w.nodes {
				y.told = w.now + w.upTo(60*time.Millisecond)
				if w.rng.IntN(4) == 0 {
					y.told += w.upTo(time.Second) // hears of it late; may still believe to lead
				}
			}
			w.commit(fsm.Command{Schema: fsm.MaxSchema})
			w.step(x, Lead{Term: w.term, LastIndex: uint64(len(w.log) - 1)})
		}
	}
	if x := w.leader; x != nil && x.up && x.stuck <= w.now && (w.rng.IntN(60) == 0 || w.busy && w.rng.IntN(10) == 0) {
		w.operate(x)
	}
	todo := w.todo
	w.todo = nil
	for _, p := range todo {
		switch {
		case p.at > w.now:
			w.todo = append(w.todo, p)
		case p.by == w.leader && p.term == w.term && p.by.leads == w.term && p.by.up:
			if c, ok := p.make(w.head()); ok {
				if (w.mutant == "no-cas-epoch" || w.mutant == "no-cas-set") && c.Fenced != nil {
					f := *c.Fenced
					if w.mutant == "no-cas-epoch" {
						f.Epoch = w.head().Nodes[f.Node].Epoch
					} else {
						f.GrantorIndex = w.head().Grantors.Index
					}
					c.Fenced = &f
				}
				w.commit(c)
			}
		}
	}
}

// propose adds to the log a little later, if the proposer still leads then.
func (w *walk) propose(x *walker, make func(*fsm.State) (fsm.Command, bool)) {
	wait := w.upTo(10 * time.Millisecond)
	if w.rng.IntN(8) == 0 {
		wait = w.upTo(150 * time.Millisecond)
	}
	w.todo = append(w.todo, proposal{at: w.now + wait, by: x, term: x.leads, make: make})
}

func (w *walk) leaderEvent(x *walker, e LeaderEvent) {
	switch e := e.(type) {
	case FenceReady:
		hints := x.m.Hints(w.clock(x))
		w.propose(x, func(*fsm.State) (fsm.Command, bool) {
			f := fsm.PlanFence(w.log[x.applied], hints, e.Node, e.Epoch, e.GrantorIndex, e.Text)
			return fsm.Command{Schema: fsm.MaxSchema, Fenced: &f}, true
		})
	case RaiseWanted:
		w.propose(x, func(*fsm.State) (fsm.Command, bool) {
			return fsm.Command{Schema: fsm.MaxSchema, Raise: &fsm.Raise{Node: e.Node, Epoch: e.Epoch}}, true
		})
	case Confirmed:
		w.propose(x, func(s *fsm.State) (fsm.Command, bool) { return w.handOver(s, e.Key, e.ReleaseIndex) })
	case GrantorChangeAllowed:
		x.allowed = e
	}
}

// handOver assigns a released address on.
func (w *walk) handOver(s *fsm.State, k fsm.AddressKey, index uint64) (fsm.Command, bool) {
	a := s.Assignments[k]
	if a.Release == nil {
		return fsm.Command{}, false
	}
	to := s.Nodes[a.Release.To]
	return fsm.Command{Schema: fsm.MaxSchema, Decide: &fsm.Decide{Assign: []fsm.Assign{{Key: k, VIP: a.VIP, Owner: to.ID, OwnerEpoch: to.Epoch,
		Epoch: a.Epoch, ReleaseIndex: index, Reason: fsm.Reason{Code: fsm.ReasonRequested}}}}}, true
}

// operate proposes something at random.
func (w *walk) operate(x *walker) {
	s := w.log[x.applied]
	keys := slices.SortedFunc(maps.Keys(s.Assignments), fsm.AddressKey.Compare)
	any := s.Nodes[w.nodes[w.rng.IntN(len(w.nodes))].self.Node]
	switch r := w.rng.IntN(100); {
	case r < 50:
		d, ok := fsm.Plan(s, x.m.Hints(w.clock(x)))
		w.propose(x, func(*fsm.State) (fsm.Command, bool) { return fsm.Command{Schema: fsm.MaxSchema, Decide: &d}, ok })
	case w.quiet:
	case r < 75 && len(keys) > 0:
		a := s.Assignments[keys[w.rng.IntN(len(keys))]]
		if a.Release != nil && w.mutant == "no-confirm" {
			w.propose(x, func(s *fsm.State) (fsm.Command, bool) { return w.handOver(s, a.Key, a.Release.Index) })
		} else if a.Release != nil {
			if w.rng.IntN(8) != 0 {
				return
			}
			w.propose(x, func(*fsm.State) (fsm.Command, bool) {
				return fsm.Command{Schema: fsm.MaxSchema, Decide: &fsm.Decide{Cancel: []fsm.Cancel{{Key: a.Key, ReleaseIndex: a.Release.Index}}}}, true
			})
		} else {
			w.propose(x, func(*fsm.State) (fsm.Command, bool) {
				return fsm.Command{Schema: fsm.MaxSchema, Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: a.Key, Epoch: a.Epoch, To: any.ID}}}}, true
			})
		}
	case r < 90:
		set := s.Grantors
		if w.mutant != "no-voter-rule" && (x.allowed.Index != set.Index || x.allowed.Term != x.leads) {
			return
		}
		g := fsm.Grantor{Node: any.ID, Store: any.Store}
		members := slices.Clone(set.Members)
		if i := slices.Index(members, g); i < 0 {
			members = append(members, g)
		} else if len(members) > 2 {
			members = slices.Delete(members, i, i+1)
		}
		w.propose(x, func(*fsm.State) (fsm.Command, bool) {
			return fsm.Command{Schema: fsm.MaxSchema, SetGrantors: &fsm.SetGrantors{Prev: set.Index, Members: members}}, true
		})
	case r < 93:
		w.propose(x, func(*fsm.State) (fsm.Command, bool) {
			return fsm.Command{Schema: fsm.MaxSchema, Raise: &fsm.Raise{Node: any.ID, Epoch: any.Epoch}}, true
		})
	case r < 95:
		profile := []fsm.Profile{fsm.LAN, fsm.Fast}[w.rng.IntN(2)]
		w.propose(x, func(s *fsm.State) (fsm.Command, bool) {
			cfg := s.Config
			cfg.Settings.Profile = profile
			return fsm.Command{Schema: fsm.MaxSchema, Configure: &fsm.Configure{Force: true, Config: cfg}}, true
		})
	}
}
