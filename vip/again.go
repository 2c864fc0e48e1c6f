package vip

import (
	"net/netip"
	"time"
)

// againEvery is the least time between two bursts of announcements for one address that others ask for.
const againEvery = time.Second

// Again announces those of addrs that this host carries, as if they had just been put: somebody does not hear that they are here, or
// another host claims them. An address that was begun less than a second ago is left alone: its burst is under way. It returns those that
// are announced. Nothing is announced that is not wanted, is being handed over, or has lapsed; and Run does the sending.
func (a *Actuator) Again(addrs []netip.Addr) []netip.Addr {
	asked := make(map[netip.Addr]bool, len(addrs))
	for _, x := range addrs {
		asked[x] = true
	}
	a.mu.Lock()
	var out []netip.Addr
	now := time.Now()
	for k, r := range a.records {
		if !asked[k.Addr] || !r.held || r.lingers || a.opinion.left(k, now) <= 0 {
			continue
		}
		if b := a.schedule[k]; b != nil && now.Sub(b.start) < againEvery {
			continue
		}
		a.schedule.begin(k, now)
		out = append(out, k.Addr)
	}
	a.mu.Unlock()
	signal(a.timer)
	return out
}
