package agent

import (
	"fmt"
	"testing"
	"time"

	"quorate/cluster/lease"
)

// TestLapseWhileTheKernelIsAsked: the actuator, which asks in each pass, does not wait for a renewal that waits for the kernel: its own part of the lease would end.
func TestLapseWhileTheKernelIsAsked(t *testing.T) {
	var l lapse
	if err := l.guard(true, nil); err != nil {
		t.Fatal(err)
	}
	inKernel, free, renewed, asked := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(renewed)
		c := lease.LeaseChanged{Epoch: 7, Until: lease.Instant{Raw: time.Second, Boot: time.Second}}
		_ = l.renewed(c, lease.Instant{}, func(lease.LeaseChanged) error { close(inKernel); <-free; return nil })
	}()
	<-inKernel
	go func() {
		defer close(asked)
		_, _ = l.lapsed(), l.guard(true, nil)
	}()
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		t.Error("it waits for the kernel")
	}
	close(free)
	<-renewed
	<-asked
}

// A lease that comes back after its end waits for the actuator, where others may have taken over by VRRP; nothing else waits.
func TestLapse(t *testing.T) {
	at := func(ms int) lease.Instant {
		return lease.Instant{Raw: time.Duration(ms) * time.Millisecond, Boot: time.Hour + time.Duration(ms)*time.Millisecond}
	}
	var l lapse
	var told string
	tell := func(c lease.LeaseChanged) error {
		told = fmt.Sprint(c.Epoch, " ", c.Until.Raw)
		return nil
	}
	renew := func(now, until int, epoch int) string {
		t.Helper()
		told = ""
		c := lease.LeaseChanged{}
		if c.Epoch = 7; epoch != 0 {
			c.Epoch = 9
		}
		if until > 0 {
			c.Until = at(until)
		}
		if err := l.renewed(c, at(now), tell); err != nil {
			t.Fatal(err)
		}
		return told
	}
	for i, x := range []struct {
		guard             bool
		now, until, epoch int
		want              string
		lapsed            bool
	}{
		{true, 1000, 1250, 0, "7 1.25s", false},  // the first
		{true, 1050, 1300, 0, "7 1.3s", false},   // in time
		{true, 1299, 1500, 0, "7 1.5s", false},   // just in time
		{true, 1500, 1700, 0, "", true},          // it had ended
		{true, 1550, 1750, 0, "", true},          // and waits
		{true, 1600, 0, 0, "7 0s", false},        // it ends again, which never waits
		{true, 1650, 1900, 0, "", true},          // and comes back
		{true, 1660, 1900, 1, "9 1.9s", false},   // a new epoch: nothing is open under it
		{true, 1670, 0, 1, "9 0s", false},        // that ends
		{false, 1700, 1950, 1, "9 1.95s", false}, // and comes back where nothing falls back
		{false, 2500, 2750, 1, "9 2.75s", false},
	} {
		if err := l.guard(x.guard, tell); err != nil {
			t.Fatal(err)
		}
		if got := renew(x.now, x.until, x.epoch); got != x.want || (l.lapsed() != 0) != x.lapsed {
			t.Fatalf("step %d: told %q, waits %t; want %q, %t", i, got, l.lapsed() != 0, x.want, x.lapsed)
		}
	}
	_ = l.guard(true, tell)
	renew(3000, 3250, 1)
	if l.lapsed() == 0 {
		t.Fatal("it does not wait")
	}
	if err := l.resume(l.lapsed(), tell); err != nil || told != "9 3.25s" || l.lapsed() != 0 {
		t.Errorf("resumed: told %q, %v", told, err)
	}
	renew(3500, 3600, 1)
	seen := l.lapsed()
	renew(3599, 3700, 1)
	if l.lapsed() != seen {
		t.Error("it is the same one")
	}
	renew(3700, 3900, 1) // once more, after whoever looks has looked
	if err := l.resume(seen, tell); err != nil || l.lapsed() == 0 || l.lapsed() == seen {
		t.Errorf("resumed as %d, %d waits: %v", seen, l.lapsed(), err)
	}
	_ = l.resume(l.lapsed(), tell)
	if got := renew(3710, 3950, 1); got != "9 3.95s" {
		t.Errorf("it goes on with %q", got)
	}
	renew(3990, 4000, 1)
	if err := l.guard(false, tell); err != nil || told != "9 4s" || l.lapsed() != 0 {
		t.Errorf("nothing falls back any more: told %q, %v", told, err)
	}
}
