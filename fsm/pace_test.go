package fsm

import (
	"testing"
	"time"
)

// TestMasterDown: how long routers outside the cluster wait, from the most impatient to the most patient (RFC 9568 section 6.1; RFC 3768 section 6.1).
func TestMasterDown(t *testing.T) {
	for _, x := range []struct {
		r                    VirtualRouter
		least, longest, skew time.Duration
	}{
		{VirtualRouter{}, 3007812500, 3996093750, 996093750},
		{VirtualRouter{Version: 3, Interval: 10 * time.Millisecond}, 30078125, 39960937, 9960937},
		{VirtualRouter{Version: 2}, 3007812500, 3996093750, 996093750},
		{VirtualRouter{Version: 2, Interval: 255 * time.Second}, 765007812500, 765996093750, 996093750},
	} {
		if a, b, c := x.r.MasterDown(), x.r.LongestMasterDown(), x.r.LongestSkew(); a != x.least || b != x.longest || c != x.skew {
			t.Errorf("%d, each %v: %v to %v, skew %v, want %v to %v, %v", x.r.Version, x.r.Interval, a, b, c, x.least, x.longest, x.skew)
		}
	}
}
