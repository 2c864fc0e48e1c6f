package lease

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"quorate/fsm"
)

// fencer is the leader's part: it counts suspicions, runs fences, sees to orphaned promises, to hand-overs that are not
// confirmed and to the permission to change the grantor set. What it has gathered dies with the term (design §3: "Answers die
// with the leader's term").
type fencer struct {
	self fsm.Grantor
	boot BootID

	leading   bool
	term      uint64
	lastIndex uint64        // of the log at the election; nothing is done before it is applied
	since     time.Duration // RAW at which the leadership began
	seq       uint64        // names the sending of a question; grows

	tally     tally
	fences    map[fsm.NodeID]*fencing
	raises    map[fsm.NodeID]*raising
	handovers handovers
	change    setChange
	reports   reports
	reach     reaching
}

// fencing is one fence under way.
type fencing struct {
	epoch    fsm.Epoch
	set      uint64 // index of the grantor set whose members were asked
	text     string
	silent   time.Duration // since the last Renew, when a majority suspected it; 0 = another cause
	began    time.Duration // RAW of the first question; 0 = not asked yet
	promised time.Duration // RAW at which a majority had answered; 0 = not yet
	answered []fsm.Grantor
	send     time.Duration // when to ask again those that have not answered, RAW
	say      time.Duration // when to say FenceReady (again), RAW
}

// raising is one orphaned promise that was reported.
type raising struct {
	epoch fsm.Epoch
	since time.Duration
	say   time.Duration
}

const (
	// repeat is how often the leader's duties are told again what is still to be done.
	repeat = time.Second
	// changeAfter is when older sets are refused although some live holder has not applied the current one (design §3).
	changeAfter = 10 * time.Second
)

// port is what the fencer acts through.
type port interface {
	send(to fsm.NodeID, b Body)
	emit(o Output)
}

func newFencer(self fsm.Grantor, boot BootID) fencer {
	f := fencer{self: self, boot: boot, reports: newReports()}
	f.forget()
	return f
}

// forget drops all that was gathered for a term.
func (f *fencer) forget() {
	f.fences = make(map[fsm.NodeID]*fencing)
	f.raises = make(map[fsm.NodeID]*raising)
	f.handovers = handovers{}
	f.change = setChange{}
	f.reach = reaching{}
}

// lead begins a leadership.
func (f *fencer) lead(now Instant, l Lead, v *view) {
	if f.leading && f.term == l.Term {
		return
	}
	f.forget()
	f.leading, f.term, f.lastIndex, f.since = true, l.Term, l.LastIndex, now.Raw
	if v.known() {
		f.applied(now, v)
	}
}

// follow ends it. §3: "Answers die with the leader's term".
func (f *fencer) follow() {
	f.leading = false
	f.forget()
}

// active reports whether the leader may act: it has applied all that was in its log when it was elected.
func (f *fencer) active(v *view) bool { return f.leading && v.known() && v.index() >= f.lastIndex }

// applied takes over a state.
func (f *fencer) applied(now Instant, v *view) {
	f.tally.applied(v)
	f.reports.applied(v)
	if !f.leading {
		return
	}
	for n, x := range f.fences {
		switch {
		case v.agreed(n) != x.epoch:
			delete(f.fences, n) // fenced or raised: this fence is over
		case v.set.Index != x.set:
			// §3 Fence: "Apply demands that n's epoch is still e and the set still that one". Ask the new set.
			f.fences[n] = &fencing{epoch: x.epoch, set: v.set.Index, text: x.text, silent: x.silent, began: x.began}
		}
	}
	for n, r := range f.raises {
		if v.agreed(n) != r.epoch {
			delete(f.raises, n)
		}
	}
	f.handovers.applied(now, v)
	f.change.applied(now, v)
}

// tick does what is due.
func (f *fencer) tick(now Instant, v *view, p port) {
	if !f.active(v) {
		return
	}
	// §3 Fence: "the leader may ask early: it does when a majority suspects". Only nodes that own something are suspected.
	for _, n := range v.owners {
		if f.fences[n] == nil && f.tally.count(now, n, v) >= v.set.Majority() {
			f.start(n, f.tally.text(now, n, v), v)
			if x := f.fences[n]; x != nil {
				x.silent = f.tally.silence(now, n, v)
			}
		}
	}
	// §3 Planned moves: "An owner that does not confirm in time is fenced".
	f.handovers.tick(now, v, f.term, p, func(owner fsm.NodeID, text string) { f.start(owner, text, v) })
	f.raise(now, v, p)
	for _, n := range sortedKeys(f.fences) {
		f.press(now, n, v, p)
	}
	f.change.tick(now, v, f, p)
	f.reports.tick(now, v, f, p)
}

