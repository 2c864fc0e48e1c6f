package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestInterruptedSoakHasAVerdict: Ctrl-C ends it after some faults with the verdict so far, and nothing is left.
func TestInterruptedSoakHasAVerdict(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	if testing.Short() {
		t.Skip("-short: it builds quorate and forms a cluster")
	}
	quorate := buildQuorate(t)
	before, err := lab.TakeFootprint()
	if err != nil {
		t.Fatal(err)
	}
	soak := program(t, "soak", "--minutes", "5", "--seed", "7", "--quorate", quorate)
	var out lab.Output
	soak.Stdout, soak.Stderr = &out, &out
	if err := soak.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	ended := make(chan struct{})
	go func() { _ = soak.Wait(); close(ended) }()
	err = lab.Await(ctx, 20*time.Millisecond, func(context.Context) error {
		select {
		case <-ended:
			return lab.Final(errors.New("it ended"))
		default:
			return unless(strings.Contains(out.String(), "pings lost"), "it has made no fault")
		}
	})
	if err != nil {
		t.Errorf("soak: %v\n%s", err, out.String())
	}
	if err := soak.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-ended
	if said := out.String(); soak.ProcessState.ExitCode() != 0 || !strings.Contains(said, "Seed 7,") || !strings.Contains(said, "All invariants held") {
		t.Errorf("exit status %d:\n%s", soak.ProcessState.ExitCode(), said)
	}
	left, err := before.Compare(5 * time.Second)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
