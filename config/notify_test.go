package config

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// drawNotifiers makes some, with all that a file can say of them.
func drawNotifiers(t *rapid.T, c fsm.Config) map[string]fsm.Notifier {
	out := map[string]fsm.Notifier{}
	spans := rapid.SampledFrom([]time.Duration{0, 100 * time.Millisecond, 90 * time.Second, 5 * time.Minute})
	file := rapid.SampledFrom([]string{"", "/etc/quorate/key", "/etc/with blank/${x}"})
	for i := range rapid.IntRange(0, 4).Draw(t, "notifiers") {
		n := fsm.Notifier{Name: fmt.Sprintf("n%d", i)}
		some := func(kinds []fsm.EventKind) []fsm.EventKind {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(kinds), 0, 3, rapid.ID).Draw(t, "events")
		}
		n.Nodes = rapid.SliceOfNDistinct(rapid.SampledFrom([]fsm.NodeID{"n1", "n2"}), 0, 2, rapid.ID).Draw(t, "nodes")
		if len(c.VIPs) > 0 {
			n.VIPs = rapid.SliceOfNDistinct(rapid.SampledFrom(keysOf(c.VIPs)), 0, 2, rapid.ID).Draw(t, "its vips")
		}
		switch rapid.IntRange(0, 4).Draw(t, "channel") {
		case 0:
			w := fsm.Webhook{URL: "https://hooks.example.org/a?b=c", SecretFile: file.Draw(t, "secret"), TokenFile: file.Draw(t, "token"), CA: file.Draw(t, "ca"), Timeout: spans.Draw(t, "timeout")}
			w.Headers = rapid.SampledFrom([][]string{nil, {"X-A: b", "X_B: ${c} \"d\""}}).Draw(t, "headers")
			n.Webhook, n.Events, n.By = &w, some(fsm.EventKinds()), rapid.SampledFrom([]fsm.NotifyBy{"", fsm.ByLeader}).Draw(t, "by")
		case 1:
			m := fsm.Email{Server: rapid.SampledFrom([]string{"smtp.example.org:587", "[2001:db8::1]:25"}).Draw(t, "server"), From: "quorate@example.org", To: []string{"a@example.org", "b+c@example.org"}, Timeout: spans.Draw(t, "timeout")}
			if m.NoTLS = rapid.Bool().Draw(t, "no tls"); !m.NoTLS {
				m.CA = file.Draw(t, "ca")
				if m.PasswordFile = file.Draw(t, "password"); m.PasswordFile != "" {
					m.User = "quorate"
				}
			}
			n.Email, n.Events = &m, some(fsm.EventKinds())
		case 2:
			n.Script = &fsm.Script{Command: []string{"/usr/local/bin/notify", "a b", "${x}"}, User: rapid.SampledFrom([]string{"", "nobody"}).Draw(t, "user"), Timeout: spans.Draw(t, "timeout")}
			n.By, n.Events = fsm.ByLeader, some(fsm.EventKinds())
		case 3:
			n.Script, n.Events = &fsm.Script{Command: []string{"/bin/true"}}, some([]fsm.EventKind{fsm.EventAssign})
		default:
			n.FIFO, n.Events = &fsm.FIFO{Path: fmt.Sprintf("/run/quorate/%d.fifo", i)}, some(fsm.EventKindsOfNodes())
		}
		if n.Where() == fsm.ByLeader {
			n.Limit = rapid.SampledFrom([]fsm.NotifyLimit{{}, {Count: 10, Per: time.Minute}, {Count: 1, Per: 90 * time.Second}, {Count: 9, Per: 24 * time.Hour}}).Draw(t, "limit")
			n.RetryFor = rapid.SampledFrom([]time.Duration{0, time.Second, 7 * 24 * time.Hour}).Draw(t, "retry for")
		}
		out[n.Name] = n
	}
	return out
}
