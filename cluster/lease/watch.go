package lease

import (
	"time"

	"quorate/fsm"
)

// watch is the grantor's eye on the owners: design §3 Detection. It tells who is suspected; the leader counts.
//
// It measures in time that this node was awake for. A grantor that was frozen or starved has heard nothing because of
// itself, so each gap between two Steps counts for at most one R.
type watch struct {
	last   time.Duration // RAW of the last Step
	deaf   time.Duration // time that does not count
	owners map[fsm.NodeID]*watched
}

// watched is one owner; times are awake time.
type watched struct {
	since     time.Duration // the later of: its ownership was applied here, its last Renew with held, the start
	suspected bool
	push      time.Duration // when the suspicion is pushed again, RAW
}

// push is one Suspect that is due.
type push struct {
	node      fsm.NodeID
	silent    time.Duration
	withdrawn bool
	first     bool // the suspicion is new
}

func newWatch(start Instant) watch {
	return watch{last: start.Raw, owners: make(map[fsm.NodeID]*watched)}
}

// awake notes that the node runs, and returns awake time.
func (w *watch) awake(now Instant, renew time.Duration) time.Duration {
	if gap := now.Raw - w.last; renew > 0 && gap > 2*renew {
		w.deaf += gap - renew
	}
	w.last = max(w.last, now.Raw)
	return w.last - w.deaf
}

// applied takes over who owns something. The silence of a new owner is counted from here.
func (w *watch) applied(awake time.Duration, v *view) {
	for n := range w.owners {
		if !v.ownsAny(n) {
			delete(w.owners, n) // the leader forgets the suspicion by the same entry
		}
	}
	for _, n := range v.owners {
		if _, ok := w.owners[n]; !ok {
			w.owners[n] = &watched{since: awake}
		}
	}
}

// held notes a Renew with held. It reports whether a suspicion ends.
func (w *watch) held(awake time.Duration, n fsm.NodeID) (withdrawn bool) {
	o, ok := w.owners[n]
	if !ok {
		return false
	}
	withdrawn = o.suspected
	o.since, o.suspected = awake, false
	return withdrawn
}

// due calls emit for each suspicion that is new, or whose turn it is to be pushed again (each R while it lasts).
func (w *watch) due(now Instant, awake, silence time.Duration, v *view, emit func(push)) {
	for _, n := range v.owners {
		o, ok := w.owners[n]
		if !ok {
			continue
		}
		silent := awake - o.since
		switch {
		case !o.suspected && silent >= silence:
			o.suspected = true
			o.push = now.Raw + v.renew
			emit(push{node: n, silent: silent, first: true})
		case o.suspected && now.Raw >= o.push:
			o.push = now.Raw + v.renew
			emit(push{node: n, silent: silent})
		}
	}
}

// again makes every suspicion due: the leader is another.
func (w *watch) again() {
	for _, o := range w.owners {
		o.push = 0
	}
}

// timer is when the next suspicion begins or is pushed, RAW.
func (w *watch) timer(silence time.Duration) time.Duration {
	at := never
	for _, o := range w.owners {
		if o.suspected {
			at = min(at, o.push)
		} else {
			at = min(at, o.since+silence+w.deaf)
		}
	}
	return at
}
