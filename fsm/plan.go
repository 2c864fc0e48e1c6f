package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Hints are what the leader knows beyond the agreed state.
type Hints struct {
	// Able holds the nodes that are ready to own VIPs: reachable, past their start barrier, holding a lease. A node that is
	// absent is not able, and gets nothing. It loses nothing either: only a fence takes VIPs from a node that is silent.
	Able map[NodeID]bool
	// Ending holds the nodes whose agent has been asked to end. They get nothing, and what they own goes to others that are
	// able; without any they keep it, for as long as they last.
	Ending map[NodeID]bool
	// Confirmed holds, for each address, the index of the release that its owner has confirmed.
	Confirmed map[AddressKey]uint64
	// Now is the time by the leader's clock; it may have been set forth or back. With the zero time no hold-down and no budget
	// is kept.
	Now time.Time
}

// Plan works out the decisions that should be committed next; false means that there are none. It is a pure function: the
// same state and hints give the same plan. Applying a plan and planning again with the same hints gives nothing (but what a
// release has ended for, by a hand-over or by staying, may then be moved for balance), and Apply refuses none of its decisions on the state it was made for.
//
// It moves a VIP only for a cause: a router outside the cluster has it; its owner drains, leaves, is about to end or can no longer serve it; a more preferred node is able and
// preempt is on; its checks say that it must not have it, or another has a better score by them; it is not where the rest of its group is; the configuration changed it; or, with rebalance on, another node
// has less for its weight. Moves for preference and balance are few and not too soon: see Settings and Flap.
func Plan(s *State, h Hints) (Decide, bool) { return planWithin(s, h, s.budgetAt(h.Now).left()) }

// planWithin is Plan with a given budget.
func planWithin(s *State, h Hints, budget int) (Decide, bool) {
	p := newPlanner(s, h, "")
	p.budget = budget
	p.findHomes()
	d := p.decisions()
	return d, len(d.Assign)+len(d.Release)+len(d.Cancel)+len(d.Back) > 0
}

// PlanFence makes the entry that takes everything from node n, whose epoch is e: its VIPs go to other able nodes. Those that
// nobody else can have lose their owner by Apply. text says what was seen, for people.
func PlanFence(s *State, h Hints, n NodeID, e Epoch, grantorIndex uint64, text string) Fenced {
	p := newPlanner(s, h, n)
	p.findHomes()
	f := Fenced{Node: n, Epoch: e, GrantorIndex: grantorIndex, Text: text}
	for _, u := range p.units {
		for _, m := range u.members {
			if m.rec.Owner != n || !p.mayGet(u, m) {
				continue
			}
			to := p.nodes[u.home]
			f.Moves = append(f.Moves, Move{Key: m.key, VIP: m.vip.Name, Epoch: m.rec.Epoch, To: to.ID, ToEpoch: to.Epoch,
				Reason: Reason{ReasonFenced, fmt.Sprintf("%s was fenced; %s", n, u.why)}})
		}
	}
	return f
}

// planner is the work of one Plan.
type planner struct {
	s      *State
	h      Hints
	fenced NodeID // this node owns nothing any more and gets nothing

	nodes  []Node // sorted
	index  map[NodeID]int
	ready  []bool   // may be given something
	hashes []uint64 // of the nodes' names
	load   []int    // VIPs that each node has when all that is decided so far is done
	rests  []bool   // came back a short time ago: nothing is moved there for preference or balance
	behind []bool   // does not have the others' connections yet: what is served elsewhere is not moved there
	budget int      // how many such moves may begin
	units  []*unit  // sorted by id
	held   contested
	need   map[string]needs // of each VIP, by name
	checks []NodeCheck      // by name
	// foreign are the units that a router outside the cluster has, with the virtual router; nil = none.
	foreign map[string]string
}

