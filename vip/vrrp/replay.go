package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// Signing is what is asked of the signatures of adverts: keepalived's modes, by which a group starts to sign without an outage.
type Signing uint8

const (
	// Enforce signs, and drops what is not signed.
	Enforce Signing = iota
	// Permissive signs, and takes what is not signed. What is signed must be signed well.
	Permissive
	// ReceiveOnly does not sign, and else is like [Permissive].
	ReceiveOnly
)

// String is "enforce", "permissive" or "receive-only".
func (s Signing) String() string {
	switch s {
	case Enforce:
		return "enforce"
	case Permissive:
		return "permissive"
	case ReceiveOnly:
		return "receive-only"
	}
	return fmt.Sprintf("signing %d", uint8(s))
}

const (
	// MinWindow is the least age that is tolerated unless it is set: short intervals do not make clocks better.
	MinWindow = 5 * time.Second
	// MaxWindow is the most that keepalived takes.
	MaxWindow = 300 * time.Second
	// multicastSenders is how many senders are remembered where anybody may send. Only who has a key gets in.
	multicastSenders = 4
)

// replay remembers what was heard last of each sender. With a window an advert must be young besides, by clocks that agree; without one (keepalived's
// "monotonic") it must be newer than the last one, and the first one of a sender is believed whatever its age.
type replay struct {
	window  int32 // seconds; 0 = monotonic
	senders []sender
	clock   uint64
}

type sender struct {
	addr  netip.Addr
	last  Sequence
	heard bool
	fixed bool // one of the configured peers, which never makes room for another
	used  uint64
}

func newReplay(window time.Duration, peers []netip.Addr) *replay {
	r := &replay{window: int32((window + time.Second - 1) / time.Second)}
	for _, p := range peers {
		r.senders = append(r.senders, sender{addr: p, fixed: true})
	}
	if len(peers) == 0 {
		r.senders = make([]sender, multicastSenders)
	}
	return r
}

// young judges a sequence before its signature is looked at, so that a flood of old captures costs no hashing.
func (r *replay) young(s Sequence, wall time.Time) bool {
	return r.window == 0 || abs(SequenceAt(wall).seconds(s)) <= r.window
}

// fresh takes the sequence of an advert whose signature is right. It is false for one that was heard before, and for a source that has no place.
func (r *replay) fresh(source netip.Addr, s Sequence, wall time.Time) bool {
	p := r.place(source)
	if p == nil {
		return false
	}
	// What was heard last and has left the window orders nothing that the window would pass; and a sender whose clock was wrong gets in again.
	known := p.heard && r.young(p.last, wall)
	if known && !s.after(p.last) {
		return false
	}
	p.last, p.heard = s, true
	return true
}

func (r *replay) place(source netip.Addr) *sender {
	r.clock++
	var oldest *sender
	for i := range r.senders {
		p := &r.senders[i]
		if p.addr == source {
			p.used = r.clock
			return p
		}
		if !p.fixed && (oldest == nil || p.used < oldest.used) {
			oldest = p
		}
	}
	if oldest != nil {
		*oldest = sender{addr: source, used: r.clock}
	}
	return oldest
}

// next is the sequence of the next advert that is sent after one with last. It grows even if the clock stands still. With a window, a clock that was
// set back by more than that starts anew: nobody would take what comes from the future.
func (r *replay) next(last Sequence, wall time.Time) Sequence {
	now := SequenceAt(wall)
	if now.after(last) || r.window > 0 && last.seconds(now) > r.window {
		return now
	}
	return last + 1
}

func abs(n int32) int32 {
	if n < 0 {
		return -n
	}
	return n
}
