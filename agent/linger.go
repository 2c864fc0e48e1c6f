package agent

import (
	"net/netip"
	"time"

	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/vip"
)

// lingers are the addresses that linger, as the kernel was told.
type lingers map[fsm.AddressKey]vip.Wanted

// next is lease.Lingers.Next. carried is what was wanted of the kernel by the state before: what was not there cannot stay.
func (l lingers) next(local fsm.Local, open lease.Opened, carried []vip.Wanted, t fsm.Timing, now time.Duration, live func(fsm.Epoch) bool) lingers {
	was := make(lease.Lingers, len(l))
	for k, w := range l {
		was[k] = lease.Lingering{Epoch: fsm.Epoch(w.Epoch), Until: w.IPUntil}
	}
	there := make(map[netip.Addr]vip.Wanted, len(carried))
	for _, w := range carried {
		if w.IPUntil == 0 {
			there[w.Prefix.Addr()] = w
		}
	}
	out := lingers{}
	for k, x := range was.Next(local, open, t, now, live) {
		w, ok := there[k.Addr]
		if !ok {
			if w, ok = l[k]; !ok || was[k].Epoch != x.Epoch {
				continue
			}
		}
		if w.VRID != 0 {
			continue // whoever has the virtual MAC gets the packets
		}
		w.Epoch, w.IPUntil = uint64(x.Epoch), x.Until
		out[k] = w
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
