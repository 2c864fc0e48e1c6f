package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"quorate/api"
	"quorate/fsm"
)

// TestNotifierThatLosesIsShown: one that is slow, and not failing, is not called well while it loses events.
func TestNotifierThatLosesIsShown(t *testing.T) {
	n := api.NotifierStatus{Name: "ops", Channel: "webhook", By: fsm.ByLeader, To: "https://hooks.example.org/", Lost: 12, Waiting: 11000,
		LosingSince: time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local), Problem: "too many wait: 12 lost since 2026-11-20T12:00:00Z"}
	var out bytes.Buffer
	a := &app{}
	a.writeNotifier(&out, n)
	for _, want := range []string{"by the leader: loses events\n", "0 given up, 12 lost, as too many wait since 2026-11-20 12:00:00\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	n.Attempts = 1
	if got := notifierState(n).text; got != "fails" {
		t.Errorf("one that fails too is %q", got)
	}
}
