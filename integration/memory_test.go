package integration

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestOutOfMemory: the kernel kills the owner's agent because it needs memory that it may not have. No signal is handled, nothing is written: the
// gate closes by itself, another node owns the VIP, and the address goes with its lifetime.
func TestOutOfMemory(t *testing.T) {
	bed := newBed(t, 3, 0)
	form(t, bed)
	apply(t, bed.Directors[0], new(lab.Config).VIP("web", lab.VIP(1)))
	owned(t, bed, lab.VIP(1))
	ctx := within(t, time.Minute)
	old, err := bed.AwaitOwner(ctx, lab.VIP(1).Addr(), nil)
	must(t, err)
	wire, err := bed.StartCapture(lab.VIP(1).Addr())
	must(t, err)
	from := lab.Now()
	agent := old.Agent()
	err = agent.Starve(within(t, 10*time.Second), func(ctx context.Context) { _, _ = old.API.LastEvents(ctx, 100) })
	if errors.Is(err, lab.ErrNoMemoryLimit) {
		t.Skip(err)
	}
	must(t, err)
	var exit *exec.ExitError
	if err := agent.Wait(ctx); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the agent ended with %v, want the kernel's SIGKILL", err)
	}
	heir, err := bed.AwaitOwner(ctx, lab.VIP(1).Addr(), old)
	must(t, err)
	gone(t, lab.VIP(1).Addr(), 10*time.Second, old)
	o := wire.Overlap(lab.VIP(1).Addr(), lab.Span{From: from, To: lab.Now()}, []string{old.Name, heir.Name}, 0, "n1", "n2", "n3")
	if o.Lasted > 0 {
		t.Errorf("two owners: %s", o)
	}
	must(t, wire.Err())
	must(t, old.Start(ctx))
	must(t, bed.AwaitReady(ctx))
}