func newPlanner(s *State, h Hints, fenced NodeID) *planner {
	p := &planner{s: s, h: h, fenced: fenced, need: s.Config.needsOf(), checks: s.Config.nodeChecks(), foreign: s.foreignUnits(),
		index: make(map[NodeID]int, len(s.Nodes))}
	for _, id := range slices.Sorted(maps.Keys(s.Nodes)) {
		p.index[id] = len(p.nodes)
		n := s.Nodes[id]
		p.nodes = append(p.nodes, n)
		p.ready = append(p.ready, id != fenced && h.Able[id] && !h.Ending[id] && !n.Draining && !n.Leaving)
		p.hashes = append(p.hashes, hashText(string(id)))
		_, held := n.Flap.heldUntil(h.Now, s.Config.Settings)
		p.rests = append(p.rests, held)
		p.behind = append(p.behind, n.Facts.Unsynced)
	}
	p.budget = s.budgetAt(h.Now).left()
	p.load = make([]int, len(p.nodes))
	p.held = newContested(s)
	for k, a := range s.Assignments {
		// What this very entry clears is in nobody's way: a Fenced clears what its node owned, and a Decide begins with what is
		// to be forgotten.
		if s.lingers(a) && (a.Owner == fenced || fenced == "" && p.forgets(k, a)) {
			p.held[k.Addr]--
		}
	}
	p.units = p.makeUnits()
	return p
}

// confirmed reports whether the owner has confirmed the release that is pending.
func (p *planner) confirmed(a Assignment) bool {
	return a.Owner != "" && a.Release != nil && p.h.Confirmed[a.Key] == a.Release.Index
}

// forgets reports whether the record is a tombstone of an address that is no longer configured, and its owner is done.
func (p *planner) forgets(k AddressKey, a Assignment) bool {
	if !p.confirmed(a) {
		return false
	}
	_, configured := p.s.VIPByKey(k)
	return !configured
}

// mayGet reports whether the member can be given to the home of its unit now.
func (p *planner) mayGet(u *unit, m member) bool {
	return u.home >= 0 && u.open[u.home] && !p.blocked(m)
}

// blocked reports whether the address is still owned under another network's name, see contested.
func (p *planner) blocked(m member) bool {
	return p.held.beside(m.rec, m.stale && !m.rec.Shadow && m.rec.Owner != p.fenced)
}

// decisions compares where everything is with where its home is.
func (p *planner) decisions() Decide {
	var d Decide
	for _, k := range sortedKeys(p.s.Assignments) {
		a := p.s.Assignments[k]
		_, configured := p.s.VIPByKey(k)
		switch {
		case configured || a.Owner == "":
		case p.forgets(k, a):
			d.Assign = append(d.Assign, Assign{Key: k, VIP: a.VIP, Epoch: a.Epoch, ReleaseIndex: a.Release.Index, Reason: a.Release.Reason})
		case a.Release == nil:
			d.Release = append(d.Release, StartRelease{Key: k, Epoch: a.Epoch, Reason: p.s.Config.tombstoneReason(a, VIP{}, false)})
		}
	}
	for _, u := range p.units {
		for _, m := range u.members {
			switch {
			case m.rec.Owner == "":
			case m.rec.Release == nil:
				p.decideOwned(&d, u, m)
			case m.confirmed:
				p.decideConfirmed(&d, u, m)
			default:
				p.decideReleasing(&d, u, m)
			}
		}
	}
	for _, u := range p.units { // last, because what was given up above may have been in their way
		for _, m := range u.members {
			if m.rec.Owner == "" && p.mayGet(u, m) {
				d.Assign = append(d.Assign, p.assign(m, p.nodes[u.home], Reason{ReasonPlaced, u.why}))
			}
		}
	}
	for _, n := range p.nodes {
		if n.Flap.Away && p.h.Able[n.ID] && !p.h.Now.IsZero() {
			d.Back = append(d.Back, Back{Node: n.ID, Epoch: n.Epoch})
		}
	}
	return d
}

