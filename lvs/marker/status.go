package marker

import (
	"fmt"
	"slices"

	"quorate/lvs"
)

// status is that of the inner plane, with the matches.
func (t *turn) status() lvs.Status {
	st := t.inner
	st.Changed, st.Changes = t.changed, t.changes[:min(len(t.changes), 5)]
	byKey := make(map[lvs.Key]*lvs.ServiceStatus, len(st.Services))
	st.Services = slices.Clone(st.Services)
	for i := range st.Services {
		byKey[st.Services[i].Key] = &st.Services[i]
	}
	have := t.matches(byKey)
	var more []lvs.ServiceStatus
	for i, w := range t.want {
		if i > 0 && t.want[i-1].Key() == w.Key() {
			continue // refused, and says so
		}
		s := byKey[w.Key()]
		if s == nil {
			more = append(more, lvs.ServiceStatus{Key: w.Key()})
			s = &more[len(more)-1]
		}
		s.Want = &w
		if err := t.errs[w.Key()]; err != nil {
			s.Err = err.Error()
		} else if s.Err == "" && !slices.Equal(w.Matches, have[w.Key()]) {
			s.Err = t.differs(w, have[w.Key()]).Error()
		}
	}
	for k, m := range have {
		if s := byKey[k]; s != nil && s.Have != nil {
			h := *s.Have
			h.Matches = m
			s.Have = &h
		}
	}
	st.Services = append(st.Services, more...)
	slices.SortFunc(st.Services, func(a, b lvs.ServiceStatus) int { return a.Key.Compare(b.Key) })
	return st
}

// matches are those that the kernel has, of each service. An address is routed where a local route of ours takes it in, and it was wanted so.
func (t *turn) matches(known map[lvs.Key]*lvs.ServiceStatus) map[lvs.Key][]lvs.Match {
	routed := map[lvs.Match]bool{}
	for _, s := range t.want {
		for _, m := range s.Matches {
			if m.Routed {
				m.Routed = false
				routed[m] = true
			}
		}
	}
	out := make(map[lvs.Key][]lvs.Match)
	for _, m := range t.marks {
		k := keyOf(m)
		m.Routed = routed[m.Match] && covered(m.Match, t.routes)
		out[k] = append(out[k], m.Match)
	}
	for k := range out {
		slices.SortFunc(out[k], lvs.Match.Compare)
	}
	return out
}

func (t *turn) differs(w lvs.Service, have []lvs.Match) error {
	if t.failed != nil {
		return fmt.Errorf("service %v: its packets are not all marked: %w", w.Key(), t.failed)
	}
	return fmt.Errorf("service %v: its packets are not all marked: the kernel marks %v", w.Key(), have)
}
