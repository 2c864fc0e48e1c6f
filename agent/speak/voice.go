package speak

import (
	"sync/atomic"

	"quorate/vip/vrrp"
)

// order is what the actuator has said of a router last.
type order uint32

const (
	silent order = iota
	speaking
	lastWord // the address is gone from here, and nobody of the cluster gets it: say so, and be silent
)

// voice is what may be said of one virtual router. The actuator writes it, the line carries it out, the Speaker asks it before each advert: none
// waits for another.
type voice struct {
	id    ID
	order atomic.Uint32
	// epoch is under which the address is claimed; 0 = it is not.
	epoch atomic.Uint64
	// yields counts how often the Speaker has fallen silent before a better claim, yielded up to which the actuator need not mind any more.
	yields, yielded atomic.Uint64
	// active is the Speaker's state, as it said last.
	active atomic.Bool
	view   atomic.Pointer[View]
}

func (v *voice) may(live func(epoch uint64) bool) bool {
	e := v.epoch.Load()
	return e != 0 && live(e)
}

// busy reports whether there is something said of the router, or to be said.
func (v *voice) busy() bool { return order(v.order.Load()) != silent || v.active.Load() }

// hasYielded reports whether the Speaker has fallen silent before a better claim that is still heard.
func (v *voice) hasYielded() bool { return v.yields.Load() != v.yielded.Load() }

// settle tells the Speaker what it was not told yet.
func (v *voice) settle(s teller) error {
	switch o := order(v.order.Load()); {
	case o == speaking && !v.active.Load() && !v.hasYielded():
		return s.Tell(v.id.VRID, vrrp.Appoint, 0)
	case o == silent && v.active.Load():
		return s.Tell(v.id.VRID, vrrp.HandOver, 0)
	case o == lastWord:
		if v.order.CompareAndSwap(uint32(lastWord), uint32(silent)) && v.active.Load() {
			return s.Tell(v.id.VRID, vrrp.Release, 0)
		}
	}
	return nil
}

// teller is the part of vrrp.Speaker that a voice needs.
type teller interface {
	Tell(vrrp.VRID, vrrp.EventKind, vrrp.Priority) error
}
