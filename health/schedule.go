package health

import (
	"container/heap"
	"context"
	"math"
	"time"
)

// entry is one target with what is known of it. The engine's mutex guards it.
type entry struct {
	target  Target
	tracker Tracker
	state   State

	lane  *lane
	due   time.Time // of the next probe, or of the one under way
	index int       // in the lane; -1 = not in it: a probe is under way, or the target is gone

	cancel     context.CancelFunc // of the probe under way; nil = none, or it has no goroutine
	connecting *connecting        // the probe under way; nil = none, or it has a goroutine
	gone       bool               // no longer wanted: a late result is dropped

	slot   time.Time // when it was due without the hint; zero = there was none
	hinted time.Time // when a probe was last started, or is to be, for a hint
	again  bool      // a hint came while the probe was under way
}

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

// next is when the target is to be probed after a probe that has ended.
//
// From the time it was due, not from now: the rhythm does not drift, and those that were set together stay spread out. A probe that took as long as
// the rhythm is followed at once by the next; more that were missed, in a suspend say, are not made up for. After a hint the target goes back to its place.
func (e *entry) next(now time.Time) time.Time {
	rhythm := e.rhythm()
	due := e.due.Add(rhythm)
	if !e.slot.IsZero() && e.settled() {
		due = e.slot
	}
	e.slot = time.Time{}
	if behind := now.Sub(due); behind > rhythm {
		due = due.Add(behind.Truncate(rhythm))
	}
	if e.again {
		e.again = false
		if at := e.hintedNext(now); at.Before(due) {
			e.slot, e.hinted, due = due, at, at
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
	if e.slot.IsZero() {
		e.slot = e.due
	}
	e.hinted = at
	e.lane.waiting.earlier(e, at)
}

// hintedNext is when the target may be probed for a hint.
func (e *entry) hintedNext(now time.Time) time.Time {
	pause := min(e.target.FastInterval, e.target.Interval/5)
	if e.target.Machine.cheap() {
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

// lane is a schedule with the number of its probes that are under way.
type lane struct {
	waiting         schedule
	underway, limit int
}

// take removes and returns the first entry when it is due, or nearly, and may be started; else nil.
func (l *lane) take(now time.Time) *entry {
	if l.underway >= l.limit {
		return nil
	}
	e := l.waiting.take(now)
	if e != nil {
		l.underway++
	}
	return e
}

// next is when take will have an entry; zero = not before a probe has ended.
func (l *lane) next() time.Time {
	if e := l.waiting.next(); e != nil && l.underway < l.limit {
		return e.due
	}
	return time.Time{}
}

// schedule is a heap of the entries that wait, the earliest first. The methods with a capital letter are heap.Interface.
type schedule []*entry

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }

func (s schedule) Swap(i, j int) {
	s[i], s[j] = s[j], s[i]
	s[i].index, s[j].index = i, j
}

func (s *schedule) Push(x any) {
	e := x.(*entry)
	e.index = len(*s)
	*s = append(*s, e)
}

func (s *schedule) Pop() any {
	old := *s
	e := old[len(old)-1]
	old[len(old)-1] = nil
	e.index = -1
	*s = old[:len(old)-1]
	return e
}

// add lets the entry wait until due.
func (s *schedule) add(e *entry, due time.Time) {
	e.due = due
	heap.Push(s, e)
}

// earlier moves the entry forward to due, if it waits and would be later.
func (s *schedule) earlier(e *entry, due time.Time) {
	if e.index >= 0 && due.Before(e.due) {
		e.due = due
		heap.Fix(s, e.index)
	}
}

// remove takes the entry out, if it waits.
func (s *schedule) remove(e *entry) {
	if e.index >= 0 {
		heap.Remove(s, e.index)
	}
}

// next is the entry that is due first; nil when none waits.
func (s schedule) next() *entry {
	if len(s) == 0 {
		return nil
	}
	return s[0]
}

// take removes and returns the first entry when it is due at now, or within its slack; else nil.
func (s *schedule) take(now time.Time) *entry {
	if e := s.next(); e != nil && !e.due.After(now.Add(e.slack())) {
		return heap.Pop(s).(*entry)
	}
	return nil
}
