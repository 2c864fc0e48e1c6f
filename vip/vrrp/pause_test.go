package vrrp

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPause: a wait ends at its time, or at the deadline, also one that is set meanwhile, or when all ends.
func TestPause(t *testing.T) {
	for name, x := range map[string]struct {
		before, meanwhile func(*pause)
		want              time.Duration
	}{
		"alone":               {nil, nil, 10 * ms},
		"deadline":            {func(p *pause) { p.until(time.Now().Add(3 * ms)) }, nil, 3 * ms},
		"deadline long past":  {func(p *pause) { p.until(time.Now().Add(-sec)) }, nil, 0},
		"deadline after it":   {func(p *pause) { p.until(time.Now().Add(sec)) }, nil, 10 * ms},
		"no deadline anymore": {func(p *pause) { p.until(time.Now().Add(3 * ms)) }, func(p *pause) { p.until(time.Time{}) }, 10 * ms},
		"deadline meanwhile":  {nil, func(p *pause) { p.until(time.Now().Add(5 * ms)) }, 7 * ms},
		"past meanwhile":      {nil, func(p *pause) { p.until(time.Now()) }, 2 * ms},
		"the end":             {nil, (*pause).end, 2 * ms},
		"after the end":       {(*pause).end, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, begin := newPause(), time.Now()
				if x.before != nil {
					x.before(p)
				}
				if x.meanwhile != nil {
					time.AfterFunc(2*ms, func() { x.meanwhile(p) })
				}
				p.wait(10 * ms)
				if took := time.Since(begin); took != x.want {
					t.Errorf("it took %s, want %s", took, x.want)
				}
			})
		})
	}
}
