package agent

import (
	"errors"

	"quorate/fsm"
	"quorate/lvs"
	"quorate/lvs/ipvs"
)

// timed is a data plane whose kernel can be told how long it is to keep connections.
type timed interface {
	Timeouts() (lvs.Timeouts, error)
	SetTimeouts(t lvs.Timeouts) error
}

var _ timed = (*ipvs.Plane)(nil)

// wantedTimeouts are those of the configuration.
func wantedTimeouts(t fsm.Timeouts) lvs.Timeouts { return lvs.Timeouts(t) }

// time makes the kernel's timeouts those that are wanted; those that are not, or not any more, become what they were before anybody asked
// for some. What they were is on disk before it is changed. Called with busy held.
func (w *planeWorker) time(p lvs.Plane, want lvs.Timeouts) error {
	kernel, can := bare(p).(timed)
	before := w.ledger.before()
	if !can || want == (lvs.Timeouts{}) && before == want {
		return nil
	}
	have, err := kernel.Timeouts()
	if err != nil {
		return err
	}
	if before == (lvs.Timeouts{}) {
		before = have
		if err := w.ledger.keepTimeouts(before); err != nil {
			return err // what is not remembered could not be put back
		}
	}
	if target := want.Or(before); target != have {
		err = kernel.SetTimeouts(target)
	}
	if err == nil && want == (lvs.Timeouts{}) {
		err = w.ledger.keepTimeouts(want)
	}
	return err
}

// untime puts the timeouts back before a plane is closed.
func (w *planeWorker) untime(p lvs.Plane) error {
	return errors.Join(w.time(p, lvs.Timeouts{}), p.Close())
}
