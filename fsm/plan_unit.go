package fsm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// unit is what has one home: a VIP, or all VIPs of a group.
type unit struct {
	id      string // "group/NAME", or the address
	group   string // "" for a single VIP
	members []member
	prefer  []NodeID
	preempt bool

	fit  []bool // for each node: it could own every member, able or not
	open []bool // and may be given them now
	// standings is what the checks say of each node; nil when there are none that concern the unit.
	standings []standing

	foreign string // who outside the cluster has it, so that nobody gets it, and nobody keeps it; "" = nobody

	cut []bool // nodes that do not get it, and do not keep it, as they do not reach the servers; nil = none

	wish  int        // index of the preferred node that it may not move to yet; -1 none
	avoid int        // index of the node that it was asked to leave for any other; -1 none
	home  int        // index of the node on which all members should be; -1 none
	code  ReasonCode // why there, where that is not stickiness
	why   string     // the same as half a sentence
	class string     // see place
	lost  int        // index of the node that it leaves for a better score, with code unhealthy
}

// member is one VIP of a unit and its record.
type member struct {
	vip       VIP
	key       AddressKey
	rec       Assignment // the zero record with its key when there is none
	stale     bool       // somebody owns the address by an earlier configuration of it
	confirmed bool       // the pending release is confirmed
}

// makeUnits is called for each plan, and there may be a thousand VIPs on fifty nodes: it takes memory for all units at once.
func (p *planner) makeUnits() []*unit {
	byID := make(map[string]*unit, len(p.need))
	room, places := make([]unit, 0, len(p.need)), make([]member, len(p.need))
	units := make([]*unit, 0, len(p.need))
	for _, need := range p.need {
		v := need.vip
		k := v.Key()
		id, prefer, preempt := v.unit(), v.Prefer, v.Preempt
		if v.Group != "" {
			g := p.s.Config.Groups[v.Group]
			prefer, preempt = g.Prefer, g.Preempt
		}
		u := byID[id]
		if u == nil {
			room = append(room, unit{id: id, group: v.Group, prefer: prefer, preempt: preempt, home: -1, avoid: -1, wish: -1, members: places[:0:1]})
			u, places = &room[len(room)-1], places[1:]
			byID[id] = u
			units = append(units, u)
		}
		rec := p.s.Assignments[k]
		rec.Key = k
		u.members = append(u.members, member{vip: v, key: k, rec: rec, stale: p.s.Tombstone(rec), confirmed: p.confirmed(rec)})
	}
	bits := make([]bool, 2*len(units)*len(p.nodes))
	take := func() (b []bool) {
		b, bits = bits[:len(p.nodes):len(p.nodes)], bits[len(p.nodes):]
		return b
	}
	for _, u := range units {
		slices.SortFunc(u.members, func(a, b member) int { return a.key.Compare(b.key) })
		u.fit, u.open = take(), take()
		u.foreign = p.foreignText(u.id)
		for i, n := range p.nodes {
			u.fit[i] = true
			for j := range u.members {
				u.fit[i] = u.fit[i] && n.misfit(p.need[u.members[j].vip.Name]) == ""
			}
			u.open[i] = u.fit[i] && p.ready[i]
			if len(p.checks) > 0 {
				st := p.standingOf(n, u.members)
				u.standings = append(u.standings, st)
				u.fit[i] = u.fit[i] && st.failing == ""
				u.open[i] = u.open[i] && st.failing == "" && st.unsure == ""
			}
		}
		p.cut(u)
	}
	slices.SortFunc(units, func(a, b *unit) int { return strings.Compare(a.id, b.id) })
	return units
}

// findHomes settles first what stays or has been decided, so that placement sees how much every node has.
func (p *planner) findHomes() {
	var homeless []*unit
	for _, u := range p.units {
		if u.foreign == "" && !p.requested(u) && !p.incumbent(u) && !p.underWay(u) {
			homeless = append(homeless, u)
		}
	}
	p.place(homeless)
	if p.s.Config.Settings.Rebalance && p.fenced == "" {
		p.rebalance()
	}
}

// settle makes node i the unit's home.
func (p *planner) settle(u *unit, i int, why string) {
	u.home, u.why = i, why
	p.load[i] += len(u.members)
}

// owner is the index of the member's owner, or -1.
func (p *planner) owner(m member) int {
	if i, ok := p.index[m.rec.Owner]; ok && m.rec.Owner != p.fenced {
		return i
	}
	return -1
}

// stays reports whether the member's owner may keep it: it is fit and is not to be emptied. An owner that is not able at the
// moment stays too, because whether it is dead is for a fence to say; but not one that has given the member up.
func (p *planner) stays(u *unit, m member) bool {
	i := p.owner(m)
	return i >= 0 && i != u.avoid && u.fit[i] && !u.shuns(i) && !p.nodes[i].Draining && !p.nodes[i].Leaving && !p.h.Ending[m.rec.Owner] &&
		(!m.confirmed || p.h.Able[m.rec.Owner])
}

// requested follows the newest request, pending or carried out: an operator's, or that of a node which cannot hear the owner on the
// wire. A request that was carried out holds, even against preempt, until the owner cannot have the VIP any more.
func (p *planner) requested(u *unit) bool {
	home, newest := -1, uint64(0)
	take := func(i int, index uint64) {
		if index > newest {
			home, newest = i, index
		}
	}
	for _, m := range u.members {
		rel := m.rec.Release
		if rel == nil || !rel.Reason.Code.asked() {
			continue
		}
		if i, ok := p.index[rel.To]; ok && u.open[i] {
			take(i, rel.Index)
		}
		if i := p.owner(m); i >= 0 && rel.To == "" && p.placeable(u, i) {
			u.avoid, u.open[i] = i, false // anywhere else
		}
	}
	for _, m := range u.members {
		if m.rec.Reason.Code.asked() && p.stays(u, m) {
			take(p.owner(m), uint64(m.rec.Epoch))
		}
	}
	if home < 0 {
		return false
	}
	u.code = ReasonRequested
	what := "it"
	if u.group != "" {
		what = "the group " + u.group
	}
	p.settle(u, home, fmt.Sprintf("%s was requested on %s", what, p.nodes[home].ID))
	return true
}

