package lease

import (
	"net/netip"
	"time"

	"quorate/fsm"
)

// Linger is for how long an address that was handed over takes packets that are still sent to its old owner, from when that one
// has heard who has it now (design §3 “Planned moves”). The next owner announces itself at 0, 50, 200 and 1000 ms: neighbours that
// miss a frame or are busy hear the next, and a Linux before 4.12 that had the entry confirmed lately does not take another MAC for
// a second (locktime).
const Linger = 1500 * time.Millisecond

// LongestLinger is the longest that an address lingers in all: while it is released to a node that has not got it yet, nobody else
// takes packets for it, and a leader that gets no confirmation in that time asks for a fence.
func LongestLinger(t fsm.Timing) time.Duration { return confirmWithin(t.TTL) + Linger }

// Lingering is one address that a node has given up and that still takes packets.
type Lingering struct {
	Epoch fsm.Epoch     // under which it was open, and is: it ends with that lease
	Until time.Duration // CLOCK_BOOTTIME
}

// Lingers says which addresses linger. It is a value: Next makes a new one. They are known to one process alone: one that
// starts anew removes what it finds, and until then the kernel closes them by the instant that it was told.
type Lingers map[fsm.AddressKey]Lingering

// Next is what lingers now: what did, until its time is up, its lease is lost, or the node owns the address again, under
// whatever network; and what was open until local released it to another node. What has got its next owner lingers for another Linger
// at most. t is of the profile in force, now is CLOCK_BOOTTIME, live as for Opened.Next.
func (l Lingers) Next(local fsm.Local, open Opened, t fsm.Timing, now time.Duration, live func(fsm.Epoch) bool) Lingers {
	next := Lingers{}
	owned := make(map[netip.Addr]bool, len(local.VIPs)) // under whatever network
	for _, v := range local.VIPs {
		owned[v.Key.Addr] = true
	}
	pending := make(map[fsm.AddressKey]bool, len(local.Releases)) // to be given up, and nobody else has them yet
	for _, r := range local.Releases {
		pending[r.Key] = true
	}
	for k, x := range l {
		if now < x.Until && live(x.Epoch) && !owned[k.Addr] {
			if !pending[k] {
				x.Until = min(x.Until, now+Linger)
			}
			next[k] = x
		}
	}
	for _, r := range local.Releases {
		epoch, was := open[r.Key]
		switch {
		case !r.HandsOver:
			delete(next, r.Key)
		case was && live(epoch) && !owned[r.Key.Addr]:
			next[r.Key] = Lingering{Epoch: epoch, Until: now + LongestLinger(t)}
		}
	}
	return next
}
