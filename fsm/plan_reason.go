package fsm

import (
	"cmp"
	"fmt"
	"slices"
)

// moveReason says why the unit's home is not where owner is.
func (p *planner) moveReason(u *unit, owner int) Reason {
	from := p.nodes[owner]
	switch {
	case from.Leaving:
		return Reason{ReasonDrained, fmt.Sprintf("%s is leaving; %s", from.ID, u.why)}
	case from.Draining:
		return Reason{ReasonDrained, fmt.Sprintf("%s is draining; %s", from.ID, u.why)}
	case p.h.Ending[from.ID]:
		return Reason{ReasonDrained, fmt.Sprintf("the agent of %s ends; %s", from.ID, u.why)}
	case p.failing(u, owner) != "":
		return Reason{ReasonUnhealthy, fmt.Sprintf("%s; %s", p.failing(u, owner), u.why)}
	case !u.fit[owner]:
		return Reason{ReasonUnable, fmt.Sprintf("%s; %s", p.whyNot(u, owner), u.why)}
	case u.code == ReasonUnhealthy:
		return Reason{ReasonUnhealthy, fmt.Sprintf("%s; %s", p.scoreText(u, owner), u.why)}
	case u.shuns(owner):
		return Reason{ReasonPath, fmt.Sprintf("%s; %s", whyCut(from), u.why)}
	case u.code == ReasonPreempted, u.code == ReasonRebalanced:
		return Reason{u.code, u.why}
	default:
		return Reason{ReasonGrouped, u.why}
	}
}

// handOverReason says why a member whose owner has confirmed gets the unit's home as its owner.
func (p *planner) handOverReason(u *unit, m member) Reason {
	home, rel := p.nodes[u.home].ID, m.rec.Release
	switch {
	case home == m.rec.Owner && m.rec.Reason.Code.asked():
		return m.rec.Reason // it stays requested
	case home == m.rec.Owner:
		return Reason{rel.Reason.Code, fmt.Sprintf("%s; it stays on %s", rel.Reason.Text, home)}
	case home == rel.To:
		return rel.Reason
	case u.code != "": // requested or preferred there since
		return Reason{u.code, u.why}
	case rel.Reason.Code == ReasonRemoved, rel.Reason.Code == ReasonRequested && rel.To != "":
		return Reason{ReasonPlaced, fmt.Sprintf("%s; %s", rel.Reason.Text, u.why)}
	case rel.To == "":
		return Reason{rel.Reason.Code, fmt.Sprintf("%s; %s", rel.Reason.Text, u.why)}
	default:
		return Reason{rel.Reason.Code, fmt.Sprintf("%s was to have it; %s", rel.To, u.why)}
	}
}

// keepReason says why the owner does not have to release the member any more.
func (p *planner) keepReason(u *unit, m member) Reason {
	rel := m.rec.Release
	to, known := p.index[rel.To]
	switch {
	case !rel.Reason.Code.asked() || u.code == ReasonRequested:
		return Reason{ReasonSuperseded, fmt.Sprintf("what %s was to release it for has changed", m.rec.Owner)}
	case rel.To == "":
		return Reason{ReasonNoNode, "no other node is able: " + p.whyNone(u)}
	case known && !u.open[to]:
		return Reason{ReasonNoNode, "it was requested elsewhere, but " + p.whyNot(u, to)}
	default:
		return Reason{ReasonNoNode, fmt.Sprintf("it was requested on %s, which has gone", rel.To)}
	}
}

// whyNone says why no node may have the unit.
func (p *planner) whyNone(u *unit) string {
	var reasons []string
	for i, n := range p.nodes {
		if n.ID != p.fenced { // of whom this is the question
			reasons = append(reasons, p.whyNot(u, i))
		}
	}
	return firstOf(slices.DeleteFunc(reasons, func(s string) bool { return s == "" }), "there are none")
}

// whyNot says why node i may not have the unit, or "" if it may.
func (p *planner) whyNot(u *unit, i int) string {
	n := p.nodes[i]
	for _, m := range u.members {
		if why := n.misfit(p.need[m.vip.Name]); why != "" {
			return why
		}
	}
	if u.standings != nil && n.Role == Director {
		if st := u.standings[i]; st.failing != "" || st.unsure != "" {
			return cmp.Or(st.failing, st.unsure)
		}
	}
	switch {
	case n.ID == p.fenced:
		return fmt.Sprintf("%s is fenced", n.ID)
	case n.Leaving:
		return fmt.Sprintf("%s is leaving", n.ID)
	case n.Draining:
		return fmt.Sprintf("%s is draining", n.ID)
	case p.h.Ending[n.ID]:
		return fmt.Sprintf("the agent of %s ends", n.ID)
	case !p.h.Able[n.ID]:
		return fmt.Sprintf("%s is not ready", n.ID)
	case u.shuns(i):
		return whyCut(n)
	case i == u.avoid:
		return fmt.Sprintf("it was asked to leave %s", n.ID)
	case n.Weight <= 0 && !slices.Contains(u.prefer, n.ID):
		return fmt.Sprintf("%s has weight 0", n.ID)
	case u.foreign != "":
		return u.foreign
	}
	return ""
}

// Wait is a VIP that the planner would place or move if some node were able.
type Wait struct {
	Key   AddressKey `json:"key"`
	VIP   string     `json:"vip"`
	Owner NodeID     `json:"owner,omitempty"` // that it cannot leave; "" = nobody has it
	// Reason says why, node by node, e.g. {no-node, "n1 is draining, but no other node is able: n2 is not ready"}.
	Reason Reason `json:"reason"`
}

// Waiting lists the VIPs that have no owner, or whose owner should not have them, because no node is able. Sorted by key.
func Waiting(s *State, h Hints) []Wait {
	p := newPlanner(s, h, "")
	p.findHomes()
	var out []Wait
	for _, u := range p.units {
		for _, m := range u.members {
			w := Wait{Key: m.key, VIP: m.vip.Name, Owner: m.rec.Owner, Reason: Reason{Code: ReasonNoNode}}
			i := p.owner(m)
			switch {
			case u.foreign != "" && i >= 0:
				continue // it is being taken away
			case u.foreign != "":
				w.Reason = Reason{ReasonForeignOwner, u.foreign}
			case i < 0 && p.mayGet(u, m), i >= 0 && u.home == i, u.home >= 0 && p.mayGet(u, m):
				continue
			case p.blocked(m):
				w.Reason.Text = "the address has not been given up under its earlier network yet"
			case u.home >= 0:
				w.Reason.Text = fmt.Sprintf("%s, and %s", u.why, p.whyNot(u, u.home))
			case i < 0:
				w.Reason.Text = "no node is able: " + p.whyNone(u)
			case m.rec.Release != nil && p.lastLeaves(i):
				continue
			default:
				w.Reason.Text = fmt.Sprintf("no node but %s is able: %s", m.rec.Owner, p.whyNone(u))
			}
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b Wait) int { return a.Key.Compare(b.Key) })
	return out
}
