package lease

import (
	"slices"
	"time"

	"quorate/fsm"
)

// holder is the part that asks for leases: design §3 Holder. Every node renews always, whether it owns something or not, so
// that an address which is assigned to it finds a lease that is live already.
type holder struct {
	self fsm.Grantor
	boot BootID

	barrier bool
	ticked  [parts]struct {
		at   Instant
		once bool
	}

	seq    uint64
	sends  [maxSends]sending
	leases []epochLease // oldest epoch first; the last one is the applied epoch's
	// closed is the highest agreed epoch that a refusal quoted before this node had applied it. No lease below it is live.
	closed fsm.Epoch

	due     time.Duration // RAW at which the next round is due
	pace    lateness
	scratch []time.Duration
}

const (
	// maxSends bounds the sendings that an Ack may still refer to: 32 rounds are more than six T.
	maxSends = 32
	// maxLeases bounds the epochs whose leases are known at once. More than one earlier epoch can only be live when a node
	// was raised several times within one T.
	maxLeases = 4
)

// sending is what a round of Renews was sent with. An Ack that names it is worth exactly this, whatever has been applied
// since (design §3: "s read before sending", "ttl is the one sent").
type sending struct {
	seq   uint64
	at    Instant
	ttl   time.Duration
	epoch fsm.Epoch
}

// epochLease is the lease under one epoch.
type epochLease struct {
	epoch fsm.Epoch
	acks  []ackedUntil
	until Instant
	shown Instant // what the last LeaseChanged said
}

// ackedUntil is the best that one grantor has acknowledged.
type ackedUntil struct {
	by    fsm.Grantor
	until Instant
}

// applied takes over an own epoch and a grantor set. It reports whether either changed, which makes a round due at once.
func (h *holder) applied(now Instant, old, v *view) {
	if v.epoch != 0 && (len(h.leases) == 0 || h.leases[len(h.leases)-1].epoch < v.epoch) {
		// The lease under the previous epoch stays known until its own deadline: what was opened under it may stay open
		// until the one under the new epoch is live.
		if len(h.leases) == maxLeases {
			h.leases = slices.Delete(h.leases, 0, 1)
		}
		h.leases = append(h.leases, epochLease{epoch: v.epoch})
		h.due = now.Raw
	}
	if !old.known() || old.set.Index != v.set.Index {
		for i := range h.leases {
			l := &h.leases[i]
			l.acks = slices.DeleteFunc(l.acks, func(a ackedUntil) bool { return !v.set.Has(a.by) })
			h.recount(l, v)
		}
		h.due = now.Raw
	}
	if v.renew > 0 && h.due > now.Raw+v.renew {
		h.due = now.Raw + v.renew // a shorter profile
	}
}

// fallIn lets a round that is due soon go out now, when a peer's round has come. So the nodes fall in step, and an idle node
// wakes once for a round of all instead of once for each. Sooner is always safe, and at worst costs two rounds more per R until
// they are in step.
func (h *holder) fallIn(now Instant, v *view) {
	if h.due > now.Raw && h.due-now.Raw < v.renew*5/8 {
		h.due = now.Raw
	}
}

// mayRenew holds the conditions for asking at all.
func (h *holder) mayRenew(now Instant, v *view) bool {
	// §3: "No Renew before the start barrier".
	if !h.barrier || v.epoch == 0 {
		return false
	}
	// §3: "One refusal that quotes an agreed higher epoch closes everything at once". "An epoch is learned from the log only":
	// until the log has it there is nothing to ask under.
	if v.epoch < h.closed {
		return false
	}
	// §3: "nor while the actuator or the fsm has not ticked for T". On both clocks: a suspended part has not ticked.
	for _, t := range h.ticked {
		if !t.once || !now.before(Instant{Raw: t.at.Raw + v.ttl, Boot: t.at.Boot + v.ttl}) {
			return false
		}
	}
	return true
}

// renew makes the next round: one Renew for every member of the set.
func (h *holder) renew(now Instant, v *view) Renew {
	h.seq++
	// §3 Holder: s is read before sending. now was read before this Step, which is before any of its outputs is sent.
	h.sends[h.seq%maxSends] = sending{seq: h.seq, at: now, ttl: v.ttl, epoch: v.epoch}
	h.due = now.Raw + v.renew
	h.pace.sent(now.Raw, h.due)
	return Renew{
		Seq:          h.seq,
		Epoch:        v.epoch,
		GrantorIndex: v.set.Index,
		TTL:          v.ttl,
		// §3 Detection: "n cut off from its acknowledgements counts as silent". A fresh owner without a lease says false for one
		// round; the grantors give it S from the moment that its ownership was applied.
		Held: v.owns && h.liveAny(now),
	}
}

