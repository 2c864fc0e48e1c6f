package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"quorate/fsm"
)

// Message is what a notifier is told at once: events in their order, or how much it was not told, or that this is a test.
type Message struct {
	Version  int        `json:"version"` // of this form: 1
	Cluster  string     `json:"cluster"`
	Notifier string     `json:"notifier"`
	Sender   fsm.NodeID `json:"sender"`            // the leader that tells
	Attempt  int        `json:"attempt,omitempty"` // from 2 on: it was tried before
	Events   []Notice   `json:"events"`
	// Untold is set in a summary: how many events were not told since the last one.
	Untold *fsm.Untold `json:"untold,omitempty"`
	Test   bool        `json:"test,omitempty"`

	id string
}

// Notice is one event, with the id by which it is known if it comes twice.
type Notice struct {
	ID string `json:"id"`
	fsm.Event
}

// EventID is the id of an event: the same whoever tells it, however often.
func EventID(cluster string, p fsm.Place) string {
	return fmt.Sprintf("%s-%d.%d", cluster, p.Index, p.N)
}

// newMessage is what a task says.
func newMessage(s *fsm.State, self fsm.NodeID, name string, t fsm.Task) Message {
	m := Message{Version: 1, Cluster: s.ClusterID, Notifier: name, Sender: self, Events: []Notice{}}
	if n := s.Outbox[name].Attempts; n > 0 {
		m.Attempt = n + 1
	}
	for _, e := range t.Events {
		m.Events = append(m.Events, Notice{EventID(s.ClusterID, e.Place()), e})
	}
	if t.Summary != (fsm.Untold{}) {
		m.Untold = &t.Summary
		m.id = fmt.Sprintf("%s-summary-%d", EventID(s.ClusterID, t.From), t.Totals.Sum())
	}
	return m
}

// Test is a message that says that it is one.
func Test(s *fsm.State, self fsm.NodeID, name string, now time.Time) Message {
	return Message{Version: 1, Cluster: s.ClusterID, Notifier: name, Sender: self, Events: []Notice{}, Test: true, id: fmt.Sprintf("%s-test-%d", s.ClusterID, now.UnixNano())}
}

// ID is that of the message: of its event, or of the first and the last.
func (m Message) ID() string {
	if m.id != "" || len(m.Events) == 0 {
		return m.id
	}
	first, last := m.Events[0].ID, m.Events[len(m.Events)-1]
	if len(m.Events) == 1 {
		return first
	}
	return fmt.Sprintf("%s..%d.%d", first, last.Index, last.N)
}

// body is the message as JSON.
func (m Message) body() []byte {
	b, err := json.Marshal(m)
	if err != nil { // it holds what came out of JSON
		panic("notify: " + err.Error())
	}
	return b
}

// subject is the message in one line.
func (m Message) subject() string {
	text := fmt.Sprintf("%d events", len(m.Events))
	switch {
	case m.Test:
		text = "test of notifier " + m.Notifier
	case m.Untold != nil:
		text = fmt.Sprintf("%d events were not told", m.Untold.Sum())
	case len(m.Events) == 1:
		text = string(m.Events[0].Kind) + ": " + m.Events[0].Text
	}
	return clip("[quorate "+m.Cluster+"] "+text, 180)
}

// text is the message for a person.
func (m Message) text() string {
	var b strings.Builder
	switch {
	case m.Test:
		fmt.Fprintf(&b, "This is a test of the notifier %s, sent by %s. Nothing has happened.\n", m.Notifier, m.Sender)
	case m.Untold != nil:
		b.WriteString("Since the last summary events were not told here:\n\n")
		for _, x := range []struct {
			n   uint64
			why string
		}{{m.Untold.Suppressed, "beyond the notifier's limit"}, {m.Untold.GivenUp, "given up after they could not be sent"}, {m.Untold.Lost, "lost, as too many waited"}} {
			if x.n > 0 {
				fmt.Fprintf(&b, "  %d %s\n", x.n, x.why)
			}
		}
		b.WriteString("\n`quorate events` shows the latest 1000 events.\n")
	}
	for _, e := range m.Events {
		fmt.Fprintf(&b, "%s  %-8s  %s\n", e.At.UTC().Format("2006-01-02 15:04:05.000Z"), e.Kind, oneLine(e.Text))
		for _, x := range [][2]string{{"vip", e.VIP}, {"service", e.Service}, {"server", e.Server}, {"node", string(e.Node)}, {"reason", string(e.Reason)}, {"by", e.Actor}, {"id", e.ID}} {
			if x[1] != "" {
				fmt.Fprintf(&b, "    %s: %s\n", x[0], oneLine(x[1]))
			}
		}
	}
	fmt.Fprintf(&b, "\n-- \nquorate, cluster %s, sent by %s for notifier %s\n", m.Cluster, m.Sender, m.Notifier)
	return b.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// clip shortens a text to n bytes, for a line.
func clip(s string, n int) string {
	if s = oneLine(s); len(s) > n {
		s = strings.ToValidUTF8(s[:n-3], "") + "…"
	}
	return s
}
