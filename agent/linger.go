package agent

import (
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
)

// linger is for how long an address that is handed over takes packets that are still sent to this node (design §3 “Planned
// moves”). The next owner announces itself at 0, 50, 200 and 1000 ms: neighbours that miss a frame or are busy hear the next, and
// a Linux before 4.12 that had the entry confirmed lately does not take another MAC for a second (locktime). The rest is for
// the hand-over itself: the confirmation, one entry of the log, the services of the next owner.
const linger = 1500 * time.Millisecond

// lingers are the addresses that this process has given up and that still take packets. They are known to it alone: one
// that starts anew removes what it finds, and until then the kernel closes them by the instant that it was told.
type lingers map[fsm.AddressKey]vip.Wanted

// next is what lingers now: what did, until its time is up, its lease is lost, or the node owns it again; and what was
// open until this state released it to another node. carried is what was wanted of the kernel by the state before.
func (l lingers) next(local fsm.Local, open lease.Opened, carried []vip.Wanted, now time.Duration, live func(fsm.Epoch) bool) lingers {
	out := lingers{}
	for k, w := range l {
		if now < w.IPUntil && live(fsm.Epoch(w.Epoch)) {
			out[k] = w
		}
	}
	for _, v := range local.VIPs {
		delete(out, v.Key)
	}
	for _, r := range local.Releases {
		epoch, was := open[r.Key]
		if !r.HandsOver {
			delete(out, r.Key)
		}
		if !r.HandsOver || !was || !live(epoch) {
			continue
		}
		for _, w := range carried {
			if w.Prefix.Addr() == r.Key.Addr && w.IPUntil == 0 {
				w.IPUntil = now + linger
				out[r.Key] = w
			}
		}
	}
	return out
}

// end is when the first of them is over, as an instant of CLOCK_BOOTTIME.
func (l lingers) end() (first time.Duration, any bool) {
	for _, w := range l {
		if !any || w.IPUntil < first {
			first, any = w.IPUntil, true
		}
	}
	return first, any
}

// keys are their keys, in no order.
func (l lingers) keys() []fsm.AddressKey {
	var out []fsm.AddressKey
	for k := range l {
		out = append(out, k)
	}
	return out
}