func (p *planner) decideOwned(d *Decide, u *unit, m member) {
	owner := p.index[m.rec.Owner]
	r := StartRelease{Key: m.key, Epoch: m.rec.Epoch}
	switch {
	case m.stale:
		r.Reason = p.s.Config.tombstoneReason(m.rec, m.vip, true)
	case u.foreign != "":
		r.Reason = Reason{ReasonForeignOwner, u.foreign}
	case u.home < 0 && p.lastLeaves(owner):
		r.Reason = Reason{ReasonDrained, fmt.Sprintf("%s is leaving, and no director would remain", m.rec.Owner)}
	case p.failing(u, owner) != "" && !p.mayGet(u, m):
		r.Reason = Reason{ReasonUnhealthy, fmt.Sprintf("%s, and no other node is able: %s", p.failing(u, owner), p.whyNone(u))}
	case u.home == owner || !p.mayGet(u, m) || p.behind[u.home] && p.h.Able[m.rec.Owner] && p.failing(u, owner) == "" && !u.shuns(owner):
		return
	default:
		r.To, r.Reason = p.nodes[u.home].ID, p.moveReason(u, owner)
	}
	d.Release = append(d.Release, r)
}

// decideReleasing keeps a pending release as long as it has a cause.
func (p *planner) decideReleasing(d *Decide, u *unit, m member) {
	if m.stale || u.foreign != "" {
		return
	}
	switch owner := p.index[m.rec.Owner]; {
	case u.home == owner:
		d.Cancel = append(d.Cancel, p.cancel(m, p.keepReason(u, m)))
	case u.home < 0 && !p.lastLeaves(owner) && p.failing(u, owner) == "":
		d.Cancel = append(d.Cancel, p.cancel(m, Reason{ReasonNoNode, "no other node is able: " + p.whyNone(u)}))
	}
}

func (p *planner) decideConfirmed(d *Decide, u *unit, m member) {
	owner := p.index[m.rec.Owner]
	canKeep := u.fit[owner] && p.h.Able[m.rec.Owner]
	failing := p.failing(u, owner)
	var a Assign
	switch {
	case u.foreign != "":
		a = p.assign(m, Node{}, Reason{ReasonForeignOwner, u.foreign})
	case u.home == owner && !m.stale:
		d.Cancel = append(d.Cancel, p.cancel(m, p.keepReason(u, m)))
		return
	case p.mayGet(u, m), u.home == owner && canKeep && !p.blocked(m): // the second keeps what it would not be given
		a = p.assign(m, p.nodes[u.home], p.handOverReason(u, m))
	case p.blocked(m):
		// Two records that wait for each other end when the first is cleared.
		a = p.assign(m, Node{}, m.rec.Release.Reason)
	case u.home >= 0 && !p.unsure(u, u.home):
		return // it waits for its home, which is not able for the moment
	case p.lastLeaves(owner):
		a = p.assign(m, Node{}, m.rec.Release.Reason)
	case failing != "":
		a = p.assign(m, Node{}, Reason{ReasonUnhealthy, fmt.Sprintf("%s, and no other node is able: %s", failing, p.whyNone(u))})
	case canKeep && m.stale:
		a = p.assign(m, p.nodes[owner], Reason{ReasonNoNode, "no other node is able: " + p.whyNone(u)})
	case canKeep:
		// Better an owner that is draining than none.
		d.Cancel = append(d.Cancel, p.cancel(m, Reason{ReasonNoNode, "no other node is able: " + p.whyNone(u)}))
		return
	default:
		a = p.assign(m, Node{}, Reason{ReasonNoNode, "no node is able: " + p.whyNone(u)})
	}
	if m.stale && !m.rec.Shadow {
		p.held[m.key.Addr]--
	}
	d.Assign = append(d.Assign, a)
}

// assign gives the member to a node, or with the zero Node to nobody.
func (p *planner) assign(m member, to Node, why Reason) Assign {
	a := Assign{Key: m.key, VIP: m.vip.Name, Owner: to.ID, OwnerEpoch: to.Epoch, Epoch: m.rec.Epoch, Reason: why}
	if m.rec.Release != nil {
		a.ReleaseIndex = m.rec.Release.Index
	}
	return a
}

func (p *planner) cancel(m member, why Reason) Cancel {
	return Cancel{Key: m.key, ReleaseIndex: m.rec.Release.Index, Reason: why}
}