// placeable reports whether placement would find a node other than i for the unit.
func (p *planner) placeable(u *unit, i int) bool {
	for j, n := range p.nodes {
		if j != i && u.open[j] && (n.Weight > 0 || slices.Contains(u.prefer, n.ID)) {
			return true
		}
	}
	return false
}

// incumbent leaves the unit where most of it is, unless a more preferred node is able and preempt is on.
func (p *planner) incumbent(u *unit) bool {
	votes := make([]int, len(p.nodes))
	expected := make([]bool, len(p.nodes)) // some member is on its way there
	any := false
	for _, m := range u.members {
		if p.stays(u, m) {
			votes[p.owner(m)]++
			any = true
		}
		if rel := m.rec.Release; rel != nil && rel.To != m.rec.Owner {
			if i, ok := p.index[rel.To]; ok {
				expected[i] = true
			}
		}
	}
	if !any {
		return false
	}
	if p.rebalancing(u) {
		return true
	}
	best := -1
	for i, n := range votes {
		if n > 0 && (best < 0 || p.betterHome(u, i, best, votes, expected)) {
			best = i
		}
	}
	if p.outscored(u, best) {
		return false
	}
	if p.preempts(u, best) {
		return true
	}
	why := string(p.nodes[best].ID) + " has it already"
	if u.group != "" {
		why = fmt.Sprintf("the group %s is on %s", u.group, p.nodes[best].ID)
	}
	p.settle(u, best, why)
	return true
}

// preempts takes the unit's most preferred node that is able instead of node i, where preempt is on, once neither hold-down
// nor budget forbids it. A move that has begun goes on.
func (p *planner) preempts(u *unit, i int) bool {
	best := p.mostPreferred(u, p.lightest(u, u.open))
	if !p.wouldPreempt(u, i, best) {
		return false
	}
	if !p.heading(u, best) {
		if u.wish = best; p.rests[best] || p.behind[best] || p.settling(u) || p.budget == 0 {
			return false
		}
		u.wish = -1
		p.budget--
	}
	p.preempt(u, i, best)
	return true
}

// wouldPreempt reports whether the unit should rather be on node best than on node i.
func (p *planner) wouldPreempt(u *unit, i, best int) bool {
	return u.preempt && best >= 0 && rank(u.prefer, p.nodes[best].ID) < rank(u.prefer, p.nodes[i].ID)
}

func (p *planner) preempt(u *unit, i, best int) {
	u.code = ReasonPreempted
	p.settle(u, best, fmt.Sprintf("%s is preferred to %s", p.nodes[best].ID, p.nodes[i].ID))
}

// heading reports whether a member is on its way to node i.
func (p *planner) heading(u *unit, i int) bool {
	return slices.ContainsFunc(u.members, func(m member) bool { return m.rec.Release != nil && m.rec.Release.To == p.nodes[i].ID })
}

// settling reports whether a member failed over or was moved a short time ago.
func (p *planner) settling(u *unit) bool {
	return slices.ContainsFunc(u.members, func(m member) bool {
		_, held := m.rec.Flap.heldUntil(p.h.Now, p.s.Config.Settings)
		return held
	})
}

// betterHome orders two nodes that have members of the unit. A tie goes to the one that members are on their way to, so
// that a move that has begun is finished.
func (p *planner) betterHome(u *unit, a, b int, votes []int, expected []bool) bool {
	if votes[a] != votes[b] {
		return votes[a] > votes[b]
	}
	if expected[a] != expected[b] {
		return expected[a]
	}
	return cmp.Compare(rank(u.prefer, p.nodes[a].ID), rank(u.prefer, p.nodes[b].ID)) < 0
}

// underWay keeps to the node that pending releases name, as long as it may have the unit.
func (p *planner) underWay(u *unit) bool {
	home, newest := -1, uint64(0)
	for _, m := range u.members {
		if rel := m.rec.Release; rel != nil && rel.Index > newest {
			if i, ok := p.index[rel.To]; ok && u.open[i] {
				home, newest = i, rel.Index
			}
		}
	}
	if home < 0 {
		return false
	}
	if u.code == ReasonUnhealthy && p.score(u, home) <= p.score(u, u.lost) {
		return false // it was chosen before the scores became what they are
	}
	if best := p.mostPreferred(u, p.lightest(u, u.open)); u.code != ReasonUnhealthy && p.wouldPreempt(u, home, best) && !p.rests[best] && !p.behind[best] {
		p.preempt(u, home, best) // no need to move it twice
		return true
	}
	p.settle(u, home, fmt.Sprintf("%s was chosen for it", p.nodes[home].ID))
	return true
}

// rank is the place of a node in a list of preference; nodes that are not listed come after all that are.
func rank(prefer []NodeID, id NodeID) int {
	if i := slices.Index(prefer, id); i >= 0 {
		return i
	}
	return len(prefer)
}

// lastLeaves reports whether node i is leaving and no director will remain that its VIPs could wait for.
func (p *planner) lastLeaves(i int) bool {
	return p.nodes[i].Leaving && !slices.ContainsFunc(p.nodes, func(n Node) bool { return n.Role == Director && !n.Leaving })
}
