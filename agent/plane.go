package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/nft"
)

// openPlane opens the data plane that the setting names; "auto" takes IPVS where the kernel has it, else nftables. The
// error says what is missing for each.
func openPlane(setting string) (lvs.Plane, error) {
	switch setting {
	case "ipvs":
		return ipvs.New()
	case "nft":
		return nft.New()
	case "auto", "":
		p, errIPVS := ipvs.New()
		if errIPVS == nil {
			return p, nil
		}
		n, errNFT := nft.New()
		if errNFT == nil {
			return n, nil
		}
		return nil, fmt.Errorf("no data plane: %w", errors.Join(errIPVS, errNFT))
	default:
		return nil, fmt.Errorf("data_plane %q is not known: use auto, ipvs or nft", setting)
	}
}

// wantedTable is what the data plane should carry: by which plane, on which addresses, which services.
type wantedTable struct {
	setting  string
	managed  []netip.Addr
	services []lvs.Service
}

// planeWorker keeps the load-balancing table. It has a goroutine of its own, because a large table may take longer than a
// lease lasts, and the actuator must not be held up by it. Of several wanted tables the newest wins.
type planeWorker struct {
	log  *slog.Logger
	open func(setting string) (lvs.Plane, error)
	wake chan struct{}
	done chan struct{} // a token after each change that was carried out

	busy  sync.Mutex // held while the plane works
	plane lvs.Plane  // nil: this node has none; guarded by busy
	// past are the managed addresses of the tables before, until one was carried out without an error: a service of ours may
	// be left on an address that the cluster has just forgotten. Guarded by busy.
	past []netip.Addr

	mu      sync.Mutex // guards what follows; never held while the plane works
	wanted  wantedTable
	gen     uint64 // of wanted; 0 = nothing has been said yet
	applied uint64 // the generation that was carried out last
	setting string // that plane was opened for
	caps    lvs.Capabilities
	status  lvs.Status
	err     error
}

func newPlaneWorker(log *slog.Logger) *planeWorker {
	return &planeWorker{log: log, open: openPlane, wake: make(chan struct{}, 1), done: make(chan struct{}, 1)}
}

// want states the wanted table and reports whether it has been carried out, or cannot be. The slices are kept.
func (w *planeWorker) want(setting string, managed []netip.Addr, services []lvs.Service) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := wantedTable{setting, managed, services}
	if w.gen == 0 || !reflect.DeepEqual(t, w.wanted) {
		w.wanted = t
		w.gen++
		signal(w.wake)
	}
	return w.applied == w.gen
}

// run carries out wanted tables, and the last one again at every sweep, since the kernel is the truth and others may
// change it.
func (w *planeWorker) run(ctx context.Context) error {
	tick := time.NewTicker(sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.wake:
		case <-tick.C:
		}
		w.mu.Lock()
		t, gen := w.wanted, w.gen
		w.mu.Unlock()
		if gen == 0 {
			continue // nothing has been said yet: touch nothing
		}
		w.reconcile(t, gen)
	}
}

func (w *planeWorker) reconcile(t wantedTable, gen uint64) {
	w.busy.Lock()
	defer w.busy.Unlock()
	var st lvs.Status
	managed := w.known(t.managed)
	err := w.use(t.setting, managed)
	w.past = managed
	if w.plane != nil {
		var e error
		st, e = w.plane.Reconcile(managed, t.services)
		if err = errors.Join(err, e); err == nil {
			w.past = t.managed
		}
	}
	w.mu.Lock()
	if err != nil && (w.err == nil || w.err.Error() != err.Error()) {
		w.log.Error("data plane", "err", err)
	}
	fresh := w.applied != gen
	w.status, w.err, w.applied = st, err, gen
	w.mu.Unlock()
	if fresh {
		signal(w.done)
	}
}

// known are the addresses on which services of ours may be. Called with busy held.
func (w *planeWorker) known(managed []netip.Addr) []netip.Addr {
	all := slices.Concat(managed, w.past)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// use opens the plane that the setting names, and empties the one before. Called with busy held.
func (w *planeWorker) use(setting string, managed []netip.Addr) error {
	if w.plane != nil && w.setting == setting {
		return nil
	}
	p, err := w.open(setting)
	if err != nil {
		return err // the old plane, if there is one, goes on: better than nothing
	}
	if w.plane != nil {
		if w.plane.Name() != p.Name() {
			_, err = w.plane.Reconcile(managed, nil)
		}
		err = errors.Join(err, w.plane.Close())
	}
	w.plane = p
	w.log.Info("data plane", "plane", p.Name(), "setting", setting)
	w.mu.Lock()
	w.setting, w.caps = setting, p.Capabilities()
	w.mu.Unlock()
	return err
}

// prepare opens the plane before anything is wanted of it, so that the node can say what it is able to do.
func (w *planeWorker) prepare(setting string) error {
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.use(setting, nil)
}

// capabilities are those of the open plane; the zero value when there is none.
func (w *planeWorker) capabilities() lvs.Capabilities {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.caps
}

// report is what the last reconcile found.
func (w *planeWorker) report() (wanted []lvs.Service, st lvs.Status, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wanted.services), w.status, w.err
}

// clear removes all services of ours and closes the plane: for the end of the process.
func (w *planeWorker) clear() error {
	w.busy.Lock()
	defer w.busy.Unlock()
	if w.plane == nil {
		return nil
	}
	w.mu.Lock()
	managed, said := w.wanted.managed, w.gen > 0
	w.mu.Unlock()
	var err error
	if said {
		_, err = w.plane.Reconcile(w.known(managed), nil)
	}
	return errors.Join(err, w.plane.Close())
}

// signal puts a token into c unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
