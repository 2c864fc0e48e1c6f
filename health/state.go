package health

import (
	"errors"
	"time"
)

// State is what is known of one target.
type State struct {
	Target  Target    `json:"target"`
	Verdict Verdict   `json:"verdict"`
	Since   time.Time `json:"since"` // of the verdict; while unknown, when the target was set

	// OK is the last result that counted and Streak how often it came in a row; 0 = none yet.
	OK     bool `json:"ok"`
	Streak int  `json:"streak"`

	Probed  time.Time     `json:"probed,omitzero"` // start of the last probe; zero = none has ended yet
	Next    time.Time     `json:"next,omitzero"`   // when it is probed next; zero = it is being probed
	Latency time.Duration `json:"latency"`         // of the last probe, from dialling to its result
	Detail  string        `json:"detail,omitempty"`
	Weight  Weight        `json:"weight,omitzero"` // that the target asks for; none while it is down

	// LastError outlives the successes after it.
	LastError   string    `json:"last_error,omitempty"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

// observe notes an outcome; the verdict is the tracker's.
func (s *State) observe(o outcome, now time.Time) {
	s.Probed, s.Latency, s.Detail = o.start, o.took, tidy(o.answer.Detail)
	if o.err != nil {
		s.Detail = tidy(o.err.Error())
		s.LastError, s.LastErrorAt = s.Detail, now
	}
}

// judge lets an outcome count, and returns the transition that it made, if it made one.
func (e *entry) judge(o outcome, now time.Time) (Transition, bool) {
	if errors.Is(o.err, ErrNotAsked) {
		return Transition{}, false
	}
	changed := e.tracker.Add(o.err == nil)
	up, weight := e.tracker.Verdict() == Up, e.state.Weight
	switch {
	case !up:
		weight = Weight{}
	case o.err == nil:
		weight = o.answer.Weight
	}
	if changed {
		e.state.Since = now
	} else if weight == e.state.Weight {
		return Transition{}, false
	}
	e.state.Weight = weight
	_, own := errors.AsType[ownOnly](o.err)
	return Transition{ID: e.target.ID, Up: up, Detail: e.state.Detail, Weight: weight, OwnOnly: own, At: now}, true
}
