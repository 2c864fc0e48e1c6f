package fsm

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Explanation says why a VIP is where it is, what would move it and what keeps it.
type Explanation struct {
	VIP     string     `json:"vip"`
	Key     AddressKey `json:"key"`
	Group   string     `json:"group,omitempty"` // whose VIPs move together
	Owner   NodeID     `json:"owner,omitempty"` // "" = nobody has it
	Since   time.Time  `json:"since,omitzero"`  // when Owner got it or, without one, when it was lost; zero = before that was recorded
	Reason  Reason     `json:"reason"`          // of the last decision
	Release *Release   `json:"release,omitempty"`
	// Movers are what would move it, each a sentence; the first is what is under way or waits, if anything does.
	Movers []string `json:"movers"`
	// Holds are what keeps it from being moved for preference or balance now. None of them keeps it from a node that has failed.
	Holds []Hold `json:"holds,omitempty"`
	// Heir is where it would go if its owner died now; "" = nowhere. Zero without an owner.
	Heir       NodeID `json:"heir,omitempty"`
	HeirReason string `json:"heir_reason,omitempty"` // why there, or why nowhere
	// Router is the virtual router that it belongs to, Foreign the router outside the cluster that has it, by that one or by another of its group.
	Router  string        `json:"virtual_router,omitempty"`
	Foreign *ForeignOwner `json:"foreign,omitempty"`
	// ForeignBy is the virtual router by which Foreign has it.
	ForeignBy string     `json:"foreign_by,omitempty"`
	Mode      Mode       `json:"mode,omitempty"`
	Nodes     []Standing `json:"nodes"`  // sorted by name
	Budget    Budget     `json:"budget"` // for moves for preference and balance, of the whole cluster
}

// Hold is one thing that keeps a VIP where it is for some time.
type Hold struct {
	Until time.Time `json:"until,omitzero"` // zero = no time is known
	Text  string    `json:"text"`
}

// Standing is what a node is to a VIP.
type Standing struct {
	Node NodeID `json:"node"`
	// Able says that it could be given the VIP now; WhyNot says otherwise why not.
	Able   bool   `json:"able"`
	WhyNot string `json:"why_not,omitempty"`
	Rank   int    `json:"rank,omitempty"` // its place in prefer, from 1; 0 = not listed
	Weight int    `json:"weight"`
	VIPs   int    `json:"vips"` // that it owns
	// HoldDown is until when nothing is moved there for preference or balance.
	HoldDown time.Time `json:"hold_down,omitzero"`
	Fences   int       `json:"fences,omitempty"` // in a row
	// Score is the sum of the weights of the checks that fail there; 0 = none does. Checks are all that concern the VIP, by name.
	Score  int             `json:"score,omitempty"`
	Checks []CheckStanding `json:"checks,omitempty"`
}

// CheckStanding is one check of a node as it concerns a VIP.
type CheckStanding struct {
	Check    string  `json:"check"`
	Required bool    `json:"required,omitempty"`
	Weight   int     `json:"weight,omitempty"`
	Verdict  Verdict `json:"verdict"`
	Detail   string  `json:"detail,omitempty"`
}

// Explain explains the VIP that is configured at the address; ok is false where there is none. It tells what Plan would do with
// the same hints.
func Explain(s *State, h Hints, k AddressKey) (x Explanation, ok bool) {
	v, ok := s.VIPByKey(k)
	if !ok {
		return Explanation{}, false
	}
	p := newPlanner(s, h, "")
	p.findHomes()
	u := p.unitWith(k)
	rec := s.Assignments[k]
	rec.Key = k
	x = Explanation{VIP: v.Name, Key: k, Group: v.Group, Owner: rec.Owner, Since: rec.Since, Reason: rec.Reason, Release: rec.Release,
		Nodes: p.standings(u), Budget: s.budgetAt(h.Now)}
	x.Router, x.Mode = v.RouterName(), s.Config.ModeOf(v)
	if f, ok := s.Foreign[p.foreign[u.id]]; ok {
		x.Foreign, x.ForeignBy = &f, p.foreign[u.id]
	}
	x.Holds = p.holds(u)
	x.Movers = p.movers(u, rec)
	if rec.Owner != "" {
		x.Heir, x.HeirReason = heir(s, h, rec)
	}
	return x, true
}

