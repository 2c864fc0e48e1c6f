package vip

import (
	"errors"
	"time"
)

// Announcements go out at these times after an address was put: at once, soon again for neighbours that were busy or whose
// switch port was not forwarding yet, and later for those that came up with a stale cache.
var announceAt = [...]time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond, time.Second, 5 * time.Second}

// announceEvery is the refresh after that. It keeps switches' tables from ageing (commonly 300 s) and heals caches that a
// lost burst left stale.
const announceEvery = time.Minute

// schedule says which addresses are to be announced when. It is data: whoever holds it sends. Not for concurrent use.
type schedule map[key]*burst

type burst struct {
	begun time.Time // when it was to start
	start time.Time // when it did
	next  int       // index into announceAt; its length and more: the refresh
	due   time.Time
}

// begin starts a burst for k, also when one is under way.
func (s schedule) begin(k key, now time.Time) { s[k] = &burst{begun: now, start: now, due: now} }

// acceptsWithin is for how long the first announcement of an address waits for the kernel to take packets for it. What comes to a link that
// is not ready is lost anyhow.
const acceptsWithin = time.Second

// wait puts the start of a burst off by a little, and later by more. It says no where one has begun, or has been put off for long enough.
func (s schedule) wait(k key, now time.Time) bool {
	b := s[k]
	if b == nil || b.next > 0 || now.Sub(b.begun) >= acceptsWithin {
		return false
	}
	b.start = now.Add(2*time.Millisecond + now.Sub(b.begun)/4)
	b.due = b.start
	return true
}

// cancel forgets k. Nothing is announced for it afterwards.
func (s schedule) cancel(k key) { delete(s, k) }

// due returns what is to be announced now. The caller calls sent for each.
func (s schedule) due(now time.Time) []key {
	var ks []key
	for k, b := range s {
		if !b.due.After(now) {
			ks = append(ks, k)
		}
	}
	return ks
}

// sent moves k on to its next time after now. Times that were missed are skipped: a late burst would tell nothing new.
func (s schedule) sent(k key, now time.Time) {
	b := s[k]
	if b == nil {
		return
	}
	for b.next++; b.next < len(announceAt); b.next++ {
		if t := b.start.Add(announceAt[b.next]); t.After(now) {
			b.due = t
			return
		}
	}
	b.due = now.Add(announceEvery)
}

// wakeAt is the earliest due time; zero when nothing is scheduled.
func (s schedule) wakeAt() time.Time {
	var t time.Time
	for _, b := range s {
		t = earlier(t, b.due)
	}
	return t
}

// earlier is the earlier of two times, where zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// errNotLive is why a due announcement was not sent.
var errNotLive = errors.New("not sent: the lease has run out")

// claim sends one announcement for k, unless the lease that the address was opened under has run out since: the caller may be
// late with giving it up, and somebody else's claim must not be answered with ours. The gate in BPF drops such a frame; one
// in nftables may be late, and lifetimes of addresses stop no frame. The caller holds mu.
func (a *Actuator) claim(k key) error {
	if r := a.records[k]; a.live != nil && (r == nil || !a.live(r.epoch)) {
		return errNotLive
	}
	return a.announcer.Announce(k.Link, k.Addr)
}
