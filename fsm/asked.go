package fsm

import "fmt"

// Asked is the weight that a server asks for itself, by one of its checks. The zero value asks for nothing. Since schema 6.
type Asked struct {
	Is      bool `json:"is,omitempty"`
	Percent bool `json:"percent,omitempty"` // of its configured weight; else in its place
	Value   int  `json:"value,omitempty"`   // 0 = no new connections
}

// Of is the weight that comes of the configured one. A weight of 0 in the configuration stays: an operator's word counts more. Some percent of a
// weight are never nothing.
func (a Asked) Of(weight int) int {
	switch {
	case !a.Is || weight == 0:
		return weight
	case a.Value <= 0:
		return 0
	case a.Percent:
		return min(max(1, weight*min(a.Value, maxPercent)/100), MaxWeight)
	default:
		return min(a.Value, MaxWeight)
	}
}

// maxPercent bounds what a server may ask for; HAProxy's agents may ask for 256 %.
const maxPercent = 1000

// cleaned is a within its bounds.
func (a Asked) cleaned() Asked {
	if !a.Is {
		return Asked{}
	}
	most := MaxWeight
	if a.Percent {
		most = maxPercent
	}
	a.Value = min(max(0, a.Value), most)
	return a
}

// TakesAsked reports whether the cluster runs at a schema in which servers may ask for weights.
func (s *State) TakesAsked() bool { return s.believes() }

// String is like "75 %" or "weight 3"; "" = it asks for nothing.
func (a Asked) String() string {
	switch {
	case !a.Is:
		return ""
	case a.Percent:
		return fmt.Sprintf("%d %%", a.Value)
	default:
		return fmt.Sprintf("weight %d", a.Value)
	}
}
