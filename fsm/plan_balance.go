package fsm

import (
	"cmp"
	"fmt"
	"slices"
)

// rebalance moves units from nodes that have much for their weight to nodes that have little, the fullest and the emptiest
// first, as long as a move is worth it and the budget lasts.
//
// Each such move makes the sum of load²/weight smaller, because the fuller node is not left below the other one. So there is
// no way back and there are no circles, and a number of moves ends it. What place has spread by weight is never worth a move.
func (p *planner) rebalance() {
	at := make([][]*unit, len(p.nodes)) // what may move away from each node
	for _, u := range p.units {
		if p.mayBalance(u) && !p.settling(u) {
			at[u.home] = append(at[u.home], u)
		}
	}
	for p.budget > 0 {
		u, to := p.bestMove(at)
		if u == nil {
			return
		}
		from := u.home
		at[from] = slices.DeleteFunc(at[from], func(x *unit) bool { return x == u })
		why := fmt.Sprintf("%s has %s at weight %d, %s has %d at weight %d", p.nodes[from].ID, plural(p.load[from], "VIP"), p.nodes[from].Weight,
			p.nodes[to].ID, p.load[to], p.nodes[to].Weight)
		p.load[from] -= len(u.members)
		u.code = ReasonRebalanced
		p.settle(u, to, why)
		p.budget--
	}
}

// mayBalance reports whether the unit is where only balance could move it from: it is served there, nobody asked for it to
// be there, and no preference says where it should be.
func (p *planner) mayBalance(u *unit) bool {
	return u.home >= 0 && u.code == "" && len(u.prefer) == 0 && p.h.Able[p.nodes[u.home].ID] &&
		!slices.ContainsFunc(u.members, func(m member) bool { return p.owner(m) != u.home || m.rec.Release != nil || m.stale })
}

// bestMove is the unit of at whose move is worth most, and where it goes; nil when none is.
func (p *planner) bestMove(at [][]*unit) (*unit, int) {
	full, empty := p.byLoad(at)
	for _, from := range full {
		for _, to := range empty {
			var best *unit
			for _, u := range at[from] {
				if u.open[to] && p.score(u, to) >= p.score(u, from) && p.worth(from, to, len(u.members)) && (best == nil || p.fitsBetter(u, best, to)) {
					best = u
				}
			}
			if best != nil {
				return best, to
			}
		}
	}
	return nil, -1
}

// byLoad lists the nodes that something can be taken from, the fullest for their weight first, and those that something can
// be given to, the emptiest first.
func (p *planner) byLoad(at [][]*unit) (full, empty []int) {
	for i, n := range p.nodes {
		if len(at[i]) > 0 {
			full = append(full, i)
		}
		if p.ready[i] && !p.rests[i] && !p.behind[i] && n.Weight > 0 {
			empty = append(empty, i)
		}
	}
	// A node of weight 0 that has something is fuller than any other.
	order := func(a, b int) int {
		return cmp.Or(cmp.Compare(p.load[a]*p.nodes[b].Weight, p.load[b]*p.nodes[a].Weight), cmp.Compare(p.load[a], p.load[b]))
	}
	slices.SortStableFunc(full, func(a, b int) int { return order(b, a) })
	slices.SortStableFunc(empty, order)
	return full, empty
}

// worth reports whether the move of size VIPs is: for their weights, from has more than a tenth more than to, and is not left
// with less than to will have. Between equal nodes the second means a difference of two VIPs at least: after less, they would
// only have changed places.
func (p *planner) worth(from, to, size int) bool {
	a, b := p.load[from], p.load[to]
	wa, wb := p.nodes[from].Weight, p.nodes[to].Weight
	return (a-size)*wb >= (b+size)*wa && 10*a*wb > 11*b*wa
}

// fitsBetter orders two units that could move to node to: the larger saves moves; else the one that rendezvous would
// rather have there.
func (p *planner) fitsBetter(u, v *unit, to int) bool {
	if len(u.members) != len(v.members) {
		return len(u.members) > len(v.members)
	}
	return p.cost(u.id, to) < p.cost(v.id, to) // the earlier one by its id where they are equal
}

// rebalancing lets a move for balance that has begun go on.
func (p *planner) rebalancing(u *unit) bool {
	for _, m := range u.members {
		rel := m.rec.Release
		if rel == nil || rel.Reason.Code != ReasonRebalanced || m.stale {
			continue
		}
		if i, ok := p.index[rel.To]; ok && u.open[i] {
			u.code = ReasonRebalanced
			p.settle(u, i, rel.Reason.Text)
			return true
		}
	}
	return false
}
