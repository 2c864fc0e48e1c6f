package cluster

import (
	"fmt"
	"testing"
	"time"

	"quorate/fsm"
)

// The time of day may step: the timeline is in the order of the entries, and nothing waits for the clock to come back.
func TestWallClockSteps(t *testing.T) {
	o := options(t, "n1")
	day := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	steps := []time.Duration{0, time.Hour, -time.Hour, 30 * time.Minute}
	at := make(chan time.Duration, 1)
	at <- 0
	o.Wall = func() time.Time {
		d := <-at
		at <- d
		return day.Add(d)
	}
	n := start(t, o)
	if _, err := n.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, d := range steps {
		<-at
		at <- d
		if _, err := n.Propose(t.Context(), fsm.Command{Record: &fsm.Record{Event: fsm.Event{Text: fmt.Sprint(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	var last uint64
	seen := 0
	for _, e := range n.State().Events {
		if e.Index < last {
			t.Errorf("event of entry %d after one of entry %d", e.Index, last)
		}
		if last = e.Index; e.Kind == fsm.EventReported {
			if want := day.Add(steps[seen]); e.Text != fmt.Sprint(seen) || !e.At.Equal(want) {
				t.Errorf("event %q at %v, want %d at %v", e.Text, e.At, seen, want)
			}
			seen++
		}
	}
	if seen != len(steps) {
		t.Errorf("%d of %d events", seen, len(steps))
	}
}
