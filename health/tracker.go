package health

import "fmt"

// Verdict is what a tracker thinks of its target.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota // too few results in a row yet
	Up
	Down
)

// verdictOf is the verdict that results of this kind lead to.
func verdictOf(ok bool) Verdict {
	if ok {
		return Up
	}
	return Down
}

// String is "unknown", "up" or "down".
func (v Verdict) String() string {
	switch v {
	case Unknown:
		return "unknown"
	case Up:
		return "up"
	case Down:
		return "down"
	default:
		return fmt.Sprintf("verdict(%d)", uint8(v))
	}
}

// MarshalText implements encoding.TextMarshaler.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Verdict) UnmarshalText(b []byte) error {
	for _, x := range []Verdict{Unknown, Up, Down} {
		if x.String() == string(b) {
			*v = x
			return nil
		}
	}
	return fmt.Errorf("verdict %q: want unknown, up or down", b)
}

// Tracker turns single results into a verdict: up after Rise successes in a row, down after Fall failures in a row. It
// has no clock and does no I/O. The zero value is a tracker of Rise 1 and Fall 1 that knows nothing.
//
// Rise and Fall may be changed at any time and count from the next result on; below 1 they mean 1.
type Tracker struct {
	Rise, Fall int

	verdict Verdict
	last    bool
	streak  int // results in a row equal to last
}

// Verdict so far.
func (t *Tracker) Verdict() Verdict { return t.verdict }

// Streak is the last result and how often it came in a row; 0 before the first.
func (t *Tracker) Streak() (ok bool, n int) { return t.last, t.streak }

// Would reports whether Add of such a result would change the verdict.
func (t *Tracker) Would(ok bool) bool {
	next := *t
	return next.Add(ok)
}

// Add takes the next result and reports whether the verdict changed with it. Two changes in a row never lead to the same
// verdict.
func (t *Tracker) Add(ok bool) (changed bool) {
	if ok != t.last {
		t.last, t.streak = ok, 0
	}
	t.streak++
	to, need := verdictOf(ok), t.Fall
	if ok {
		need = t.Rise
	}
	if t.verdict == to || t.streak < need {
		return false
	}
	t.verdict = to
	return true
}
