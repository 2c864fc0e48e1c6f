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

// TestOwnerIsCutOff: in several ways an owner loses its peers. Its VIP moves, it gives the address up by itself, and the
// bystander never sees two owners, neither during the fault nor when it is healed.
func TestOwnerIsCutOff(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("a", lab.VIP(1)).VIP("six", lab.VIP6(1)))
	a := lab.VIP(1).Addr()
	owned(t, bed, lab.VIP(1), lab.VIP6(1))
	fence := newFence(t, bed, a, lab.VIP6(1).Addr())
	for _, fault := range []struct {
		name        string
		begin, heal func(d *lab.Director) error
	}{
		{"switch port silent", func(d *lab.Director) error { return d.Unplug() }, func(d *lab.Director) error { return d.Plug() }},
		{"cable pulled", func(d *lab.Director) error { return d.LinkDown() }, func(d *lab.Director) error { return d.LinkUp() }},
		{"hears nothing", func(d *lab.Director) error { return d.Drop(lab.In, nil) }, func(d *lab.Director) error { return d.Heal() }},
		{"is not heard", func(d *lab.Director) error { return d.Drop(lab.Out, nil) }, func(d *lab.Director) error { return d.Heal() }},
		{"not heard by its peers", func(d *lab.Director) error { return dropPeers(bed, d, lab.Out) }, func(d *lab.Director) error { return d.Heal() }},
		{"hears none of its peers", func(d *lab.Director) error { return dropPeers(bed, d, lab.In) }, func(d *lab.Director) error { return d.Heal() }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			must(t, bed.AwaitReady(within(t, 20*time.Second)))
			owner, err := bed.AwaitOwner(within(t, 10*time.Second), a, nil)
			must(t, err)
			ping, err := bed.Client.StartProbe(a, 2*time.Millisecond)
			must(t, err)
			defer ping.Close()
			must(t, lab.Await(within(t, 5*time.Second), time.Millisecond, answered(ping, lab.Now())))
			from := lab.Now()
			defer fault.heal(owner) // once more, so that a failure stays with its fault
			must(t, fault.begin(owner))
			next, err := bed.AwaitOwner(within(t, 5*time.Second), a, owner)
			must(t, err)
			moved := lab.Now()
			must(t, lab.Await(within(t, 5*time.Second), time.Millisecond, answered(ping, moved)))
			window := lab.Span{From: from, To: lab.Now()}
			t.Logf("from %s to %s in %s, silent for %s", owner.Name, next.Name, lab.Millis(moved.Sub(from)), lab.Millis(ping.Gap(window).Duration()))
			must(t, fault.heal(owner))
			must(t, bed.AwaitReady(within(t, 20*time.Second)))
			window.To = lab.Now()
			fence.check(t, window)
		})
	}
}

// dropPeers loses the frames between a director and the other directors, but not those of clients.
func dropPeers(bed *lab.Bed, d *lab.Director, direction lab.Direction) error {
	var errs []error
	for _, p := range bed.Directors {
		if p != d {
			errs = append(errs, d.Drop(direction, p.Host))
		}
	}
	return errors.Join(errs...)
}