// start begins a fence of n at its agreed epoch. A fence that has begun runs to its end: once some have promised, only a new
// epoch helps n, and the Fenced entry brings one.
func (f *fencer) start(n fsm.NodeID, text string, v *view) {
	if f.fences[n] == nil && v.agreed(n) != 0 {
		f.fences[n] = &fencing{epoch: v.agreed(n), set: v.set.Index, text: text}
	}
}

// press asks those that have not answered, or says that the fence is ready.
func (f *fencer) press(now Instant, n fsm.NodeID, v *view, p port) {
	x := f.fences[n]
	if x.began == 0 {
		x.began = now.Raw
	}
	if x.ready(v) {
		if x.promised == 0 {
			x.promised = now.Raw
		}
		if now.Raw >= x.say {
			x.say = now.Raw + v.ttl
			p.emit(FenceReady{Node: n, Epoch: x.epoch, GrantorIndex: x.set, Term: f.term, Text: x.text,
				Silent: x.silent, Promised: x.promised - x.began})
		}
		return
	}
	if now.Raw < x.send {
		return
	}
	x.send = now.Raw + v.renew
	f.seq++
	ask := Fence{Term: f.term, Seq: f.seq, Node: n, Epoch: x.epoch, GrantorIndex: x.set}
	for _, g := range v.set.Members {
		if !slices.Contains(x.answered, g) {
			p.send(g.Node, ask)
		}
	}
}

// sortedKeys are the keys in order; it allocates nothing where there are none, which is nearly always.
func sortedKeys[V any](m map[fsm.NodeID]V) []fsm.NodeID {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

// ready: §3 Fence "With a majority of answers of its own term the leader commits one entry".
func (x *fencing) ready(v *view) bool {
	return len(v.set.Members) > 0 && len(x.answered) >= v.set.Majority()
}

// answer counts a grantor's answer. It must be for this process, this term, this epoch and this set, and come from a member
// with its store.
func (f *fencer) answer(from fsm.Grantor, a FenceAnswer, v *view) {
	x := f.fences[a.Node]
	if !f.leading || a.Boot != f.boot || a.Term != f.term || x == nil || a.Epoch != x.epoch || a.GrantorIndex != x.set {
		return
	}
	if x.set != v.set.Index || !v.set.Has(from) || slices.Contains(x.answered, from) {
		return
	}
	x.answered = append(x.answered, from)
}

// raise sees to §3 “Orphaned promises”: "Grantors report floors ≥ the agreed epoch. The leader commits Raise{n, e}, or runs a
// whole fence". It waits for two rounds, in which a node that is really gone is suspected and then fenced instead; where only a
// minority suspects it, a little longer.
func (f *fencer) raise(now Instant, v *view, p port) {
	f.reports.orphans(now, v, func(n fsm.NodeID) {
		if f.raises[n] == nil {
			f.raises[n] = &raising{epoch: v.agreed(n), since: now.Raw}
		}
	})
	for _, n := range sortedKeys(f.raises) {
		r := f.raises[n]
		if f.fences[n] != nil {
			delete(f.raises, n)
			continue
		}
		wait := 2 * v.renew
		if f.tally.count(now, n, v) > 0 {
			wait = 4 * v.ttl
		}
		if now.Raw-r.since >= wait && now.Raw >= r.say {
			r.say = now.Raw + repeat
			p.emit(RaiseWanted{Node: n, Epoch: r.epoch, Term: f.term})
		}
	}
}

// unconfirmed is the text of a fence for a hand-over that was not confirmed.
func unconfirmed(k fsm.AddressKey, index uint64, after time.Duration) string {
	return fmt.Sprintf("did not confirm release %d of %s within %.1f s", index, k, after.Seconds())
}

// timer is when the fencer next has to be looked at.
func (f *fencer) timer(v *view) time.Duration {
	at := never
	if !f.active(v) {
		return at
	}
	for _, x := range f.fences {
		if x.ready(v) {
			at = min(at, x.say)
		} else {
			at = min(at, x.send)
		}
	}
	return min(at, f.handovers.timer(v), f.change.timer())
}
