package fsm

import "maps"

// Preview is what applying a configuration would do.
type Preview struct {
	Changes []Change      `json:"changes"`
	Moves   []PlannedMove `json:"moves"`
}

// PlannedMove is a VIP that gets another owner, or gets the same one anew.
type PlannedMove struct {
	Key    AddressKey `json:"key"`
	VIP    string     `json:"vip"`
	From   NodeID     `json:"from,omitempty"` // "" = nobody has it now
	To     NodeID     `json:"to,omitempty"`   // "" = nobody will; equal to From when the address is only taken off and put on again
	Reason Reason     `json:"reason"`
}

// PreviewConfig works out what would change and which VIPs would move if c were applied to s, by applying it to a copy and
// following the plan to its end as if every owner confirmed at once, and as if any number of moves might begin in a minute. What is
// held down stays. With problems there are no moves.
func PreviewConfig(s *State, c Config, h Hints) (Preview, Problems) {
	problems := c.Validate()
	if len(problems) == 0 {
		problems = c.CheckNodes(s.Nodes)
	}
	pre := Preview{Changes: Diff(s.Config, c)}
	if len(problems) > 0 {
		return pre, problems
	}
	end, res := s.Apply(s.Index+1, Command{At: h.Now, Configure: &Configure{Base: s.ConfigVersion, Config: c}})
	if res.Err != nil {
		return pre, Problems{{Object: "cluster", What: res.Err.Error()}}
	}
	end = follow(end, h)

	all := maps.Clone(s.Assignments)
	if all == nil {
		all = map[AddressKey]Assignment{}
	}
	maps.Copy(all, end.Assignments)
	for _, k := range sortedKeys(all) {
		was, is := s.Assignments[k], end.Assignments[k]
		if was.Epoch == is.Epoch || was.Owner == "" && is.Owner == "" {
			continue
		}
		m := PlannedMove{Key: k, VIP: is.VIP, From: was.Owner, To: is.Owner, Reason: is.Reason}
		if is.VIP == "" {
			m.VIP, m.Reason = was.VIP, c.tombstoneReason(was, VIP{}, false)
		}
		pre.Moves = append(pre.Moves, m)
	}
	return pre, nil
}

// follow carries out plans until nothing is left to do.
func follow(s *State, h Hints) *State {
	const rounds = 8 // a release, its hand-over and what that made room for; a plan that never ends must not hang the caller
	for range rounds {
		h.Confirmed = map[AddressKey]uint64{}
		for k, a := range s.Assignments {
			if a.Release != nil {
				h.Confirmed[k] = a.Release.Index
			}
		}
		d, ok := planWithin(s, h, noBudget)
		if !ok {
			return s
		}
		s, _ = s.Apply(s.Index+1, Command{At: h.Now, Decide: &d})
	}
	return s
}
