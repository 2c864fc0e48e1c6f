package health

import (
	"container/heap"
	"time"
)

// timed is what waits in a queue.
type timed interface {
	when() time.Time // its turn
	place() *int     // where it is in the queue, which keeps it; -1 = it is not in it
}

// queue holds what waits for its time, the earliest first. The methods with a capital letter are heap.Interface.
type queue[T timed] []T

func (q queue[T]) Len() int           { return len(q) }
func (q queue[T]) Less(i, j int) bool { return q[i].when().Before(q[j].when()) }

func (q queue[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	*q[i].place(), *q[j].place() = i, j
}

func (q *queue[T]) Push(x any) {
	v := x.(T)
	*v.place() = len(*q)
	*q = append(*q, v)
}

func (q *queue[T]) Pop() any {
	old := *q
	last := len(old) - 1
	v := old[last]
	clear(old[last:])
	*v.place() = -1
	*q = old[:last]
	return v
}

// add lets v wait, which does not yet.
func (q *queue[T]) add(v T) { heap.Push(q, v) }

// moved is to be called when the time of v has changed, which waits.
func (q *queue[T]) moved(v T) { heap.Fix(q, *v.place()) }

// remove takes v out, if it waits.
func (q *queue[T]) remove(v T) {
	if i := *v.place(); i >= 0 {
		heap.Remove(q, i)
	}
}

// first is what has its turn first; ok is false when nothing waits.
func (q queue[T]) first() (v T, ok bool) {
	if len(q) == 0 {
		return v, false
	}
	return q[0], true
}
