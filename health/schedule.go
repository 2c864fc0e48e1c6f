package health

import (
	"context"
	"math"
	"time"
)

// entry is one target with what is known of it. The engine's mutex guards it.
type entry struct {
	target  *Target // another, not another's value, when it changes: probes under way have it
	tracker Tracker
	state   State

	lane   *lane
	anchor time.Time // it has its place in the interval where this is
	due    time.Time // of the next probe, or of the one under way
	index  int       // in the lane; -1 = not in it: a probe is under way, or the target is gone

	cancel    context.CancelFunc // of the probe under way; nil = none, or it has no goroutine
	call      *call              // the probe under way; nil = none, or it has a goroutine
	questions questions          // for the loop alone, which no mutex guards
	gone      bool               // no longer wanted: a late result is dropped

	hinted time.Time // when a probe was last started, or is to be, for a hint
	again  bool      // a hint came while the probe was under way
}

func (e *entry) when() time.Time { return e.due }
func (e *entry) place() *int     { return &e.index }

// rhythm is the time from one probe to the next, as things stand.
func (e *entry) rhythm() time.Duration {
	if e.settled() {
		return e.target.Interval
	}
	return e.target.FastInterval
}

// slack is how much too early a probe may be started when another is due: what starts and ends together wakes this process once, and that costs more
// than the probe. Every target keeps its place, so the error does not add up, and it is small beside the interval.
func (e *entry) slack() time.Duration { return min(e.rhythm()/50, 50*time.Millisecond) }

// settled reports whether the results are those of the verdict.
func (e *entry) settled() bool {
	ok, n := e.tracker.Streak()
	return n > 0 && e.tracker.Verdict() == verdictOf(ok)
}

// settle gives the target a place in its interval, so far after now. It returns when the target is to be probed first: while there is no verdict yet,
// the same share of the FastInterval after now, so that those that are new together are spread over that, and known soon, also where they are probed rarely.
func (e *entry) settle(now time.Time, place time.Duration) time.Time {
	e.anchor = now.Add(place)
	share := float64(place) / float64(e.target.Interval)
	return now.Add(time.Duration(share * float64(e.rhythm())))
}

// slot is when the target's place in the interval comes next after t.
func (e *entry) slot(t time.Time) time.Time {
	d := t.Sub(e.anchor) % e.target.Interval
	if d < 0 {
		d += e.target.Interval
	}
	return t.Add(e.target.Interval - d)
}

// next is when the target is to be probed after a probe that has ended.
//
// While it changes, a FastInterval from the time it was due. Else at its place in the interval, wherever hints and changes have led it in between: the rhythm does not
// drift, and those that changed together do not stay together. A probe that took as long as the rhythm is followed at once by the next; more that were
// missed, in a suspend say, are not made up for.
func (e *entry) next(now time.Time) time.Time {
	rhythm := e.rhythm()
	due := e.due.Add(rhythm)
	if e.settled() {
		due = e.slot(e.due)
	}
	if behind := now.Sub(due); behind > rhythm {
		due = due.Add(behind.Truncate(rhythm))
	}
	if e.again {
		e.again = false
		if at := e.hintedNext(now); at.Before(due) {
			e.hinted, due = at, at
		}
	}
	return due
}

// hint has the target probed at once, or as soon as hints may have it probed again.
func (e *entry) hint(now time.Time) {
	if e.index < 0 {
		e.again = true
		return
	}
	at := e.hintedNext(now)
	if !at.Before(e.due) {
		return
	}
	e.hinted = at
	e.lane.earlier(e, at)
}

// hintedNext is when the target may be probed for a hint.
func (e *entry) hintedNext(now time.Time) time.Time {
	pause := min(e.target.FastInterval, e.target.Interval/5)
	if e.target.Machine.cheap() || e.target.Type == TypeBFD {
		pause = min(pause, cheapPause)
	}
	if at := e.hinted.Add(pause); at.After(now) {
		return at
	}
	return now
}

// evenly spreads what comes one after the other over an interval, however many they are: by the golden ratio each falls into the widest gap that those
// before it have left. start is in 0 to 1.
func evenly(start float64) func(time.Duration) time.Duration {
	const golden = 0.6180339887498949
	return func(interval time.Duration) time.Duration {
		_, start = math.Modf(start + golden)
		return time.Duration(start * float64(interval))
	}
}

// lane holds the entries that wait, and counts their probes that are under way.
type lane struct {
	waiting         queue[*entry]
	underway, limit int
}

// add lets the entry wait until due.
func (l *lane) add(e *entry, due time.Time) {
	e.due = due
	l.waiting.add(e)
}

// earlier moves the entry forward to due, if it waits and would be later.
func (l *lane) earlier(e *entry, due time.Time) {
	if e.index >= 0 && due.Before(e.due) {
		e.due = due
		l.waiting.moved(e)
	}
}

// take removes and returns the first entry when it is due at now, or within its slack, and may be started; else nil.
func (l *lane) take(now time.Time) *entry {
	e, ok := l.waiting.first()
	if !ok || l.underway >= l.limit || e.due.After(now.Add(e.slack())) {
		return nil
	}
	l.waiting.remove(e)
	l.underway++
	return e
}

// next is when take will have an entry; zero = not before a probe has ended.
func (l *lane) next() time.Time {
	if e, ok := l.waiting.first(); ok && l.underway < l.limit {
		return e.due
	}
	return time.Time{}
}
