package sim

import (
	"container/heap"
	"time"
)

// event is something that happens at a moment of real time. Events of one moment happen in the order of their making.
type event struct {
	at  time.Duration
	seq uint64
	run func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// queue is virtual time: it jumps from event to event.
type queue struct {
	now time.Duration
	seq uint64
	evs events
}

// after makes f happen d from now.
func (q *queue) after(d time.Duration, f func()) {
	q.seq++
	heap.Push(&q.evs, event{at: q.now + max(0, d), seq: q.seq, run: f})
}

// next lets the next event happen; false when none is left before end, where time then stands.
func (q *queue) next(end time.Duration) bool {
	if len(q.evs) == 0 || q.evs[0].at > end {
		q.now = end
		return false
	}
	e := heap.Pop(&q.evs).(event)
	q.now = e.at
	e.run()
	return true
}