// unitWith is the unit that has the address, which is configured.
func (p *planner) unitWith(k AddressKey) *unit {
	i := slices.IndexFunc(p.units, func(u *unit) bool {
		return slices.ContainsFunc(u.members, func(m member) bool { return m.key == k })
	})
	return p.units[i]
}

func (p *planner) standings(u *unit) []Standing {
	out := make([]Standing, len(p.nodes))
	for i, n := range p.nodes {
		out[i] = Standing{Node: n.ID, WhyNot: p.whyNot(u, i), Rank: slices.Index(u.prefer, n.ID) + 1, Weight: n.Weight, VIPs: len(p.s.Owned(n.ID))}
		out[i].Able = out[i].WhyNot == ""
		out[i].Score, out[i].Checks = p.score(u, i), p.checkStandings(u, n)
		if n.Flap.recentAt(p.h.Now) {
			out[i].Fences = n.Flap.Count
		}
		out[i].HoldDown, _ = n.Flap.heldUntil(p.h.Now, p.s.Config.Settings)
	}
	return out
}

// holds says what keeps the unit from moves for preference and balance.
func (p *planner) holds(u *unit) (out []Hold) {
	settings := p.s.Config.Settings
	if u.wish >= 0 && p.rests[u.wish] {
		n := p.nodes[u.wish]
		until, _ := n.Flap.heldUntil(p.h.Now, settings)
		text := fmt.Sprintf("%s is held down for %v after it came back%s", n.ID, n.Flap.hold(settings), n.Flap.inARow("it was fenced"))
		if n.Flap.Away {
			text = fmt.Sprintf("%s was fenced, and its return has not been recorded yet", n.ID)
		}
		out = append(out, Hold{until, text})
	}
	for _, i := range []int{u.wish, u.home} {
		if i >= 0 && p.behind[i] && p.served(u) && !slices.ContainsFunc(u.members, func(m member) bool { return p.owner(m) == i }) {
			out = append(out, Hold{Text: fmt.Sprintf("%s does not have the connections of the other directors yet", p.nodes[i].ID)})
		}
	}
	if u.wish >= 0 || u.preempt || settings.Rebalance && len(u.prefer) == 0 {
		for _, m := range u.members {
			if until, held := m.rec.Flap.heldUntil(p.h.Now, settings); held {
				out = append(out, Hold{until, fmt.Sprintf("%s is held down for %v after its last move%s", m.vip.Name, m.rec.Flap.hold(settings),
					m.rec.Flap.inARow("it failed over"))})
			}
		}
	}
	if b := p.s.budgetAt(p.h.Now); b.left() == 0 {
		out = append(out, Hold{b.Free, fmt.Sprintf("the cluster has begun %s for preference or balance in the last minute, and max_moves_per_minute is %d",
			plural(b.Used, "move"), b.Max)})
	}
	return out
}

