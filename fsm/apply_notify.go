package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// matchOutboxes makes an outbox for each notifier that is new to the leader, and forgets those that are gone. What happened before is not told to a
// new one.
func (e *entry) matchOutboxes() {
	if e.next.Schema < schemaHealth {
		return
	}
	for name, n := range e.next.Config.Notifiers {
		_, has := e.next.Outbox[name]
		switch leads := n.Where() == ByLeader; {
		case leads && !has:
			e.outbox()[name] = Outbox{Next: Place{Index: e.index + 1}, Since: e.at}
		case !leads && has:
			delete(e.outbox(), name)
		}
	}
	for name := range e.next.Outbox {
		if _, stays := e.next.Config.Notifiers[name]; !stays {
			delete(e.outbox(), name)
		}
	}
	if len(e.next.Outbox) == 0 {
		e.next.Outbox = nil
	}
	e.trimBacklog()
}

func (e *entry) delivered(c Delivered) error {
	for _, d := range c.Deliveries {
		switch d.Outcome {
		case OutcomeTold, OutcomeSummarized, OutcomeSuppressed, OutcomeGivenUp, OutcomeFailed:
		default:
			return fmt.Errorf("outcome %q of notifier %q: %w", clip(string(d.Outcome), 80), clip(d.Notifier, 80), ErrInvalid)
		}
	}
	done := 0
	for _, d := range c.Deliveries {
		if e.deliver(d) {
			done++
		}
	}
	if done < len(c.Deliveries) && done == 0 {
		return fmt.Errorf("deliveries: %w: the notifiers are not where they were any more", ErrStale)
	}
	e.trimBacklog()
	return nil
}

// deliver notes one delivery; false = it is stale.
func (e *entry) deliver(d Delivery) bool {
	n, ok := e.next.Config.Notifiers[d.Notifier]
	o, has := e.next.Outbox[d.Notifier]
	if !ok || !has || d.From != o.Next {
		return false
	}
	switch d.Outcome {
	case OutcomeFailed:
		e.deliveryFailed(n, &o, d.Error)
	case OutcomeSummarized:
		if !d.Untold.within(o.Untold) || !o.Said.within(d.Untold) {
			return false
		}
		o.Said = d.Untold
		if d.Error == "" {
			e.deliveryWorked(n, &o)
		} else { // it will not take even that
			e.deliveryFailed(n, &o, d.Error)
		}
	default:
		if !e.move(n, &o, d) {
			return false
		}
	}
	e.outbox()[d.Notifier] = o
	return true
}

// move goes on to d.To, and counts each event on the way as what became of it.
func (e *entry) move(n Notifier, o *Outbox, d Delivery) bool {
	var count uint64
	last, window, fits := o.Next, o.Window, true
	e.next.waiting(n, *o, func(ev Event) bool {
		if ev.Place().Compare(d.To) >= 0 {
			return false
		}
		var admitted bool
		window, admitted = window.admit(n.Limit, ev.At)
		fits = fits && admitted != (d.Outcome == OutcomeSuppressed)
		last = ev.Place().after()
		count++
		return true
	})
	// It ends behind an event that waited, and the limit is still the one by which it was decided what to suppress.
	if count == 0 || last != d.To || !fits {
		return false
	}
	o.Next, o.Window = d.To, window
	switch d.Outcome {
	case OutcomeTold:
		o.Told += count
		e.deliveryWorked(n, o)
	case OutcomeSuppressed:
		o.Untold.Suppressed += count
	case OutcomeGivenUp:
		o.Untold.GivenUp += count
		e.deliveryFailed(n, o, d.Error)
		if !o.GaveUp {
			o.GaveUp = true
			e.event(Event{Kind: EventNotify, Notifier: n.Name, Text: fmt.Sprintf("notifier %s was not told of %s, and will not be: %s", n.Name, plural(int(count), "event"), o.Error)})
		}
	}
	return true
}

func (e *entry) deliveryFailed(n Notifier, o *Outbox, why string) {
	if o.Failing.IsZero() {
		o.Failing = e.at
	}
	o.Attempts++
	o.Tried, o.Error = e.at, clip(why, 512)
	if d := e.at.Sub(o.Failing); d >= LongFailing && !o.Alarmed {
		o.Alarmed = true
		e.event(Event{Kind: EventNotify, Notifier: n.Name, Text: fmt.Sprintf("notifier %s has failed for %v: %s", n.Name, d.Round(time.Second), o.Error)})
	}
}

func (e *entry) deliveryWorked(n Notifier, o *Outbox) {
	if o.Alarmed || o.GaveUp {
		e.event(Event{Kind: EventNotify, Notifier: n.Name, Text: fmt.Sprintf("notifier %s can be told again", n.Name)})
	}
	o.Attempts, o.Failing, o.Tried, o.Error, o.Alarmed, o.GaveUp = 0, time.Time{}, time.Time{}, "", false, false
	e.caughtUp(n, o)
	o.Last = e.at
}

// NotifiersByLeader are the names of those that the leader carries out, sorted.
func (s *State) NotifiersByLeader() []string { return slices.Sorted(maps.Keys(s.Outbox)) }
