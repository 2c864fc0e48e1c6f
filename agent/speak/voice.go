package speak

import (
	"sync/atomic"
	"time"

	"quorate/vip/vrrp"
)

// order is what the actuator has said of a router last.
type order uint32

const (
	silent order = iota
	speaking
	lastWord // the address is gone from here, and nobody of the cluster gets it: say so, and be silent
	electing // there is no quorum: the routers elect among themselves
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
	// deaf is since when the line has heard nothing for want of sockets; zero: it hears. The line's alone.
	deaf time.Time
	// priority is this node's while the routers elect, elected the one that the Speaker was told; 0 = it is not in an election. elected is the line's alone.
	priority atomic.Uint32
	elected  uint32
	// carries: the addresses are here, and so is their MAC.
	carries atomic.Bool
	// abstains: it has to be silent and wait from the beginning. Until the Speaker knows, it does not count as active.
	abstains atomic.Bool
}

func (v *voice) may(live func(epoch uint64) bool) bool {
	e := v.epoch.Load()
	return e != 0 && live(e)
}

// busy reports whether there is something said of the router, or to be said.
func (v *voice) busy() bool { return order(v.order.Load()) != silent || v.active.Load() }

// hasYielded reports whether the Speaker has fallen silent before a better claim that is still heard.
func (v *voice) hasYielded() bool { return v.yields.Load() != v.yielded.Load() }

// begins reports whether the Speaker is to be told to speak, and does not speak yet.
func (v *voice) begins() bool {
	return order(v.order.Load()) == speaking && !v.active.Load() && !v.hasYielded()
}

// settle tells the Speaker what it was not told yet.
func (v *voice) settle(s teller) error {
	o := order(v.order.Load())
	if o == electing {
		return v.elect(s)
	}
	elected := v.elected != 0
	v.elected = 0 // all that follows ends it
	switch {
	case v.begins() || o == speaking && elected:
		return s.Tell(v.id.VRID, vrrp.Appoint, 0)
	case o == silent && (v.active.Load() || elected):
		return s.Tell(v.id.VRID, vrrp.HandOver, 0)
	case o == lastWord:
		if v.order.CompareAndSwap(uint32(lastWord), uint32(silent)) {
			var err error
			if v.active.Load() || elected {
				err = s.Tell(v.id.VRID, vrrp.Release, 0)
			}
			v.carries.Store(false)
			return err
		}
	}
	return nil
}

// drop takes the router from the Speaker in silence: its addresses may be open still, and nobody is to take them before their time. The view says that nothing is heard.
func (v *voice) drop(s *vrrp.Speaker) error {
	if err := s.Tell(v.id.VRID, vrrp.HandOver, 0); err != nil {
		return err
	}
	if err := s.Remove(v.id.VRID); err != nil {
		return err
	}
	v.active.Store(false)
	v.elected = 0
	v.view.Store(nil)
	return nil
}

func (v *voice) elect(s teller) error {
	if p := v.priority.Load(); p != v.elected {
		if err := s.Tell(v.id.VRID, vrrp.Elect, vrrp.Priority(p)); err != nil {
			return err
		}
		v.elected = p
	}
	if v.abstains.Load() {
		if err := s.Tell(v.id.VRID, vrrp.Abstain, 0); err != nil {
			return err
		}
		v.abstains.Store(false)
	}
	return nil
}

// teller is the part of vrrp.Speaker that a voice needs.
type teller interface {
	Tell(vrrp.VRID, vrrp.EventKind, vrrp.Priority) error
}