// movers says what would move the unit's member with the record.
func (p *planner) movers(u *unit, rec Assignment) []string {
	i, known := p.index[rec.Owner]
	if !known {
		return []string{p.whyUnowned(u, rec)}
	}
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	home := u.home
	switch {
	case rec.Release != nil && rec.Release.To != "" && rec.Release.To != rec.Owner:
		say("it is moving: %s hands it to %s (%s)", rec.Owner, rec.Release.To, rec.Release.Reason.Text)
	case rec.Release != nil:
		say("%s gives it up (%s)", rec.Owner, rec.Release.Reason.Text)
	case u.foreign != "":
		say("the next plan takes it from %s: %s", rec.Owner, u.foreign)
	case home >= 0 && home != i:
		say("the next plan moves it to %s: %s", p.nodes[home].ID, p.moveReason(u, i).Text)
	}
	if u.wish >= 0 && p.score(u, u.wish) > p.score(u, i) {
		say("%s, and %s has %d: it goes there as soon as nothing holds it", p.scoreText(u, i), p.nodes[u.wish].ID, p.score(u, u.wish))
	}
	if p.nodes[i].cutFrom(u) && !u.shuns(i) {
		say("%s: it goes to one that does as soon as one is able", whyCut(p.nodes[i]))
	}
	requested := u.code == ReasonRequested
	better := p.preferredTo(u, i)
	switch {
	case requested && home == i:
		say("it was requested on %s: preference and balance leave it there until %s cannot have it", rec.Owner, rec.Owner)
	case len(u.prefer) == 0:
	case u.wish >= 0 && p.score(u, u.wish) == p.score(u, i):
		say("%s is preferred and able: it goes there as soon as nothing holds it", p.nodes[u.wish].ID)
	case len(better) > 0 && u.preempt && home == i:
		say("a more preferred node that becomes able: %s", strings.Join(better, "; "))
	case len(better) > 0 && !u.preempt:
		say("preference does not: preempt is off (%s)", strings.Join(better, ", "))
	}
	switch {
	case requested, !p.s.Config.Settings.Rebalance && len(u.prefer) > 0:
	case !p.s.Config.Settings.Rebalance:
		say("balance does not: rebalance is off")
	case len(u.prefer) > 0:
		say("balance does not: it has a preference")
	case u.code == "" && home == i:
		say("balance, once another node has, for its weight, more than a tenth less than %s and at least one whole VIP", rec.Owner)
	}
	if slices.ContainsFunc(p.checks, func(c NodeCheck) bool { return c.Required && concerns(c, u.members) }) {
		say("a required check that fails on %s", rec.Owner)
	}
	say("%s is drained, leaves, is fenced or can no longer serve it, or an operator moves it", rec.Owner)
	return out
}

// preferredTo lists the nodes that the unit prefers to node i, with what keeps them from having it.
func (p *planner) preferredTo(u *unit, i int) (out []string) {
	for _, id := range u.prefer[:rank(u.prefer, p.nodes[i].ID)] {
		j, known := p.index[id]
		switch {
		case !known:
			out = append(out, fmt.Sprintf("%s is no member", id))
		case p.whyNot(u, j) != "":
			out = append(out, p.whyNot(u, j))
		default:
			out = append(out, fmt.Sprintf("%s is able", id))
		}
	}
	return out
}

// whyUnowned says what a VIP without owner waits for.
func (p *planner) whyUnowned(u *unit, rec Assignment) string {
	m := u.members[slices.IndexFunc(u.members, func(m member) bool { return m.key == rec.Key })]
	switch {
	case u.foreign != "":
		return p.foreignEnds(u)
	case p.mayGet(u, m):
		return fmt.Sprintf("the next plan gives it to %s: %s", p.nodes[u.home].ID, u.why)
	case p.blocked(m):
		return "the address has not been given up under its earlier network yet"
	default:
		return "a node that becomes able: " + p.whyNone(u)
	}
}

// heir is where the record's address would go if its owner were fenced now, and why.
func heir(s *State, h Hints, rec Assignment) (NodeID, string) {
	p := newPlanner(s, h, rec.Owner)
	p.findHomes()
	u := p.unitWith(rec.Key)
	for _, m := range u.members {
		switch {
		case m.key != rec.Key:
		case u.foreign != "":
			return "", u.foreign
		case p.mayGet(u, m):
			return p.nodes[u.home].ID, u.why
		case p.blocked(m):
			return "", "the address has not been given up under its earlier network yet"
		}
	}
	return "", "no other node is able: " + p.whyNone(u)
}
