package integration

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"quorate/integration/lab"
)

// answered is a check that an answer came at or after a moment.
func answered(p *lab.Probe, since lab.Instant) func(context.Context) error {
	return func(context.Context) error {
		if !p.Answered(since) {
			return errors.New(p.Target.String() + " does not answer")
		}
		return nil
	}
}

// unanswered is the longest time in the window in which the probe's questions were asked in vain. While this process stands still it hears no answers, and asks nothing either.
func unanswered(p *lab.Probe, window lab.Span) time.Duration {
	gap := p.Gap(window)
	return min(gap.Duration(), time.Duration(p.Lost(gap))*p.Interval)
}

// gone waits until no director of some carries the address.
func gone(t *testing.T, a netip.Addr, patience time.Duration, from ...*lab.Director) {
	t.Helper()
	must(t, lab.Await(within(t, patience), time.Millisecond, func(context.Context) error {
		for _, d := range from {
			if has, err := d.Carries(a); err != nil || has {
				return errors.Join(err, errors.New(d.Name+" carries "+a.String()))
			}
		}
		return nil
	}))
}

func TestLossOfTheMajority(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("a", lab.VIP(1)))
	owned(t, bed, lab.VIP(1))
	last, err := bed.AwaitOwner(within(t, 5*time.Second), lab.VIP(1).Addr(), nil)
	must(t, err)
	var lost []*lab.Director
	for _, d := range bed.Directors {
		if d != last {
			lost = append(lost, d)
			must(t, d.PowerOff())
		}
	}
	from := lab.Now()
	gone(t, lab.VIP(1).Addr(), 2*time.Second, last)
	t.Logf("without a majority the owner gave the VIP up after %s", lab.Millis(lab.Since(from)))
	refused(t, last, 1, []string{"majority"}, "vip", "move", "a", last.Name)
	says(t, last, "status") // it still answers, and says what is wrong

	for _, d := range lost {
		must(t, d.Reboot(within(t, 10*time.Second)))
	}
	must(t, bed.AwaitReady(within(t, 20*time.Second)))
	owned(t, bed, lab.VIP(1))
	apply(t, lost[0], new(lab.Config).VIP("a", lab.VIP(1)).VIP("b", lab.VIP(2)))
	owned(t, bed, lab.VIP(2))
}
