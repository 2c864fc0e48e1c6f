package fsm

import (
	"fmt"
	"slices"
	"time"
)

// MaxBacklog bounds the events that wait beyond the timeline.
const MaxBacklog = 10000

// Loss is a time in which a notifier loses events, as too many wait: from the first one that is lost until it is told something and nothing beyond the
// timeline waits for it any more. The timeline tells of both ends, and not of each event.
type Loss struct {
	Since  time.Time `json:"since"`
	Before uint64    `json:"before,omitempty"` // what Untold.Lost was
}

// wanted reports whether some notifier still has to be told of an event.
func (e *entry) wanted(ev Event) bool {
	for name, o := range e.next.Outbox {
		if e.waits(name, o, ev) {
			return true
		}
	}
	return false
}

func (e *entry) waits(name string, o Outbox, ev Event) bool {
	return ev.Place().Compare(o.Next) >= 0 && e.next.Config.Notifiers[name].Wants(ev)
}

// keepBacklog keeps what the timeline is about to forget and some notifier has not been told. Of too many the oldest are lost, and counted at each
// notifier that waits for them. That may be an event itself, for which the timeline forgets another one.
func (e *entry) keepBacklog(was Timeline) {
	forgotten := 0
	for len(e.next.Outbox) > 0 {
		over := len(was) + len(e.events) - MaxEvents
		if over <= forgotten {
			return
		}
		var kept []Event
		for ; forgotten < over; forgotten++ {
			var ev Event
			if forgotten < len(was) {
				ev = was[forgotten]
			} else {
				ev = e.events[forgotten-len(was)]
			}
			if e.wanted(ev) {
				kept = append(kept, ev)
			}
		}
		if len(kept) > 0 {
			e.next.Backlog = append(slices.Clip(e.next.Backlog), kept...)
			e.boundBacklog()
		}
	}
}

// boundBacklog loses the oldest events of too many.
func (e *entry) boundBacklog() {
	if len(e.next.Backlog) <= MaxBacklog {
		return
	}
	// What only waits behind something else goes first.
	e.next.Backlog = slices.DeleteFunc(e.next.Backlog, func(ev Event) bool { return !e.wanted(ev) })
	names := e.next.NotifiersByLeader()
	for len(e.next.Backlog) > MaxBacklog {
		lost := e.next.Backlog[0]
		e.next.Backlog = e.next.Backlog[1:]
		for _, name := range names {
			if o := e.next.Outbox[name]; e.waits(name, o, lost) {
				e.lose(name, &o, lost)
				e.outbox()[name] = o
			}
		}
	}
}

func (e *entry) lose(name string, o *Outbox, lost Event) {
	if o.Loss == (Loss{}) {
		o.Loss = Loss{Since: e.at, Before: o.Untold.Lost}
		e.event(Event{Kind: EventNotify, Notifier: name, Text: fmt.Sprintf("too many events wait for notifier %s, and it loses the oldest: no more than %d are kept beyond the timeline", name, MaxBacklog)})
	}
	o.Untold.Lost++
	o.Next = lost.Place().after()
}

// caughtUp ends a loss once nothing beyond the timeline waits for the notifier.
func (e *entry) caughtUp(n Notifier, o *Outbox) {
	if o.Loss == (Loss{}) || slices.ContainsFunc(e.next.Backlog, func(ev Event) bool { return e.waits(n.Name, *o, ev) }) {
		return
	}
	e.event(Event{Kind: EventNotify, Notifier: n.Name, Text: fmt.Sprintf("notifier %s has caught up, and has lost %s", n.Name, plural(int(o.Untold.Lost-o.Loss.Before), "event"))})
	o.Loss = Loss{}
}

// trimBacklog forgets the oldest events as far as nobody waits for them.
func (e *entry) trimBacklog() {
	first := slices.IndexFunc(e.next.Backlog, e.wanted)
	switch {
	case first < 0:
		e.next.Backlog = nil
	case first > 0:
		e.next.Backlog = e.next.Backlog[first:]
	}
}
