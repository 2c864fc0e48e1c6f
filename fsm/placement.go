package fsm

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// place gives a home to the units that have none. Preferred nodes come first. The rest is weighted rendezvous with bounded
// load: units that can go to the same nodes share these by weight, so that each node ends with the number of VIPs that is its
// share rounded down or up, and within these shares a unit goes to the node where its rendezvous cost is lowest. A node that
// has more than its share already (because VIPs stay where they are) gets nothing, and the others share the rest.
func (p *planner) place(units []*unit) {
	var rest []*unit
	for _, u := range units {
		seats := p.lightest(u, p.seats(u))
		if best := p.mostPreferred(u, seats); best >= 0 {
			p.settle(u, best, fmt.Sprintf("%s is the most preferred node that is able", p.nodes[best].ID))
			continue
		}
		u.class = classOf(seats, p.nodes)
		if !strings.Contains(u.class, "1") {
			continue // nobody
		}
		rest = append(rest, u)
	}
	// Those with the least choice choose first; among equals the large ones, while there is room for them.
	slices.SortFunc(rest, func(a, b *unit) int {
		return cmp.Or(cmp.Compare(strings.Count(a.class, "1"), strings.Count(b.class, "1")), strings.Compare(a.class, b.class),
			cmp.Compare(len(b.members), len(a.members)), strings.Compare(a.id, b.id))
	})
	for len(rest) > 0 {
		n, size := 0, 0
		for n < len(rest) && rest[n].class == rest[0].class {
			size += len(rest[n].members)
			n++
		}
		share := shares(p.load, p.weights(rest[0].class), size, p.costs(rest[0].id))
		for _, u := range rest[:n] {
			p.seat(u, share)
		}
		rest = rest[n:]
	}
}

// seats are the nodes where a unit without home may be placed: those that are open, without those that came back a short
// time ago, or that would not know the connections of what is served, unless there is no other.
func (p *planner) seats(u *unit) []bool {
	seats := make([]bool, len(u.open))
	any, served := false, p.served(u)
	for i, open := range u.open {
		seats[i] = open && !p.rests[i] && !(served && p.behind[i])
		any = any || seats[i] && (p.nodes[i].Weight > 0 || slices.Contains(u.prefer, p.nodes[i].ID))
	}
	if !any {
		return u.open
	}
	return seats
}

// served reports whether a node that is able has a member of the unit: it may wait there until another one is ready for it.
func (p *planner) served(u *unit) bool {
	return slices.ContainsFunc(u.members, func(m member) bool { i := p.owner(m); return i >= 0 && p.h.Able[m.rec.Owner] && p.failing(u, i) == "" })
}

// classOf is a string with a 1 for each node that the unit may go to by its weight.
func classOf(open []bool, nodes []Node) string {
	b := make([]byte, len(open))
	for i := range b {
		b[i] = '0'
		if open[i] && nodes[i].Weight > 0 {
			b[i] = '1'
		}
	}
	return string(b)
}

// weights are those of the nodes in the class, and 0 for the others.
func (p *planner) weights(class string) []int {
	w := make([]int, len(class))
	for i := range w {
		if class[i] == '1' {
			w[i] = min(p.nodes[i].Weight, MaxWeight)
		}
	}
	return w
}

// costs are the rendezvous costs of a unit on every node.
func (p *planner) costs(id string) []uint64 {
	out := make([]uint64, len(p.hashes))
	for i := range p.hashes {
		out[i] = p.cost(id, i)
	}
	return out
}

// cost is the rendezvous cost of a unit on node i.
func (p *planner) cost(id string, i int) uint64 { return negLog(hashPair(hashText(id), p.hashes[i])) }

// mostPreferred is the first open node of the unit's list, or -1.
func (p *planner) mostPreferred(u *unit, open []bool) int {
	for _, id := range u.prefer {
		if i, ok := p.index[id]; ok && open[i] {
			return i
		}
	}
	return -1
}

// seat puts one unit on a node of its class.
func (p *planner) seat(u *unit, share []int) {
	costs := p.costs(u.id)
	weights := p.weights(u.class)
	size := len(u.members)
	best, bestFits := -1, false
	choices := 0
	for i, w := range weights {
		if w == 0 {
			continue
		}
		choices++
		cost := costs[i]
		fits := p.load[i]+size <= share[i]
		var better bool
		switch {
		case best < 0 || fits != bestFits:
			better = best < 0 || fits
		case fits:
			better = cheaper(cost, w, costs[best], weights[best])
		default: // a group larger than any share: where it does the least harm
			a, b := (p.load[i]+size)*weights[best], (p.load[best]+size)*w
			better = a < b || a == b && cheaper(cost, w, costs[best], weights[best])
		}
		if better {
			best, bestFits = i, fits
		}
	}
	why := fmt.Sprintf("%s has %s, and its share by weight is %d", p.nodes[best].ID, plural(p.load[best], "VIP"), share[best])
	if choices == 1 {
		why = fmt.Sprintf("%s is the only node that is able", p.nodes[best].ID)
		if u.class != classOf(p.lightest(u, u.open), p.nodes) {
			why += " and not held down"
		}
	}
	p.settle(u, best, why)
}

// shares splits the VIPs that are on the nodes of positive weight, and add more, among these nodes by weight. Nobody's
// share is less than its load: a node above its share keeps what it has, and the others share the rest.
func shares(load, weights []int, add int, tie []uint64) []int {
	open := slices.Clone(weights)
	for {
		total := add
		for i, w := range open {
			if w > 0 {
				total += load[i]
			}
		}
		out := largestRemainder(total, open, tie)
		over := false
		for i, w := range open {
			if w > 0 && out[i] < load[i] {
				open[i], over = 0, true
			}
		}
		if !over {
			return out
		}
	}
}

// largestRemainder splits total by weight (Hamilton's method): each gets its exact share rounded down, and what is left
// goes, one each, to those that lost most by rounding; to the lower tie where they lost the same.
func largestRemainder(total int, weights []int, tie []uint64) []int {
	out := make([]int, len(weights))
	sum := 0
	for _, w := range weights {
		sum += w
	}
	if sum == 0 {
		return out
	}
	left := total
	var order []int
	for i, w := range weights {
		if w > 0 {
			out[i] = total * w / sum
			left -= out[i]
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(total*weights[b]%sum, total*weights[a]%sum), cmp.Compare(tie[a], tie[b]))
	})
	for _, i := range order[:left] {
		out[i]++
	}
	return out
}
