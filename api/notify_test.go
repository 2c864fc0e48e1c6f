package api

import (
	"testing"
	"time"

	"quorate/fsm"
)

// TestNotifierThatLoses: what goes wrong with a notifier is said, and for how long.
func TestNotifierThatLoses(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	s := fsm.New()
	s.Config.Notifiers = map[string]fsm.Notifier{"ops": {Name: "ops", Webhook: &fsm.Webhook{URL: "https://hooks.example.org/"}}}
	loss := fsm.Loss{Since: at.Add(time.Minute), Before: 3}
	for _, c := range []struct {
		o    fsm.Outbox
		want string
	}{
		{fsm.Outbox{Untold: fsm.Untold{Lost: 3}}, ""}, // that is over
		{fsm.Outbox{Untold: fsm.Untold{Lost: 10}, Loss: loss}, "too many wait: 7 lost since 2026-11-20T12:01:00Z"},
		{fsm.Outbox{Attempts: 2, Failing: at, Error: "refused"}, "nothing waits, and it has failed since 2026-11-20T12:00:00Z: refused"},
		{fsm.Outbox{Attempts: 2, Failing: at, Error: "refused", Untold: fsm.Untold{Lost: 4}, Loss: loss},
			"too many wait: 1 lost since 2026-11-20T12:01:00Z; nothing waits, and it has failed since 2026-11-20T12:00:00Z: refused"},
	} {
		s.Outbox = map[string]fsm.Outbox{"ops": c.o}
		n := notifiersOf(s, nil)[0]
		if n.Problem != c.want || !n.LosingSince.Equal(c.o.Loss.Since) || n.Lost != c.o.Untold.Lost {
			t.Errorf("%+v: %+v", c.o, n)
		}
	}
}
