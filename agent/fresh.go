package agent

import (
	"context"
	"time"

	"quorate/lvs"
)

// tableAge is how old what the kernel counts may be for one who asks. IPVS itself adds it up every two seconds.
const tableAge = time.Second

// freshLimit is how long one who asks waits for a data plane that is busy.
const freshLimit = 2 * time.Second

// stale reports whether what the kernel counts was read too long ago for one who asks.
func (w *planeWorker) stale() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.gen > 0 && time.Since(w.at) > tableAge
}

// fresh is what the last reconcile found, and when; when that is too long ago the kernel is read again first. It gives up waiting for that after a while: then
// it is older.
func (w *planeWorker) fresh(ctx context.Context) (wanted []lvs.Service, st lvs.Status, at time.Time) {
	ctx, cancel := context.WithTimeout(ctx, freshLimit)
	defer cancel()
	w.mu.Lock()
	again := w.again
	w.mu.Unlock()
	if w.stale() {
		signal(w.ask)
		select {
		case <-again:
		case <-ctx.Done():
		}
	}
	wanted, st, _ = w.report()
	w.mu.Lock()
	defer w.mu.Unlock()
	return wanted, st, w.at
}
