package agent

import (
	"math"
	"time"

	"quorate/fsm"
)

// ramps give servers that have come back their weight by and by (fsm.Ramp). When one came back is agreed, by the leader's clock; how long ago
// that was, this node measures by a clock of its own that nobody sets. One goroutine.
type ramps struct {
	begun map[fsm.ServerKey]ramp
	// watching says that a pass was made before: what is new came just now, whatever the leader's clock and this node's make of it. Only
	// what was there at the start is counted by the clock on the wall.
	watching bool
	next     time.Time // of the first step that is to come; zero = none is
}

// ramp is one server's.
type ramp struct {
	stamp time.Time // fsm.ServerState.Recovered
	at    time.Time // the same by this node's monotonic clock
}

// follow notes which servers have come back, in all services: this node may come to carry any of them.
func (r *ramps) follow(s *fsm.State, now time.Time) {
	begun := map[fsm.ServerKey]ramp{}
	for _, svc := range s.Config.Services {
		if svc.SlowStart == 0 {
			continue
		}
		for _, server := range svc.Servers {
			k := fsm.ServerKey{Service: svc.Name, Address: server.Address}
			stamp := s.Servers[k].Recovered
			if stamp.IsZero() {
				continue
			}
			b, known := r.begun[k]
			if !known || !b.stamp.Equal(stamp) {
				ago := time.Duration(0)
				if !r.watching {
					ago = min(max(0, now.Sub(stamp)), svc.SlowStart)
				}
				b = ramp{stamp: stamp, at: now.Add(-ago)}
			}
			begun[k] = b
		}
	}
	r.begun, r.watching = begun, true
}

// lower reduces the weights of those that have come back in the services that this node carries. A server that nobody else stands beside has
// all of its weight.
func (r *ramps) lower(services []fsm.LocalService, now time.Time) {
	r.next = time.Time{}
	for _, svc := range services {
		if len(svc.Slow) == 0 || usable(svc.Servers) < 2 {
			continue
		}
		for _, slow := range svc.Slow {
			b := r.begun[fsm.ServerKey{Service: svc.Service.Name, Address: slow.Address}]
			percent, next := fsm.Ramp(svc.Service.SlowStart, now.Sub(b.at))
			if at := now.Add(next); next > 0 && (r.next.IsZero() || at.Before(r.next)) {
				r.next = at
			}
			for i := range svc.Servers {
				if svc.Servers[i].Address == slow.Address {
					svc.Servers[i].Weight = fsm.Ramped(svc.Servers[i].Weight, percent)
				}
			}
		}
	}
}

// untilNext is how long it is to the next step; very long when there is none.
func (r *ramps) untilNext() time.Duration {
	if r.next.IsZero() {
		return math.MaxInt64
	}
	return time.Until(r.next)
}

func usable(servers []fsm.Server) (n int) {
	for _, s := range servers {
		if s.Weight > 0 {
			n++
		}
	}
	return n
}
