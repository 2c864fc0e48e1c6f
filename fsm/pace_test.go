package fsm

import (
	"testing"
	"time"
)

// TestMasterDown: how long routers outside the cluster wait, from the most impatient to the most patient (RFC 9568 section 6.1; RFC 3768 section 6.1).
func TestMasterDown(t *testing.T) {
	for _, x := range []struct {
		r              VirtualRouter
		least, longest time.Duration
	}{
		{VirtualRouter{}, 3007812500, 3996093750},
		{VirtualRouter{Version: 3, Interval: 10 * time.Millisecond}, 30078125, 39960937},
		{VirtualRouter{Version: 2}, 3007812500, 3996093750},
		{VirtualRouter{Version: 2, Interval: 255 * time.Second}, 765007812500, 765996093750},
	} {
		if a, b := x.r.MasterDown(), x.r.LongestMasterDown(); a != x.least || b != x.longest {
			t.Errorf("%d, each %v: %v to %v, want %v to %v", x.r.Version, x.r.Interval, a, b, x.least, x.longest)
		}
	}
}
