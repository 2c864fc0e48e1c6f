package health

import (
	"container/heap"
	"context"
	"time"
)

// entry is one target with what is known of it. The engine's mutex guards it.
type entry struct {
	target  Target
	tracker Tracker
	state   State

	due   time.Time
	index int // in the heap; -1 = not in it: a probe is under way, or the target is gone

	cancel context.CancelFunc // of the probe under way; nil = none
	gone   bool               // no longer wanted: a late result is dropped
}

// rhythm is the time from one probe to the next, as things stand.
func (e *entry) rhythm() time.Duration {
	if ok, n := e.tracker.Streak(); n == 0 || e.tracker.Verdict() != verdictOf(ok) {
		return e.target.FastInterval
	}
	return e.target.Interval
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

// take removes and returns the first entry when it is due at now; else nil.
func (s *schedule) take(now time.Time) *entry {
	if e := s.next(); e != nil && !e.due.After(now) {
		return heap.Pop(s).(*entry)
	}
	return nil
}
