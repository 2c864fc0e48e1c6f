package fsm

import (
	"cmp"
	"slices"
	"time"
)

// Place is a place in the timeline: before the event of entry Index that has N others of that entry before it.
type Place struct {
	Index uint64 `json:"index"`
	N     int    `json:"n,omitempty"`
}

// Compare orders places.
func (p Place) Compare(o Place) int {
	return cmp.Or(cmp.Compare(p.Index, o.Index), cmp.Compare(p.N, o.N))
}

// after is the place behind the event that is at p.
func (p Place) after() Place { return Place{p.Index, p.N + 1} }

// Outbox is how far a notifier has been told. Events from Next on wait for it, as far as it wants them; each of the others was told, or is
// counted in Untold.
type Outbox struct {
	Next  Place     `json:"next"`
	Since time.Time `json:"since"` // when it began; what happened before is not told
	Told  uint64    `json:"told,omitempty"`
	Last  time.Time `json:"last,omitzero"` // when it was told the last time

	Untold Untold `json:"untold,omitzero"` // all that it was not told, since it began
	Said   Untold `json:"said,omitzero"`   // as much of that as it knows

	// Loss is that which goes on.
	Loss Loss `json:"loss,omitzero"`

	// Window is that of the limit.
	Window Window `json:"window,omitzero"`

	// What follows is of the attempts since the last success.
	Attempts int       `json:"attempts,omitempty"`
	Failing  time.Time `json:"failing,omitzero"` // since when
	Tried    time.Time `json:"tried,omitzero"`
	Error    string    `json:"error,omitempty"`
	Alarmed  bool      `json:"alarmed,omitempty"` // the timeline says that it fails
	GaveUp   bool      `json:"gave_up,omitempty"` // the timeline says that something was given up
}

// Untold counts events that a notifier wants and was not told.
type Untold struct {
	Suppressed uint64 `json:"suppressed,omitempty"` // by its limit
	GivenUp    uint64 `json:"given_up,omitempty"`   // tried in vain
	Lost       uint64 `json:"lost,omitempty"`       // too many waited
}

// Sum is all of them.
func (u Untold) Sum() uint64 { return u.Suppressed + u.GivenUp + u.Lost }

// Less is what u has beyond o.
func (u Untold) Less(o Untold) Untold {
	return Untold{u.Suppressed - o.Suppressed, u.GivenUp - o.GivenUp, u.Lost - o.Lost}
}

func (u Untold) within(o Untold) bool {
	return u.Suppressed <= o.Suppressed && u.GivenUp <= o.GivenUp && u.Lost <= o.Lost
}

// Window counts the events that were told since Start, by their own times: which ones a limit lets pass does not depend on when they can be told.
type Window struct {
	Start time.Time `json:"start"`
	Count int       `json:"count"`
}

// admit is the window with one more event, if the limit lets that pass.
func (w Window) admit(l NotifyLimit, at time.Time) (Window, bool) {
	if l == (NotifyLimit{}) {
		return Window{}, true
	}
	if w.Count == 0 || at.Before(w.Start) || !at.Before(w.Start.Add(l.Per)) {
		return Window{Start: at, Count: 1}, true
	}
	if w.Count >= l.Count {
		return w, false
	}
	w.Count++
	return w, true
}

// LongFailing is how long a notifier fails until the timeline says so.
const LongFailing = 5 * time.Minute

// waiting calls each with the events that wait for the notifier, oldest first, until that returns false.
func (s *State) waiting(n Notifier, o Outbox, each func(Event) bool) {
	for _, t := range []Timeline{s.Backlog, s.Events} {
		first, _ := slices.BinarySearchFunc(t, o.Next, func(e Event, p Place) int { return e.Place().Compare(p) })
		for _, e := range t[first:] {
			if n.Wants(e) && !each(e) {
				return
			}
		}
	}
}

// Waiting is how many events wait for a notifier, and since when.
func (s *State) Waiting(name string) (count int, since time.Time) {
	n, ok := s.Config.Notifiers[name]
	o, has := s.Outbox[name]
	if !ok || !has {
		return 0, time.Time{}
	}
	s.waiting(n, o, func(e Event) bool {
		if count++; count == 1 {
			since = e.At
		}
		return true
	})
	return count, since
}

// Task is what a leader has to do for a notifier next. One of Events, Suppress, Summary and Again says what.
type Task struct {
	From, To Place
	Events   []Event   // tell these
	Suppress bool      // those up to To are beyond the limit: say so in the log
	Summary  Untold    // tell how much was not told since it was last told
	Totals   Untold    // what it knows then
	Again    time.Time // nothing now: look again at this time; zero = when the state has changed
}

// NextTask is what there is to do for a notifier at the time now, with at most most events at once; false = it is none that the leader carries out.
// It is the same on every leader that has this state.
func (s *State) NextTask(name string, now time.Time, most int) (Task, bool) {
	n, ok := s.Config.Notifiers[name]
	o, has := s.Outbox[name]
	if !ok || !has {
		return Task{}, false
	}
	t := Task{From: o.Next, To: o.Next}
	unsaid := o.Untold.Less(o.Said)
	if unsaid.Sum() > 0 {
		over := o.Window.Start.Add(n.Limit.Per)
		if unsaid.GivenUp+unsaid.Lost > 0 || n.Limit == (NotifyLimit{}) || !now.Before(over) || now.Before(o.Window.Start) {
			t.Summary, t.Totals = unsaid, o.Untold
			return t, true
		}
		t.Again = over
	}
	w := o.Window
	s.waiting(n, o, func(e Event) bool {
		next, ok := w.admit(n.Limit, e.At)
		if t.To != t.From && ok == t.Suppress {
			return false // another kind of run begins
		}
		w, t.Suppress, t.To = next, !ok, e.Place().after()
		if ok {
			t.Events = append(t.Events, e)
		}
		return len(t.Events) < most
	})
	if t.To != t.From {
		t.Again = time.Time{}
	}
	return t, true
}
