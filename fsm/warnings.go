package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Warnings are what is accepted in a configuration and does not do what its words say: the checks, and then the services by name. A configuration that has
// problems may have any.
func (c Config) Warnings() Problems {
	var ps Problems
	c.eachCheck(func(object string, check Check) { check.warn(&ps, object) })
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		c.Services[name].warn(&ps, "service."+name)
	}
	return ps
}

func (s Service) warn(ps *Problems, object string) {
	_, _, all := s.thresholds()
	switch quorum := max(1, s.Quorum); {
	case len(s.Servers) == 0:
	case s.Quorum > all:
		ps.add(object, "quorum", strconv.Itoa(s.Quorum), fmt.Sprintf("the weights of all servers add up to %d, and that is taken instead", all),
			fmt.Sprintf("use at most %d, or more servers", all))
	case s.Hysteresis > 0 && quorum+s.Hysteresis > all:
		ps.add(object, "hysteresis", strconv.Itoa(s.Hysteresis),
			fmt.Sprintf("the quorum would be met at %d, the weights of all servers add up to %d, and that is taken instead", quorum+s.Hysteresis, all),
			"use less, or more servers")
	}
	if s.SlowStart == 0 {
		return
	}
	for _, server := range s.Servers {
		if server.Weight > 0 && server.Weight < rampFirst {
			ps.add(object, "slow_start", s.SlowStart.String(), fmt.Sprintf("the weight of server %s is %d, which leaves few steps between a tenth and all of it", server.Address, server.Weight),
				"use weights of 10 and more, such as 100 for each server")
			return
		}
	}
}
