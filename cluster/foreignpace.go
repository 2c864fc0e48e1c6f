package cluster

import (
	"time"

	"quorate/fsm"
)

// Adverts carry no trust, and whoever is on the link can forge those of a listed router. That one claims the VIPs is agreed at once, since releasing must be quick. What follows
// is damped, so that adverts that change all the time do not fill the log and the timeline.
const (
	firstHold = 2 * time.Second  // of what comes for the second time in a row; it doubles
	lastHold  = 64 * time.Second // the longest
	// rowEnds is how long nothing may have been agreed of a virtual router for what comes next to be the first in a row.
	rowEnds = 5 * time.Minute
	// priorityPause is the least time between two entries, and between two reports of a node, that say another priority and nothing more.
	priorityPause = time.Minute
)

// foreignPace is what a leader has seen agreed of one virtual router in its term, and when. Zero: nothing.
type foreignPace struct {
	now   *fsm.ForeignOwner // nil: nobody outside the cluster has it
	at    time.Time         // when that was seen first
	turn  time.Time         // the last claim, or the last other claimant
	turns int               // of those in a row
}

// seen takes in what is agreed.
func (p foreignPace) seen(now *fsm.ForeignOwner, at time.Time) foreignPace {
	if sameClaim(p.now, now) && (now == nil || p.now.Priority == now.Priority) {
		return p
	}
	if at.Sub(p.at) >= rowEnds {
		p.turns = 0
	}
	if now != nil && !sameClaim(p.now, now) {
		p.turn, p.turns = at, p.turns+1
	}
	p.now, p.at = now, at
	return p
}

// waits reports whether what is to be agreed next has to wait.
func (p foreignPace) waits(next *fsm.ForeignOwner, at time.Time) bool {
	switch {
	case p.now == nil: // a claim
		return false
	case sameClaim(p.now, next):
		return at.Sub(p.at) < priorityPause
	}
	return at.Sub(p.turn) < p.hold()
}

// hold is how long the last turn stands at least.
func (p foreignPace) hold() time.Duration {
	if p.turns < 2 {
		return 0
	}
	d := firstHold
	for i := 2; i < p.turns && d < lastHold; i++ {
		d *= 2
	}
	return d
}

// sameClaim reports whether two say the same but for the priority.
func sameClaim(a, b *fsm.ForeignOwner) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Source == b.Source && a.Better == b.Better
}
