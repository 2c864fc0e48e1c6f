package lease

import (
	"slices"
	"time"

	"quorate/fsm"
)

// handovers are the releases of the applied state, as the leader follows them: design §3 “Planned moves”.
type handovers struct {
	list []handover // sorted by key
}

// handover is one current Release.
type handover struct {
	key       fsm.AddressKey
	index     uint64
	owner     fsm.NodeID
	since     time.Duration // RAW at which this leader first saw it, or last had its owner fenced
	confirmed bool
	say       time.Duration // when to say Confirmed again, RAW
}

// confirmWithin is how long an owner has to confirm: max(1 s, 4·T).
func confirmWithin(ttl time.Duration) time.Duration { return max(time.Second, 4*ttl) }

// applied keeps what is still current and takes up what is new. A Release that was cancelled or answered is gone, and with
// it its confirmation: the next Release of the address has another index.
func (h *handovers) applied(now Instant, v *view) {
	var list []handover
	for k, a := range v.state.Assignments {
		if a.Release == nil || a.Owner == "" {
			continue
		}
		x := handover{key: k, index: a.Release.Index, owner: a.Owner, since: now.Raw}
		if i := slices.IndexFunc(h.list, func(o handover) bool { return o.key == k }); i >= 0 && h.list[i].index == x.index {
			x = h.list[i]
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b handover) int { return a.key.Compare(b.key) })
	h.list = list
}

// confirm takes an owner's word. It counts for exactly the Release whose index it names, and only from its owner.
func (h *handovers) confirm(from fsm.NodeID, r Released) {
	for i := range h.list {
		if x := &h.list[i]; x.key == r.Key && x.index == r.Index && x.owner == from {
			x.confirmed = true
		}
	}
}

func (h *handovers) tick(now Instant, v *view, term uint64, p port, fence func(owner fsm.NodeID, text string)) {
	for i := range h.list {
		x := &h.list[i]
		switch {
		case x.confirmed && now.Raw >= x.say:
			x.say = now.Raw + repeat
			p.emit(Confirmed{Key: x.key, ReleaseIndex: x.index, Node: x.owner, Term: term})
		case !x.confirmed && now.Raw-x.since >= confirmWithin(v.ttl):
			fence(x.owner, unconfirmed(x.key, x.index, now.Raw-x.since))
			x.since = now.Raw
		}
	}
}

func (h *handovers) timer(v *view) time.Duration {
	at := never
	for i := range h.list {
		if x := &h.list[i]; x.confirmed {
			at = min(at, x.say)
		} else {
			at = min(at, x.since+confirmWithin(v.ttl))
		}
	}
	return at
}
