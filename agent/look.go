package agent

import (
	"context"
	"slices"
	"time"
)

// compareEvery is how often the table is compared with the kernel though nothing is to be changed: what another program did is put right within that
// time. Where that is dear the worker does it less often, so that it takes a fiftieth of a processor at most, and in between glances at what the kernel can
// show cheaply. A look or glance that was late for once, on a busy machine, says nothing of how dear they are, nor do two looks in a row, as when all agents of a machine begin: it is the
// fastest of the last three that does.
const (
	compareEvery = time.Second
	compareShare = 50
)

// run carries out wanted tables at once, and compares them with the kernel afterwards and every now and then, since the kernel is the truth and
// others may change it.
func (w *planeWorker) run(ctx context.Context) error {
	timer := time.NewTimer(compareEvery)
	defer timer.Stop()
	var looks [3]time.Duration // what the last ones took, the latest first
	var glance time.Duration   // and the last glance
	due := time.Now().Add(compareEvery)
	trusted := true // no glance has made us look for nothing since a look that was due
	for {
		var look, seen bool
		glanced := time.Duration(0)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
			w.carryOut()
			// A large table is not listed at every change, but in time also where there is one change after the other.
			look = looks[0] < compareEvery/compareShare || !time.Now().Before(due)
		case <-w.ask:
			if look = w.stale(); !look {
				continue // it was for the look before
			}
		case <-timer.C:
			if look = !time.Now().Before(due); !look && trusted {
				began := time.Now()
				seen = w.differs()
				look, glanced, glance = seen, min(glance, time.Since(began)), time.Since(began)
			}
		}
		if look {
			began := time.Now()
			changed := w.compare()
			looks = [3]time.Duration{time.Since(began), looks[0], looks[1]}
			// What a glance shows may be another program's own: one that always changes that must not have us look every second.
			trusted = seen && changed || !seen && (trusted || !began.Before(due))
			due = time.Now().Add(max(compareEvery, compareShare*slices.Min(looks[:])))
		}
		timer.Reset(min(max(compareEvery, compareShare*glanced), time.Until(due)))
	}
}

// differs reports whether a glance at the kernel shows that the table is not as it was when it was last compared. Not every plane has one.
func (w *planeWorker) differs() bool {
	w.busy.Lock()
	defer w.busy.Unlock()
	p, has := w.plane.(interface {
		Differs() (differs, known bool)
	})
	if !has {
		return false
	}
	differs, known := p.Differs()
	return known && differs
}
