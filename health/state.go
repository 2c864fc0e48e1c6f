package health

import "time"

// State is what is known of one target.
type State struct {
	Target  Target    `json:"target"`
	Verdict Verdict   `json:"verdict"`
	Since   time.Time `json:"since"` // of the verdict; while unknown, when the target was set

	// OK is the last result that counted and Streak how often it came in a row; 0 = none yet.
	OK     bool `json:"ok"`
	Streak int  `json:"streak"`

	Probed  time.Time     `json:"probed,omitzero"` // start of the last probe; zero = none has ended yet
	Latency time.Duration `json:"latency"`         // of the last probe, from dialling to its result
	Detail  string        `json:"detail,omitempty"`

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