// ack counts an acknowledgement.
func (h *holder) ack(from fsm.Grantor, a Ack, v *view) {
	s := &h.sends[a.Seq%maxSends]
	// An answer to an earlier process, to a sending that is no longer known, or for another epoch counts for nothing.
	if a.Boot != h.boot || a.Seq == 0 || s.seq != a.Seq || s.epoch != a.Epoch {
		return
	}
	// §3 Identities: a member of the set is a node with its store.
	if !v.set.Has(from) {
		return
	}
	for i := range h.leases {
		if l := &h.leases[i]; l.epoch == s.epoch {
			l.count(from, deadline(s.at, s.ttl))
			h.recount(l, v)
			return
		}
	}
}

// refuse takes a refusal. A mere promise does not close anything: only an epoch that is agreed, and that this node has not
// applied yet.
func (h *holder) refuse(r Refuse, v *view) {
	if r.Boot != h.boot || r.Agreed <= v.epoch {
		return
	}
	h.closed = max(h.closed, r.Agreed)
}

// count remembers the latest deadline that one grantor has acknowledged.
func (l *epochLease) count(by fsm.Grantor, until Instant) {
	for i := range l.acks {
		if a := &l.acks[i]; a.by == by {
			a.until.Raw = max(a.until.Raw, until.Raw)
			a.until.Boot = max(a.until.Boot, until.Boot)
			return
		}
	}
	l.acks = append(l.acks, ackedUntil{by: by, until: until})
}

// recount extends the lease to the latest s + ttl that a majority of the applied set has acknowledged, on each clock by
// itself. A lease is never shortened here: what a majority of the set applied then has granted stays granted.
func (h *holder) recount(l *epochLease, v *view) {
	l.until.Raw = max(l.until.Raw, h.majority(l, v, func(i Instant) time.Duration { return i.Raw }))
	l.until.Boot = max(l.until.Boot, h.majority(l, v, func(i Instant) time.Duration { return i.Boot }))
}

// majority is the majority-th largest of the acknowledged deadlines, 0 when fewer have acknowledged.
func (h *holder) majority(l *epochLease, v *view, of func(Instant) time.Duration) time.Duration {
	need := v.set.Majority()
	if len(v.set.Members) == 0 || len(l.acks) < need {
		return 0
	}
	h.scratch = h.scratch[:0]
	for _, a := range l.acks {
		h.scratch = append(h.scratch, of(a.until))
	}
	slices.Sort(h.scratch)
	return h.scratch[len(h.scratch)-need]
}

// live reports whether the lease under e is held at now.
func (h *holder) live(e fsm.Epoch, now Instant) bool {
	for i := range h.leases {
		if l := &h.leases[i]; l.epoch == e {
			return h.liveLease(l, now)
		}
	}
	return false
}

func (h *holder) liveLease(l *epochLease, now Instant) bool {
	return l.epoch >= h.closed && now.before(l.until)
}

// liveAny reports whether any lease is held, the one of an earlier epoch included.
func (h *holder) liveAny(now Instant) bool {
	for i := range h.leases {
		if h.liveLease(&h.leases[i], now) {
			return true
		}
	}
	return false
}

// reach counts the members of the set whose grant under the applied epoch is still good.
func (h *holder) reach(now Instant, v *view) int {
	n := 0
	for i := range h.leases {
		if l := &h.leases[i]; l.epoch == v.epoch {
			for _, a := range l.acks {
				if now.before(a.until) {
					n++
				}
			}
		}
	}
	return n
}

// changes calls emit for every lease whose deadline moved or that was lost, and forgets earlier epochs that are over.
func (h *holder) changes(now Instant, v *view, emit func(LeaseChanged)) {
	for i := 0; i < len(h.leases); i++ {
		l := &h.leases[i]
		var until Instant
		if h.liveLease(l, now) {
			until = l.until
		}
		if until != l.shown {
			l.shown = until
			emit(LeaseChanged{Epoch: l.epoch, Until: until})
		}
		if until.zero() && l.epoch != v.epoch {
			h.leases = slices.Delete(h.leases, i, i+1)
			i--
		}
	}
}

// timer is when the holder next has to be looked at.
func (h *holder) timer(now Instant, v *view) time.Duration {
	at := never
	if h.mayRenew(now, v) && len(v.set.Members) > 0 {
		at = h.due
	}
	for i := range h.leases {
		if l := &h.leases[i]; !l.shown.zero() {
			at = min(at, l.until.Raw, now.Raw+max(0, l.until.Boot-now.Boot))
		}
	}
	return at
}
