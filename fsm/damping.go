package fsm

import "time"

// maxFalls bounds what is counted: the hold has reached its longest before.
const maxFalls = 32

// fallen is st with another fall at a time. A fall is in a row with the ones before when the server had not stayed up for long since: for each
// quiet time that it did, one is forgotten.
func (h Health) fallen(st ServerState, at time.Time) ServerState {
	quiet := h.damping().DampingQuiet
	forgotten := max(0, at.Sub(st.Since)) / quiet
	if forgotten >= maxFalls {
		forgotten = maxFalls
	}
	st.Falls = min(max(0, st.Falls-int(forgotten))+1, maxFalls)
	st.Fell = at
	return st
}

// Hold is how long a server that has fallen so often in a row is held down; 0 = not at all.
func (s Service) Hold(falls int) time.Duration {
	h := s.Health.damping()
	if s.Health.NoDamping || falls < h.DampingAfter {
		return 0
	}
	d := h.DampingHold
	for range min(falls, maxFalls) - h.DampingAfter {
		if d *= 2; d >= h.DampingMax {
			break
		}
	}
	return min(d, h.DampingMax)
}

// HeldDown reports whether a server that is down is not to come up yet, and until when, because it has gone down again soon after it came up, time
// after time. Where its service has nobody else to serve, nothing is held. Times are the stamps of entries, as with Flap.
func (s *State) HeldDown(k ServerKey, now time.Time) (until time.Time, held bool) {
	st, svc := s.Servers[k], s.Config.Services[k.Service]
	d := svc.Hold(st.Falls)
	if d == 0 || st.Verdict != Down || now.IsZero() || !recent(st.Fell, now, d) {
		return time.Time{}, false
	}
	q := s.QuorumOf(k.Service)
	if !q.Met || q.alive == 0 || !s.Services[k.Service].Panic.IsZero() {
		return time.Time{}, false
	}
	return st.Fell.Add(d), true
}
