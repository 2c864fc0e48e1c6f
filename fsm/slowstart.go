package fsm

import "time"

// A server that has come back begins with a tenth of its weight and gets the rest in steps, none shorter than a second, at most rampSteps.
const (
	rampSteps = 20
	rampFirst = 10 // percent
)

// Ramp is how many percent of its weight a server has that came back so long ago, where the service's slow start takes total, and how long it
// is to the next step; 0 = there is none.
func Ramp(total, elapsed time.Duration) (percent int, next time.Duration) {
	elapsed = max(0, elapsed)
	if total <= 0 || elapsed >= total {
		return 100, 0
	}
	n := min(max(1, total/time.Second), rampSteps)
	step := total / n
	i := min(elapsed/step, n-1)
	if next = (i+1)*step - elapsed; i == n-1 {
		next = total - elapsed // what the division left over
	}
	return rampFirst + (100-rampFirst)*int(i)/int(n), next
}

// Ramped is so many percent of a weight, and never 0 of one that is not.
func Ramped(weight, percent int) int {
	if weight == 0 {
		return 0
	}
	return max(1, weight*percent/100)
}

// recovers reports whether a server of the service that comes back has to begin slowly: others serve already, by the state s before the entry.
func (s *State) recovers(svc Service, back ServerKey) bool {
	if svc.SlowStart == 0 || s.Schema < schemaLVS {
		return false
	}
	for _, other := range svc.Servers {
		if other.Address != back.Address && other.Weight > 0 && s.Servers[ServerKey{svc.Name, other.Address}].in() {
			return true
		}
	}
	return false
}
