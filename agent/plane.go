package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"quorate/lvs"
	"quorate/lvs/ipvs"
	"quorate/lvs/marker"
	"quorate/lvs/nft"
	"quorate/lvs/sysctl"
)

// planeNames are the data planes that there are, the one that "auto" takes first.
var planeNames = []string{"ipvs", "nft"}

// openPlane opens a data plane. The error says what is missing.
func openPlane(name string) (lvs.Plane, error) {
	switch name {
	case "ipvs":
		return marked(ipvs.New())
	case "nft":
		return marked(nft.New())
	default:
		return nil, fmt.Errorf("data_plane %q is not known: use auto, ipvs or nft", name)
	}
}

// marked lets a plane do services of several ports and addresses.
func marked[P lvs.Plane](p P, err error) (lvs.Plane, error) {
	if err != nil {
		return nil, err
	}
	return marker.Wrap(p), nil
}

// bare is the plane without the firewall marks, which all planes have in common: a plane is emptied so while another one is in use.
func bare(p lvs.Plane) lvs.Plane {
	if m, ok := p.(*marker.Plane); ok {
		return m.Bare()
	}
	return p
}

// lookAgain is how often a node looks for a data plane that it could not open: a module may have been loaded meanwhile.
const lookAgain = time.Minute

// wantedTable is what the data plane should carry: by which plane, on which addresses, which services.
type wantedTable struct {
	setting  string
	managed  []netip.Addr
	services []lvs.Service
	timeouts lvs.Timeouts
}

func (t wantedTable) equal(o wantedTable) bool {
	return t.setting == o.setting && t.timeouts == o.timeouts && slices.Equal(t.managed, o.managed) && lvs.Equal(t.services, o.services)
}

// tellEvery is how often another program's changes come into the timeline; each is in the log.
const tellEvery = 10 * time.Second

// planeWorker keeps the load-balancing table. It has a goroutine of its own, because a large table may take longer than a
// lease lasts, and the actuator must not be held up by it. Of several wanted tables the newest wins.
type planeWorker struct {
	log      *slog.Logger
	open     func(name string) (lvs.Plane, error)
	wake     chan struct{}
	finished chan struct{} // a token after each change that was carried out
	// removed gets a token when a service was taken out, also by another program, and the kernel may have forgotten its connections.
	removed chan struct{}
	ask     chan struct{} // a token from each who wants to know what the kernel counts now

	busy  sync.Mutex // held while the plane works
	plane lvs.Plane  // nil: this node has none; guarded by busy
	// book is of the kernel's settings that were changed for the services; nil: none are. may says whether they may be.
	book *sysctl.Book
	may  atomic.Bool
	// past is the scope of the tables before, until one was carried out without an error: a service of ours may
	// be left on an address that the cluster has just forgotten. Guarded by busy.
	past    lvs.Scope
	ledger  *ledger // set before run; nil: none is kept; guarded by busy
	tidied  bool    // nothing of an earlier process is left; guarded by busy
	setting string  // by which plane was chosen; guarded by busy
	// told, if set before run, hears what another program did to the table; seen is when it last did. Guarded by busy.
	told   func(text string)
	seen   time.Time
	looked time.Time // when the other planes were last tried; guarded by busy

	mu      sync.Mutex // guards what follows; never held while the plane works
	wanted  wantedTable
	gen     uint64 // of wanted; 0 = nothing has been said yet
	applied uint64 // the generation that was carried out last
	served  []lvs.Service
	passes  uint64 // looks at the kernel so far
	caps    lvs.Capabilities
	able    map[string]lvs.Capabilities // of all planes that could be opened, by name
	status  lvs.Status
	err     error
	at      time.Time     // of status
	again   chan struct{} // closed, and made anew, when status is
}

func newPlaneWorker(log *slog.Logger) *planeWorker {
	return &planeWorker{log: log, open: openPlane, able: map[string]lvs.Capabilities{}, wake: make(chan struct{}, 1), finished: make(chan struct{}, 1), removed: make(chan struct{}, 1),
		ask: make(chan struct{}, 1), again: make(chan struct{})}
}

// want states the wanted table and reports whether it has been carried out, or cannot be. The slices are kept.
func (w *planeWorker) want(t wantedTable) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gen == 0 || !t.equal(w.wanted) {
		w.wanted = t
		w.gen++
		signal(w.wake)
	}
	return w.applied == w.gen
}

// retire states that the node is in no cluster: nothing is its to carry. A node that has carried nothing since its last start,
// and left nothing behind then, touches nothing.
func (w *planeWorker) retire() {
	touched := !w.untouched()
	w.allow(false)
	if touched {
		w.want(wantedTable{setting: "auto"})
	}
}

// latest is the wanted table and its number; 0 = nothing has been said yet, so nothing may be touched.
func (w *planeWorker) latest() (wantedTable, uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wanted, w.gen
}

