package sim

import "time"

// event is something that happens at a moment of real time. Events of one moment happen in the order of their making.
type event struct {
	at  time.Duration
	seq uint64
	do  func()
	of  *node  // in whose process; nil: in none
	run uint64 // which of its processes
}

func (e *event) happen() {
	if e.of == nil {
		e.do()
		return
	}
	e.of.act(e.run, e.do)
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// queue is virtual time: it jumps from event to event. evs is a binary heap, the next event first; it is written out because
// container/heap would put every event into an interface, and a schedule has tens of thousands.
type queue struct {
	now time.Duration
	seq uint64
	evs []event
}

// after makes f happen d from now.
func (q *queue) after(d time.Duration, f func()) { q.push(d, event{do: f}) }

func (q *queue) push(d time.Duration, e event) {
	q.seq++
	e.at, e.seq = q.now+max(0, d), q.seq
	q.evs = append(q.evs, e)
	for i := len(q.evs) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.evs[i].before(&q.evs[up]) {
			break
		}
		q.evs[i], q.evs[up] = q.evs[up], q.evs[i]
		i = up
	}
}

// next lets the next event happen; false when none is left before end, where time then stands.
func (q *queue) next(end time.Duration) bool {
	if len(q.evs) == 0 || q.evs[0].at > end {
		q.now = end
		return false
	}
	e := q.pop()
	q.now = e.at
	e.happen()
	return true
}

func (q *queue) pop() event {
	first, last := q.evs[0], len(q.evs)-1
	q.evs[0] = q.evs[last]
	q.evs[last] = event{}
	q.evs = q.evs[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return first
		}
		if down+1 < last && q.evs[down+1].before(&q.evs[down]) {
			down++
		}
		if !q.evs[down].before(&q.evs[i]) {
			return first
		}
		q.evs[i], q.evs[down] = q.evs[down], q.evs[i]
		i = down
	}
}
