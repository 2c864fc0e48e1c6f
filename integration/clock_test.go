package integration

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quorate/integration/lab"
)

// stepClock sets the machine's wall clock forward, or back.
func stepClock(t *testing.T, by time.Duration) {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_REALTIME, &now))
	to := unix.NsecToTimespec(now.Nano() + by.Nanoseconds())
	must(t, unix.ClockSettime(unix.CLOCK_REALTIME, &to))
}

// TestWallClock: an hour forward, and two back, while VIPs are owned; leases, gates and addresses do not go by that clock, and neither does the
// failover after it.
func TestWallClock(t *testing.T) {
	if os.Getenv("QUORATE_MAY_SET_CLOCK") == "" {
		t.Skip("needs a machine whose clock is its own: integration/uml runs it in one")
	}
	bed := newBed(t, 3, 0)
	ctx := within(t, 2*time.Minute)
	must(t, bed.Start(ctx))
	first := bed.Directors[0]
	join, err := lab.JoinCommand(says(t, first, "bootstrap", "--profile", "wan")) // a guest's only processor is too slow for the others
	must(t, err)
	for _, d := range bed.Directors[1:] {
		says(t, d, join...)
	}
	must(t, bed.AwaitReady(ctx))
	apply(t, first, new(lab.Config).Settings(`profile = "wan"`).VIP("web", lab.VIP(1)))
	old, err := bed.AwaitOwner(ctx, lab.VIP(1).Addr(), nil)
	must(t, err)
	ping, err := bed.Client.StartProbe(lab.VIP(1).Addr(), 50*time.Millisecond)
	must(t, err)
	must(t, lab.Await(ctx, 50*time.Millisecond, answered(ping, 0)))
	before, err := bed.Status(ctx)
	must(t, err)

	from := lab.Now()
	for _, by := range []time.Duration{time.Hour, -2 * time.Hour} {
		stepClock(t, by)
		must(t, lab.Sleep(ctx, 8*time.Second)) // more than two leases
		after, err := bed.Status(ctx)
		must(t, err)
		if a, b := before.VIPs[0], after.VIPs[0]; a.Owner != b.Owner || a.Epoch != b.Epoch {
			t.Errorf("the clock was set %v: the VIP was %+v and is %+v", by, a, b)
		}
		if n := ping.Lost(lab.Span{From: from, To: lab.Now().Add(-time.Second)}); n > 0 {
			t.Errorf("the clock was set %v: %d pings lost", by, n)
		}
	}
	must(t, old.PowerOff())
	heir, err := bed.AwaitOwner(ctx, lab.VIP(1).Addr(), old)
	must(t, err)
	must(t, lab.Await(ctx, 50*time.Millisecond, answered(ping, lab.Now())))
	t.Logf("%s → %s: silent for %s", old.Name, heir.Name, lab.Millis(ping.Gap(lab.Span{From: from, To: lab.Now()}).Duration()))
	must(t, old.Reboot(ctx))
	must(t, bed.AwaitReady(ctx))
}
