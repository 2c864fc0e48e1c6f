package integration

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestRebalanceLosesNothing: a node that comes back gets its share again, by planned moves, and no packet is lost by that.
func TestRebalanceLosesNothing(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	d := bed.Directors
	c := new(lab.Config).Settings(`rebalance = true`, `hold_down = "1s"`)
	var addrs []netip.Addr
	for i := range 6 {
		c.VIP(fmt.Sprintf("v%d", i+1), lab.VIP(i+1))
		addrs = append(addrs, lab.VIP(i+1).Addr())
	}
	apply(t, d[0], c)
	shared := func(want ...int) {
		t.Helper()
		must(t, lab.Await(within(t, 20*time.Second), 5*time.Millisecond, func(context.Context) error {
			has := map[string]int{}
			for _, a := range addrs {
				on := bed.Carriers(a)
				if len(on) != 1 {
					return fmt.Errorf("%s is on %d directors", a, len(on))
				}
				has[on[0].Name]++
			}
			for i, n := range want {
				if has[d[i].Name] != n {
					return fmt.Errorf("the directors have %v, want %v", has, want)
				}
			}
			return nil
		}))
	}
	shared(2, 2, 2)
	must(t, d[2].PowerOff())
	shared(3, 3, 0)

	pings := map[netip.Addr]*lab.Probe{}
	for _, a := range addrs {
		p, err := bed.Client.StartProbe(a, 2*time.Millisecond)
		must(t, err)
		pings[a] = p
	}
	<-time.After(100 * time.Millisecond)
	from := lab.Now()
	must(t, d[2].Reboot(within(t, 10*time.Second)))
	shared(2, 2, 2)
	<-time.After(500 * time.Millisecond) // what was asked is answered
	window := lab.Span{From: from, To: lab.Now().Add(-400 * time.Millisecond)}
	for _, a := range addrs {
		if lost, sent := pings[a].Lost(window), pings[a].Sent(window); lost > 0 || sent < 100 {
			t.Errorf("%s: %d of %d pings lost", a, lost, sent)
		}
	}
	tells(t, d[0], "3 VIPs at weight")
}
