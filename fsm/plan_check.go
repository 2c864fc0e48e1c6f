package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// What checks of nodes mean for where VIPs go.
//
// A node on which a required check is down may not own the VIPs that the check is about: it gives them up, to another node or to nobody. One of which it is not
// known keeps what it owns and gets nothing. Checks with a weight give each node a score for a unit, the sum of the weights of those that are down there: a unit goes to
// a node of the highest score that is to be had, and among these by preference and balance as ever. That it moves for a better score waits for the hold-down of the
// unit and of the node, as a move for preference does, but for no budget.

// standing is what the checks of a node say of it as an owner of a unit.
type standing struct {
	failing string // why it may not own it; "" = it may
	unsure  string // why it is not known whether it may; "" = it is
	score   int    // 0, or less
}

// standingOf judges a node by the checks that are about any of the members.
func (p *planner) standingOf(n Node, members []member) (out standing) {
	var failing, unsure []string
	for _, c := range p.checks {
		if !c.On(n) || !concerns(c, members) {
			continue
		}
		switch st := n.Found(c.Name); {
		case st.Verdict == Down && c.Required:
			failing = append(failing, fmt.Sprintf("check %s fails on %s%s", c.Name, n.ID, because(Reason{Text: st.Detail})))
		case st.Verdict == Down:
			out.score += c.Weight
		case st.Verdict != Up && c.Required:
			unsure = append(unsure, fmt.Sprintf("%s has not said yet whether check %s passes", n.ID, c.Name))
		}
	}
	out.failing, out.unsure = strings.Join(failing, ", "), strings.Join(unsure, ", ")
	return out
}

// nodeChecks are the checks in their order.
func (c Config) nodeChecks() (out []NodeCheck) {
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		out = append(out, c.NodeChecks[name])
	}
	return out
}

// failing reports whether the owner may not have the unit because a check of it fails, and why.
func (p *planner) failing(u *unit, owner int) string {
	if u.standings == nil {
		return ""
	}
	return u.standings[owner].failing
}

// unsure reports whether it is not known if node i may have the unit: it keeps what it has of it, and nobody knows for how long it gets no more.
func (p *planner) unsure(u *unit, i int) bool {
	return u.standings != nil && p.h.Able[p.nodes[i].ID] && u.standings[i].unsure != ""
}

func (p *planner) score(u *unit, i int) int {
	if u.standings == nil {
		return 0
	}
	return u.standings[i].score
}

// lightest are those of the nodes that have the highest score of all at which placement could find one.
func (p *planner) lightest(u *unit, nodes []bool) []bool {
	if u.standings == nil {
		return nodes
	}
	best := MinNodeWeight*MaxNodeChecks - 1
	for i, in := range nodes {
		if in && p.takes(u, i) {
			best = max(best, p.score(u, i))
		}
	}
	out := make([]bool, len(nodes))
	for i, in := range nodes {
		out[i] = in && p.score(u, i) >= best
	}
	return out
}

// takes reports whether placement would give the unit to node i at all.
func (p *planner) takes(u *unit, i int) bool {
	return p.nodes[i].Weight > 0 || slices.Contains(u.prefer, p.nodes[i].ID)
}

// outscored reports whether the unit has to leave node i for one with a better score, and says so of the unit.
func (p *planner) outscored(u *unit, i int) bool {
	if u.standings == nil {
		return false
	}
	better := -1
	for j := range p.nodes {
		rests := p.rests[j] || p.behind[j]
		if !u.open[j] || !p.takes(u, j) || p.score(u, j) <= p.score(u, i) || rests && !p.heading(u, j) {
			continue
		}
		if better < 0 || p.score(u, j) > p.score(u, better) {
			better = j
		}
	}
	if better < 0 {
		return false
	}
	heading := slices.ContainsFunc(u.members, func(m member) bool {
		j, known := p.index[releaseTo(m)]
		return known && j != i && u.open[j] && p.score(u, j) > p.score(u, i)
	})
	if !heading && p.settling(u) {
		u.wish = better
		return false
	}
	u.code, u.lost = ReasonUnhealthy, i
	return true
}

func releaseTo(m member) NodeID {
	if m.rec.Release == nil {
		return ""
	}
	return m.rec.Release.To
}

// scoreText says how the scores of two nodes stand.
func (p *planner) scoreText(u *unit, from int) string {
	var names []string
	for _, c := range p.checks {
		if !c.Required && c.On(p.nodes[from]) && p.nodes[from].Found(c.Name).Verdict == Down && concerns(c, u.members) {
			names = append(names, c.Name)
		}
	}
	return fmt.Sprintf("%s has a score of %d (%s)", p.nodes[from].ID, p.score(u, from), cmp.Or(strings.Join(names, ", "), "nothing fails"))
}

// concerns reports whether the check is about any of the members.
func concerns(c NodeCheck, members []member) bool {
	return slices.ContainsFunc(members, func(m member) bool { return c.Concerns(m.vip) })
}

// checkStandings are the checks that concern the unit, as the node finds them.
func (p *planner) checkStandings(u *unit, n Node) (out []CheckStanding) {
	for _, c := range p.checks {
		if c.On(n) && concerns(c, u.members) {
			st := n.Found(c.Name)
			out = append(out, CheckStanding{Check: c.Name, Required: c.Required, Weight: c.Weight, Verdict: st.Verdict, Detail: st.Detail})
		}
	}
	return out
}
