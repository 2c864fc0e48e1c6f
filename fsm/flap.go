package fsm

import (
	"fmt"
	"slices"
	"time"
)

// Flap counts how often in a row a node was fenced, or a VIP failed over: each within an hour of the one before. After that no
// preference and no balance brings VIPs to the node, or moves the VIP, until a hold-down has passed, which doubles with every
// one in a row. Whatever has to be done (a fence, a drain, a VIP without owner, an operator's request) does not wait for it.
//
// Times are the stamps of entries, so that a new leader goes on where the last one was. The planner compares them with its own
// clock and allows for clocks that were set: see heldUntil.
type Flap struct {
	Count int `json:"count,omitempty"`
	// At is when it last happened: of a node that is back, when it came back; of a VIP, also its last move for preference or
	// balance, which is no failure and leaves the count.
	At time.Time `json:"at,omitzero"`
	// Away is set from a node's fence until a leader found it able again.
	Away bool `json:"away,omitempty"`
}

const (
	flapMemory = time.Hour // failures that are further apart are not in a row
	maxFlaps   = 7         // in a row that count
	// longestHold bounds the doubling; a longer hold_down stays as it is.
	longestHold = 30 * time.Minute
)

// again is f after another failure.
func (f Flap) again(at time.Time) Flap {
	if f.Count == 0 || at.Sub(f.At) >= flapMemory {
		f.Count = 0
	}
	return Flap{Count: min(f.Count+1, maxFlaps), At: at, Away: f.Away}
}

// moved is the Flap of a VIP after a move that is no failure and that nobody asked for.
func (f Flap) moved(at time.Time) Flap {
	if at.Sub(f.At) >= flapMemory {
		f.Count = 0
	}
	return Flap{Count: f.Count, At: at}
}

// hold is the hold-down after f.
func (f Flap) hold(s Settings) time.Duration {
	d := s.Hold()
	return max(d, min(d<<max(0, min(f.Count, maxFlaps)-1), longestHold))
}

// heldUntil reports whether the hold-down is on, and when it ends; a node that is away has no end yet. A record that is ahead
// of now counts as just made, as the clocks of leaders differ a little. One that is ahead by more than the hold-down was
// stamped by a clock that was wrong, and holds nothing: otherwise it would hold until that time comes.
func (f Flap) heldUntil(now time.Time, s Settings) (until time.Time, held bool) {
	switch {
	case now.IsZero() || f.At.IsZero() && !f.Away:
		return time.Time{}, false
	case f.Away:
		return time.Time{}, true
	}
	d := f.hold(s)
	if !recent(f.At, now, d) {
		return time.Time{}, false
	}
	return f.At.Add(d), true
}

// recentAt reports whether the next failure would be in a row with f.
func (f Flap) recentAt(now time.Time) bool {
	return f.Count > 0 && (f.Away || now.IsZero() || recent(f.At, now, flapMemory))
}

// recent reports whether t is less than d before now, or after now by less than d.
func recent(t, now time.Time, d time.Duration) bool {
	ago := now.Sub(t)
	return -d < ago && ago < d
}

// moveWindow is the minute of Settings.MaxMoves.
const moveWindow = time.Minute

// forced reports whether a move for this reason has a cause that does not wait: only preference and balance do.
func (c ReasonCode) forced() bool { return c != ReasonPreempted && c != ReasonRebalanced }

// Budget is how many moves for preference or balance may begin.
type Budget struct {
	Max  int `json:"max"`  // in a minute; a group counts as one
	Used int `json:"used"` // in the last minute
	// Free is when the next one may begin, if none may now.
	Free time.Time `json:"free,omitzero"`
}

// noBudget is more than any cluster could move.
const noBudget = 1 << 30

// left is how many moves may begin now.
func (b Budget) left() int { return max(0, b.Max-b.Used) }

// budgetAt is the budget at a time; the zero time has no bound. As with Flap.heldUntil, what is stamped more than a
// minute ahead of now does not count.
func (s *State) budgetAt(now time.Time) Budget {
	if now.IsZero() {
		return Budget{Max: noBudget}
	}
	b := Budget{Max: s.Config.Settings.Moves()}
	var newest []time.Time
	for _, t := range s.Moves {
		if recent(t, now, moveWindow) {
			newest = append(newest, t)
		}
	}
	b.Used = len(newest)
	slices.SortFunc(newest, time.Time.Compare)
	if over := b.Used - b.Max; over >= 0 {
		b.Free = newest[over].Add(moveWindow)
	}
	return b
}

// counts reports whether the cluster runs at a schema that has flaps and the budget.
func (e *entry) counts() bool { return e.next.Schema >= schemaMoves }

func (e *entry) since() time.Time {
	if !e.counts() {
		return time.Time{}
	}
	return e.at
}

// flapOf is the Flap of a record that gets or loses its owner for a reason. What an operator wants is no flap.
func (e *entry) flapOf(rec Assignment, why ReasonCode) Flap {
	switch {
	case !e.counts():
		return Flap{}
	case rec.Owner == "":
		return rec.Flap // counted when it was lost
	}
	switch why {
	case ReasonFenced, ReasonUnable, ReasonUnhealthy, ReasonPath:
		return rec.Flap.again(e.at)
	case ReasonPreempted, ReasonRebalanced:
		return rec.Flap.moved(e.at)
	default:
		return rec.Flap
	}
}

// unitOf names what moves together with the address.
func (e *entry) unitOf(k AddressKey) string {
	if v, ok := e.next.VIPByKey(k); ok {
		return v.unit()
	}
	return k.String()
}

// spend notes that n moves for preference or balance begin. Of the older ones it keeps as many as could matter.
func (e *entry) spend(n int) {
	if n == 0 || !e.counts() {
		return
	}
	all := make([]time.Time, 0, len(e.next.Moves)+n)
	all = append(all, e.next.Moves...)
	for range n {
		all = append(all, e.at)
	}
	e.next.Moves = all[max(0, len(all)-e.next.Config.Settings.Moves()):]
}

func (e *entry) back(c Back) {
	n, ok := e.next.Nodes[c.Node]
	switch {
	case !ok:
		e.refuse(AddressKey{}, "node %q is not known", clip(string(c.Node), 80))
		return
	case n.Epoch != c.Epoch || !n.Flap.Away:
		e.refuse(AddressKey{}, "node %s has been away at epoch %d, not at %d, or is back already", n.ID, n.Epoch, c.Epoch)
		return
	}
	n.Flap.Away, n.Flap.At = false, e.at
	e.nodes()[n.ID] = n
	e.event(Event{Kind: EventNode, Node: n.ID, Text: fmt.Sprintf("%s is back; for %v nothing is moved to it for preference or balance%s",
		n.ID, n.Flap.hold(e.next.Config.Settings), n.Flap.inARow("it was fenced"))})
}

// inARow is like ", as it was fenced 3 times in a row", or nothing after a single time.
func (f Flap) inARow(what string) string {
	if f.Count < 2 {
		return ""
	}
	return fmt.Sprintf(", as %s %d times in a row", what, f.Count)
}
