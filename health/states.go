package health

// States returns what is known of some targets, in the order of the IDs; those that are not there are left out.
func (g *Engine) States(ids ...string) []State {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]State, 0, len(ids))
	for _, id := range ids {
		if e, ok := g.entries[id]; ok {
			out = append(out, e.full())
		}
	}
	return out
}

// full is the entry's state with what the target, the tracker and the schedule say.
func (e *entry) full() State {
	s := e.state
	s.Target, s.Verdict = *e.target, e.tracker.Verdict()
	s.OK, s.Streak = e.tracker.Streak()
	if e.index >= 0 {
		s.Next = e.due
	}
	return s
}