// carryOut makes the kernel have what is wanted, if that has changed, as quickly as can be.
func (w *planeWorker) carryOut() {
	w.busy.Lock()
	defer w.busy.Unlock()
	t, gen := w.latest()
	if gen == 0 || gen == w.done() {
		return
	}
	err := w.within(t, func(scope lvs.Scope) error {
		_, err := w.plane.Update(scope, t.services)
		return err
	})
	w.finish(t, gen, nil, err)
}

// compare looks at the kernel, puts right what differs from what is wanted, and has the status from it. It reports whether something did.
func (w *planeWorker) compare() (changed bool) {
	w.busy.Lock()
	defer w.busy.Unlock()
	t, gen := w.latest()
	if gen == 0 {
		return false
	}
	asLeft := gen == w.done() && w.failure() == nil
	var st lvs.Status
	err := w.within(t, func(scope lvs.Scope) (err error) {
		st, err = w.plane.Reconcile(scope, t.services)
		return err
	})
	if asLeft && st.Changed > 0 {
		w.drifted(st)
		if st.Returned {
			signal(w.removed)
		}
	}
	w.finish(t, gen, &st, errors.Join(err, w.tune(&st)))
	return st.Changed > 0
}

// drifted tells that the kernel was not as the worker had left it. Called with busy held.
func (w *planeWorker) drifted(st lvs.Status) {
	text := driftText(w.plane.Name(), st)
	w.log.Warn(text)
	if w.told != nil && time.Since(w.seen) >= tellEvery {
		w.seen = time.Now()
		w.told(text)
	}
}

