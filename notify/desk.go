package notify

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// maxQueued bounds what waits for one notifier of this node. Where there are so many subjects that their latest states alone are more than half of that, it is these and
// half of it besides.
const maxQueued = 1000

// desk is one notifier of this node. Teller.mu guards it.
type desk struct {
	notifier fsm.Notifier
	last     Scene // with what is queued
	told     Scene
	queue    []Transition
	news     chan struct{}
	stop     context.CancelFunc // of its worker; nil = it has none yet
	done     chan struct{}      // closed when that has ended
	busy     bool               // it is being told something
	idle     chan struct{}      // closed when there is nothing more; nil = nobody waits for that
	status   NodeNotifier
}

// NodeNotifier is how a notifier of one node does, since its agent started.
type NodeNotifier struct {
	Notifier string
	Waiting  int
	Told     uint64
	Failed   uint64 // runs that ended badly, or could not begin; they are not repeated
	Dropped  uint64 // states that were overtaken by newer ones before they could be told
	Error    string // of the last one, if that failed
	At       time.Time
}

func newDesk() *desk { return &desk{last: Scene{}, told: Scene{}, news: make(chan struct{}, 1)} }

// compare is what the notifier has to be told.
func (d *desk) compare(s *fsm.State, n fsm.Notifier, self fsm.NodeID, scene Scene) (fresh []Transition) {
	for x, state := range scene {
		if wants(s, n, self, x) && d.last[x] != state {
			fresh = append(fresh, Transition{x, state})
		}
	}
	for x := range d.last {
		if _, is := scene[x]; is && wants(s, n, self, x) {
			continue
		}
		if gone(s, x) {
			fresh = append(fresh, Transition{x, Deleted})
		} else {
			delete(d.told, x)
		}
		delete(d.last, x)
	}
	return fresh
}

// gone reports whether the configuration has an instance or group no more.
func gone(s *fsm.State, x Subject) bool {
	switch x.Kind {
	case Instance:
		_, has := s.Config.VIPs[x.Name]
		return !has
	case Group:
		return !slices.ContainsFunc(slices.Collect(maps.Values(s.Config.VIPs)), func(v fsm.VIP) bool { return v.Group == x.Name })
	}
	return false
}

// push queues what was found at one look: instances, then groups, as keepalived does.
func (d *desk) push(fresh []Transition) {
	slices.SortFunc(fresh, func(a, b Transition) int {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), strings.Compare(a.Name, b.Name), strings.Compare(a.Service, b.Service))
	})
	for _, x := range fresh {
		if d.last[x.Subject] = x.State; x.State == Deleted {
			delete(d.last, x.Subject)
		}
	}
	d.queue = append(d.queue, fresh...)
	if over := len(d.queue) - max(maxQueued, maxQueued/2+len(d.last)); over > 0 {
		d.drop(over + maxQueued/4) // more than need be, not to look through all of it each time
	}
	if len(d.queue) > 0 {
		select {
		case d.news <- struct{}{}:
		default:
		}
	}
}

// drop forgets states that were overtaken, the oldest first and so many at most: those of subjects with a newer one in the queue, or that are gone. However many subjects
// there are, the latest state of each stays: nobody would tell it later.
func (d *desk) drop(most int) {
	latest := map[Subject]int{}
	for i, x := range d.queue {
		latest[x.Subject] = i
	}
	kept := d.queue[:0]
	for i, x := range d.queue {
		if _, there := d.last[x.Subject]; most > 0 && (latest[x.Subject] > i || !there) {
			most--
			d.status.Dropped++
			continue
		}
		kept = append(kept, x)
	}
	clear(d.queue[len(kept):])
	d.queue = kept
}

func rank(k Kind) int { return slices.Index([]Kind{Instance, Group, Virtual, Real}, k) }