// driftText says what was put right, as far as the plane has told.
func driftText(plane string, st lvs.Status) string {
	fixed := slices.Clone(st.Changes)
	switch more := st.Changed - len(fixed); {
	case len(fixed) == 0 && more == 1:
		fixed = []string{"1 change"}
	case len(fixed) == 0:
		fixed = []string{fmt.Sprintf("%d changes", more)}
	case more > 0:
		fixed = append(fixed, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("another program has changed the table of %s; put right: %s", plane, strings.Join(fixed, "; "))
}

// within calls do with the scope of what is ours, once the plane is the one that the table asks for, and keeps the ledger. Called with busy held.
func (w *planeWorker) within(t wantedTable, do func(scope lvs.Scope) error) error {
	ours := lvs.ScopeOf(t.services)
	scope := lvs.Scope{Addrs: t.managed}.Union(w.past, w.ledger.scope())
	noted := w.ledger.keep(w.ledger.scope().Union(lvs.Scope{Addrs: ours.Addrs}))
	err := w.use(t, scope)
	w.past = scope
	if w.plane == nil {
		return errors.Join(err, noted)
	}
	taken, e := w.taken(ours.Marks)
	ours = ours.WithoutMarks(taken)
	noted = errors.Join(noted, w.ledger.keep(w.ledger.scope().Union(ours)))
	if err = errors.Join(err, e, do(scope), w.time(w.plane, t.timeouts), w.tidy(scope)); err == nil {
		w.past = lvs.Scope{Addrs: t.managed, Marks: ours.Marks}
		noted = errors.Join(noted, w.ledger.keep(ours))
	}
	return errors.Join(err, noted)
}

// finish notes that the table of that number has been carried out, with the status where the kernel was looked at.
func (w *planeWorker) finish(t wantedTable, gen uint64, st *lvs.Status, err error) {
	w.mu.Lock()
	if err != nil && (w.err == nil || w.err.Error() != err.Error()) {
		w.log.Error("data plane", "err", err)
	}
	fresh := w.applied != gen
	w.err, w.applied = err, gen
	if st != nil {
		w.status, w.at = *st, time.Now()
		close(w.again)
		w.again = make(chan struct{})
		w.passes++
	}
	gone := shrinks(w.served, t.services)
	w.served = t.services
	w.mu.Unlock()
	if gone {
		signal(w.removed)
	}
	if fresh {
		signal(w.finished)
	}
}

// done is the number of the table that was carried out last.
func (w *planeWorker) done() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.applied
}

// failure is why it was not, or not wholly.
func (w *planeWorker) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// taken are those of the firewall marks that another program uses already. Called with busy held.
func (w *planeWorker) taken(marks []uint32) ([]uint32, error) {
	known := w.ledger.scope().Union(w.past).Marks
	return w.takenBy(slices.DeleteFunc(slices.Clone(marks), func(m uint32) bool { return slices.Contains(known, m) }))
}

// takenBy asks the plane which of the marks it has not made a service by. Called with busy held.
func (w *planeWorker) takenBy(marks []uint32) ([]uint32, error) {
	p, has := w.plane.(interface {
		Taken([]uint32) ([]uint32, error)
	})
	if len(marks) == 0 || !has {
		return nil, nil
	}
	return p.Taken(marks)
}

// tidy empties, once after the start, the planes that are not in use: the agent before may have used another one. Called with
// busy held.
func (w *planeWorker) tidy(scope lvs.Scope) error {
	if w.tidied {
		return nil
	}
	for _, c := range w.possible() {
		if c.Plane == w.plane.Name() {
			continue
		}
		p, err := w.open(c.Plane)
		if err != nil {
			return err
		}
		_, err = bare(p).Reconcile(scope, nil)
		if err = errors.Join(err, w.untime(p)); err != nil {
			return fmt.Errorf("emptying data plane %s, which is not in use: %w", c.Plane, err)
		}
	}
	w.tidied = true
	return nil
}

// use sees to it that the plane is the one that the table asks for. Called with busy held.
//
// The new plane gets the services before the old one is emptied, so that no packet finds neither.
func (w *planeWorker) use(t wantedTable, scope lvs.Scope) error {
	missing := w.look(t.setting)
	name, err := w.choose(t)
	if err != nil {
		return errors.Join(err, missing)
	}
	w.setting = t.setting
	if w.plane != nil && w.plane.Name() == name {
		return nil
	}
	p, err := w.open(name)
	if err != nil {
		w.mu.Lock()
		delete(w.able, name)
		w.mu.Unlock()
		return err // the old plane, if there is one, goes on: better than nothing
	}
	if w.plane != nil {
		_, err = p.Reconcile(scope, t.services)
		if err != nil && t.setting != name {
			_, undo := bare(p).Reconcile(scope, nil)
			return errors.Join(fmt.Errorf("changing from data plane %s to %s: %w", w.plane.Name(), name, err), undo, p.Close())
		}
		_, err = bare(w.plane).Reconcile(scope, nil)
		err = errors.Join(err, w.untime(w.plane))
	}
	w.plane = p
	w.log.Info("data plane", "plane", name, "setting", t.setting)
	w.mu.Lock()
	w.caps = p.Capabilities()
	w.able[name] = w.caps
	w.mu.Unlock()
	return err
}

// look tries the planes that could not be opened so far, now and then and when the setting has changed. The error says why
// they cannot. Called with busy held.
func (w *planeWorker) look(setting string) (missing error) {
	if w.plane != nil && setting == w.setting && time.Since(w.looked) < lookAgain {
		return nil
	}
	w.looked = time.Now()
	for _, name := range planeNames {
		w.mu.Lock()
		_, able := w.able[name]
		w.mu.Unlock()
		if able {
			continue
		}
		p, err := w.open(name)
		if err != nil {
			missing = errors.Join(missing, err)
			continue
		}
		w.mu.Lock()
		w.able[name] = p.Capabilities()
		w.mu.Unlock()
		missing = errors.Join(missing, p.Close())
	}
	return missing
}

// choose names the plane for a table. "auto" takes IPVS where the kernel has it, else nftables; it does not leave a plane for
// one that could not do what is wanted. Called with busy held.
func (w *planeWorker) choose(t wantedTable) (string, error) {
	if t.setting != "auto" && t.setting != "" {
		return t.setting, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range planeNames {
		caps, able := w.able[name]
		if able && w.plane != nil && name != w.plane.Name() {
			_, refused := caps.Accept(t.services)
			able = len(refused) == 0
		}
		if able {
			return name, nil
		}
		if w.plane != nil && name == w.plane.Name() {
			return name, nil
		}
	}
	return "", errors.New("no data plane")
}

// prepare opens the plane before anything is wanted of it, so that the node can say what it is able to do.
func (w *planeWorker) prepare(setting string) error {
	w.busy.Lock()
	defer w.busy.Unlock()
	return w.use(wantedTable{setting: setting}, lvs.Scope{})
}

// capabilities are those of the open plane; the zero value when there is none.
func (w *planeWorker) capabilities() lvs.Capabilities {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.caps
}

// possible are the capabilities of all planes that this node could use, by name.
func (w *planeWorker) possible() []lvs.Capabilities {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []lvs.Capabilities
	for _, name := range slices.Sorted(maps.Keys(w.able)) {
		out = append(out, w.able[name])
	}
	return out
}

// report is what the last reconcile found.
func (w *planeWorker) report() (wanted []lvs.Service, st lvs.Status, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.wanted.services), w.status, w.err
}

// found is what the last look at the kernel found, and the number of it.
func (w *planeWorker) found() (st lvs.Status, pass uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status, w.passes
}

// clear removes all services of ours and closes the plane: for the end of the process.
func (w *planeWorker) clear() error {
	w.busy.Lock()
	defer w.busy.Unlock()
	if w.plane == nil {
		return nil
	}
	w.mu.Lock()
	scope, said := lvs.Scope{Addrs: w.wanted.managed}, w.gen > 0
	w.mu.Unlock()
	var err error
	if said {
		scope = scope.Union(w.past, w.ledger.scope())
		if _, err = w.plane.Reconcile(scope, nil); err == nil {
			err = w.ledger.keep(lvs.Scope{})
		}
	}
	return errors.Join(err, w.untime(w.plane))
}

// signal puts a token into c unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
