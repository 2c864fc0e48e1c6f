package vip

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxRounds bounds one pass: a foreign IPv6 address with another prefix length needs three (take over, remove, put), and
// a removal that drags others along one more.
const maxRounds = 5

// Options are what an Actuator needs.
type Options struct {
	Kernel    Kernel
	Announcer Announcer // nil: nothing is announced
	Gate      Gate      // nil: addresses are kept from others by their lifetimes alone
	// Live reports whether what was opened under an epoch (Wanted.Epoch) may be claimed at this very moment. It is asked before
	// each announcement, with a lock held. nil: always.
	Live func(epoch uint64) bool
	Log  *slog.Logger // nil: slog.Default
	// OnEvent is told of what happens without the caller asking for it. It is called without a lock held, from Run or from
	// within Reconcile, and should return soon. nil: events are only logged.
	OnEvent func(Event)
	// OnProgress is called now and then while the pass of a Reconcile or a Clear goes on, with a lock held: many addresses take a
	// while, and a caller that waits is not one that hangs. It must not call the Actuator. nil: nobody wants to know.
	OnProgress func()
}

// progressEvery is how often OnProgress is called, at most.
const progressEvery = 10 * time.Millisecond

// Actuator makes the kernel's addresses match what the caller wants. See the package documentation for the rules. Its
// methods may be called from several goroutines; passes over the kernel are serial, and of Reconcile and Clear calls that
// wait for one another only the latest is carried out.
type Actuator struct {
	kernel    Kernel
	announcer Announcer
	live      func(uint64) bool
	gate      Gate
	log       *slog.Logger
	onEvent   func(Event)
	progress  progress

	opinion opinion
	tickets atomic.Uint64 // order of Reconcile and Clear calls
	urgent  atomic.Int32  // Clears that wait: a pass under way stops adding and announcing
	running atomic.Bool

	wake  chan struct{} // the kernel changed
	renew chan struct{} // the caller's word moved on
	timer chan struct{} // the schedule changed

	mu       sync.Mutex // serialises passes; guards what follows
	ticket   uint64     // of the last call carried out
	said     bool       // the caller has said what it wants; before that, nothing is touched
	fence    fence
	overlays overlays
	want     []Wanted
	managed  map[netip.Addr]struct{}
	records  map[key]*record // of wanted addresses
	links    map[string]linkState
	foreign  map[Address]struct{} // conflicts of the last pass, without lifetime
	schedule schedule
	retryAt  time.Time
	status   Status
	events   []Event // to be delivered when mu is free
}

// record is what is remembered of a wanted address: for events, for the limit, for status. Never to decide what the
// kernel holds.
type record struct {
	epoch     uint64    // Wanted.Epoch
	held      bool      // the last list had it as ours, or we put it since
	expires   time.Time // when the kernel drops it if nobody renews
	lost      bool      // was held once and has gone: the next put is a put-back
	guard     guard
	fought    bool  // told so
	announce  error // of the last announcement
	announced time.Time
	lingers   bool // it is being handed over, or was and the gate has not been told that it stays: nothing is announced
}

// linkState is what makes an address worth announcing again when it changes.
type linkState struct {
	ready bool // up and with carrier
	mac   string
}

// New returns an Actuator that wants nothing yet. It starts nothing: call Run.
func New(o Options) *Actuator {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Actuator{
		kernel: o.Kernel, announcer: o.Announcer, live: o.Live, gate: o.Gate, log: o.Log, onEvent: o.OnEvent, progress: progress{tell: o.OnProgress},
		wake: make(chan struct{}, 1), renew: make(chan struct{}, 1), timer: make(chan struct{}, 1),
		records: map[key]*record{}, foreign: map[Address]struct{}{}, schedule: schedule{},
	}
}

// Reconcile makes the kernel match want and returns what is really there. It removes what is ours and not wanted, adds
// what is missing and announces it at once, and renews lifetimes that are due. It works through failures; each
// address has its own Err, and Run tries again. The set is copied.
//
// The call is the caller's word for everything in want, good for each Wanted.Lifetime from the instant of the call.
func (a *Actuator) Reconcile(want []Wanted) Status {
	at := time.Now()
	return a.call(false, func() { a.accept(want, at) })
}

// Clear gives everything up, quickly: it interrupts a pass under way instead of waiting for it. It is Reconcile(nil) in
// a hurry.
func (a *Actuator) Clear() Status {
	a.urgent.Add(1)
	return a.call(true, func() { a.accept(nil, time.Now()) })
}

// Retire is Clear for the orderly end of the process: when nothing of ours is left on the host, the gate is taken off it.
// Otherwise it stays, and the error says so. Run must have ended, and nothing may be called afterwards but Status.
func (a *Actuator) Retire() (Status, error) {
	a.Prepare(nil)
	st := a.Clear()
	linkErr := a.finishVirtual()
	if a.gate == nil {
		return st, linkErr
	}
	if st.Err != nil {
		return st, fmt.Errorf("the gate stays on this host: %w", st.Err)
	}
	for _, x := range st.Addresses {
		if x.Actual && !errors.Is(x.Err, ErrForeign) {
			return st, fmt.Errorf("the gate stays on this host: %s is still on %s: %w", x.Prefix, x.Link, x.Err)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return st, errors.Join(linkErr, a.gate.Remove())
}

// Keep says that what the caller last said to Reconcile still holds, for another Lifetime of each address from now. It
// never waits for the kernel; Run renews what is due. It returns false when some of it had lapsed already: that is given
// up, and only Reconcile brings it back.
func (a *Actuator) Keep() bool {
	ok, due := a.opinion.keep(time.Now())
	if due {
		signal(a.renew)
	}
	return ok
}

// Manage says which addresses are the cluster's, wherever they are wanted. A foreign address equal to one of them is
// reported as a conflict. The set is copied; the next pass uses it.
func (a *Actuator) Manage(addrs []netip.Addr) {
	managed := make(map[netip.Addr]struct{}, len(addrs))
	for _, x := range addrs {
		managed[x] = struct{}{}
	}
	if k, ok := a.kernel.(interface{ Manage([]netip.Addr) }); ok {
		k.Manage(slices.Clone(addrs))
	}
	a.mu.Lock()
	a.managed = managed
	a.mu.Unlock()
	signal(a.wake)
}

// Status is what the last pass found.
func (a *Actuator) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snapshot()
}

// call runs a pass for the caller, after accept has taken the new wanted set in. Of calls that waited for the lock, those
// overtaken by a later one do nothing; but one that was urgent may have interrupted that later one, and makes its pass again.
func (a *Actuator) call(urgent bool, accept func()) Status {
	ticket := a.tickets.Add(1)
	a.mu.Lock()
	if urgent {
		a.urgent.Add(-1)
	}
	switch {
	case ticket > a.ticket:
		a.ticket = ticket
		accept()
	case !urgent:
		defer a.mu.Unlock()
		return a.snapshot()
	}
	a.progress.begin()
	a.pass()
	a.progress.end()
	s := a.snapshot()
	events := a.takeEvents()
	later := len(a.overlays.later) > 0
	a.mu.Unlock()
	a.deliver(events)
	signal(a.timer)
	if later {
		signal(a.renew)
	}
	return s
}

// accept makes want the wanted set. What is no longer in it is announced no more from here on.
func (a *Actuator) accept(want []Wanted, at time.Time) {
	a.said = true
	want = carried(want)
	a.want = want
	a.opinion.say(a.want, at)
	keep := make(map[key]*record, len(want))
	for _, w := range want {
		r := a.records[w.key()]
		if r == nil {
			r = &record{}
		}
		r.epoch = w.Epoch
		keep[w.key()] = r
		if w.lingers() {
			r.lingers = true
			a.schedule.cancel(w.key())
		}
	}
	for k := range a.schedule {
		if keep[k] == nil {
			a.schedule.cancel(k)
		}
	}
	a.records = keep
}

// pass brings the kernel to the wanted set: list, diff, apply, and again until there is nothing left to do.
func (a *Actuator) pass() {
	now := time.Now()
	a.retryAt = time.Time{}
	a.overlays.later = nil
	a.lapse(now)

	have, links, err := a.survey()
	if err != nil {
		a.flag() // what is given up is closed even if it cannot be seen
		a.failed(now, err)
		return
	}
	a.progress.made()
	a.fence.saw(have)
	a.flag()
	a.progress.made()
	if a.makeVirtual() {
		if have, links, err = a.survey(); err != nil {
			a.failed(now, err)
			return
		}
	}
	if len(a.want) > 0 {
		a.checkGate()
	}
	a.endLingers()
	a.notice(have, links, now)

	failed := map[key]error{} // also of removals
	var p plan
	due := a.due
	for range maxRounds {
		p = diff(view{Want: a.want, Managed: a.managed, Have: have, Links: links, Due: due, Hold: a.hold, Gate: a.fence.link, Virtual: a.overlays.lacks})
		p.Steps = slices.DeleteFunc(p.Steps, func(s step) bool { return failed[s.key()] != nil })
		if len(p.Steps) == 0 {
			break
		}
		if !a.apply(p.Steps, failed) {
			a.status = Status{At: now, Err: ErrInterrupted} // the Clear that did it makes its own in a moment
			return
		}
		a.progress.made()
		due = nil // one renewal a pass is enough, whatever the kernel made of it
		if have, links, err = a.survey(); err != nil {
			a.failed(now, err)
			return
		}
	}
	if len(a.want) == 0 { // only now: what was given up did not wait for it
		a.checkGate()
	}
	a.leaveVirtual(links)
	a.conflicts(p.Conflicts)
	a.report(have, links, p, failed)
}

// survey lists the kernel. links is nil when the kernel cannot tell.
func (a *Actuator) survey() ([]Address, map[string]Link, error) {
	s, ok := a.kernel.(interface {
		Survey() ([]Address, []Link, error)
	})
	if !ok {
		have, err := a.kernel.List()
		return have, nil, err
	}
	have, list, err := s.Survey()
	if err != nil {
		return nil, nil, err
	}
	links := make(map[string]Link, len(list))
	for _, l := range list {
		links[l.Name] = l
	}
	return have, links, nil
}

// failed is the end of a pass that could not list the kernel.
func (a *Actuator) failed(now time.Time, err error) {
	a.retryAt = now.Add(retryEvery)
	a.status = Status{At: now, Err: fmt.Errorf("list addresses: %w", err)}
	for _, w := range a.want {
		a.status.Addresses = append(a.status.Addresses, AddressStatus{Prefix: w.Prefix, Link: w.Link, Parent: w.parent, Wanted: true, Err: a.status.Err})
	}
	a.log.Warn("addresses cannot be listed", "reason", err)
}

// lapse gives up what the caller has not spoken for in time.
func (a *Actuator) lapse(now time.Time) {
	for _, k := range a.opinion.drop(now) {
		a.schedule.cancel(k)
		delete(a.records, k)
		a.want = slices.DeleteFunc(a.want, func(w Wanted) bool {
			if w.key() != k {
				return false
			}
			a.event(EventLapsed, w.Prefix, w.Link, fmt.Sprintf("%s given up: nobody has said for %s that it is to stay", w, w.lifetime()))
			return true
		})
	}
}

// due says whether a wanted address that is there has to be renewed: the caller's word moved on by a third of the
// lifetime, or the kernel's entry has another lifetime than we gave it.
func (a *Actuator) due(w Wanted, have Address) bool {
	return a.opinion.due(w.key()) || have.ValidFor > w.lifetime() || have.ValidFor < w.lifetime()/3
}

// hold says why an address is not put yet: the gate was not told that it is open, or another program removed or changed it.
func (a *Actuator) hold(w Wanted) error {
	if err := a.fence.err(); err != nil {
		return fmt.Errorf("%s: %w", w.Prefix, err)
	}
	r := a.records[w.key()]
	if !r.lost {
		return nil
	}
	now := time.Now()
	wait := r.guard.wait(now)
	if wait <= 0 {
		return nil
	}
	a.retryAt = earlier(a.retryAt, now.Add(wait))
	if !r.fought {
		r.fought = true
		a.event(EventFought, w.Prefix, w.Link, fmt.Sprintf("another program keeps removing %s; it is put back once every %s: find the program (ip monitor address)", w, putBackEvery))
	}
	return fmt.Errorf("%w: %s: find the program (ip monitor address)", ErrFought, w)
}

// many is a kernel that does many things in one call, see [Kernel].
type many interface {
	PutAll([]Wanted) []error
	RemoveAll([]Address) []error
}

// accepting is a kernel that may have an address before it takes packets for it, see [Kernel].
type accepting interface {
	Accepts(link string, addr netip.Addr) bool
}

// stepsAtOnce bounds what is done between two looks at whether somebody is in a hurry, and two words that the pass goes on.
const stepsAtOnce = 16

// apply carries the steps out, and says whether it got through them all. Failures land in failed.
func (a *Actuator) apply(steps []step, failed map[key]error) (complete bool) {
	most := 1
	if _, ok := a.kernel.(many); ok {
		most = stepsAtOnce
	}
	for len(steps) > 0 {
		n := 1
		for n < min(len(steps), most) && (steps[n].Remove == nil) == (steps[0].Remove == nil) {
			n++
		}
		switch {
		case steps[0].Remove != nil:
			a.remove(steps[:n], failed)
		case a.urgent.Load() > 0:
			return false
		default:
			a.put(steps[:n], failed)
		}
		a.progress.made()
		steps = steps[n:]
	}
	return true
}

// remove removes addresses.
func (a *Actuator) remove(steps []step, failed map[key]error) {
	list := make([]Address, len(steps))
	for i, s := range steps {
		list[i] = *s.Remove
		if s.Why == whyUngated {
			a.event(EventUngated, s.Remove.Prefix, s.Remove.Link, fmt.Sprintf("%s on %s given up: %v", s.Remove.Prefix, s.Remove.Link, a.fence.link(s.Remove.Link)))
		}
	}
	for i, err := range a.removeAll(list) {
		s := steps[i]
		if err != nil {
			failed[s.key()] = err
			a.log.Warn("address not removed", "vip", s.Remove.Prefix, "link", s.Remove.Link, "reason", err)
		} else {
			a.log.Info("address removed", "vip", s.Remove.Prefix, "link", s.Remove.Link, "reason", s.Why)
		}
	}
}

// removeAll asks the kernel, for each by itself where it can do no better.
func (a *Actuator) removeAll(list []Address) []error {
	if k, ok := a.kernel.(many); ok && len(list) > 1 {
		return k.RemoveAll(list)
	}
	errs := make([]error, len(list))
	for i, x := range list {
		errs[i] = a.kernel.Remove(x)
	}
	return errs
}

// putAll is removeAll for puts.
func (a *Actuator) putAll(list []Wanted) []error {
	if k, ok := a.kernel.(many); ok && len(list) > 1 {
		return k.PutAll(list)
	}
	errs := make([]error, len(list))
	for i, w := range list {
		errs[i] = a.kernel.Put(w)
	}
	return errs
}

// progress tells a caller that waits for its pass that it goes on. It is used with the lock held.
type progress struct {
	tell    func() // nil: nobody wants to know
	waiting bool   // the pass is one that somebody waits for
	last    time.Time
}

func (p *progress) begin() { p.waiting, p.last = p.tell != nil, time.Now() }
func (p *progress) end()   { p.waiting = false }

// made notes that a call into the kernel has come back, or that a list was made.
func (p *progress) made() {
	if p.waiting && time.Since(p.last) >= progressEvery {
		p.last = time.Now()
		p.tell()
	}
}

// put adds or renews addresses, and announces those that are new.
func (a *Actuator) put(steps []step, failed map[key]error) {
	now := time.Now()
	var list []Wanted
	var whys []why
	for _, s := range steps {
		w := *s.Put
		if failed[s.key()] != nil { // it has to leave first, and did not
			continue
		}
		left := a.opinion.left(w.key(), now)
		if left <= 0 {
			failed[s.key()] = fmt.Errorf("%s: nobody has said for %s that it is to stay", w, w.lifetime())
			continue
		}
		w.Lifetime = left
		list, whys = append(list, w), append(whys, s.Why)
	}
	for i, err := range a.putAll(list) {
		w := list[i]
		if err != nil {
			failed[w.key()] = err
			a.log.Warn("address not put", "vip", w.Prefix, "link", w.Link, "reason", whys[i], "err", err)
			continue
		}
		a.opinion.tell(w.key(), now, w.Lifetime)
		a.arrived(w, whys[i], now)
	}
}

// arrived notes that the kernel has taken the address at now, and announces it when it is new.
func (a *Actuator) arrived(w Wanted, why why, now time.Time) {
	k := w.key()
	r := a.records[k]
	r.held, r.expires = true, now.Add(wholeSeconds(w.Lifetime))
	if why == whyRenew {
		a.log.Debug("address renewed", "vip", w.Prefix, "link", w.Link)
		return
	}
	switch {
	case r.lost: // a put-back
		r.lost = false
		r.guard.take(now)
		r.fought = r.fought && r.guard.level(now) > 1
	case why == whyTakeOver:
		a.event(EventTakenOver, w.Prefix, w.Link, fmt.Sprintf("%s was held by this host outside our control; it is ours now", w))
	}
	a.log.Info("address put", "vip", w.Prefix, "link", w.Link, "reason", why)
	a.schedule.begin(k, now)
	a.announce(k, now)
}

// announce sends one announcement for k and moves its schedule on. The first one waits until the kernel takes packets for the address: whoever
// hears of it sends them here from then on.
func (a *Actuator) announce(k key, now time.Time) {
	if kernel, ok := a.kernel.(accepting); ok && !kernel.Accepts(k.Link, k.Addr) && a.schedule.wait(k, now) {
		return
	}
	a.schedule.sent(k, now)
	r := a.records[k]
	if a.announcer == nil || r == nil {
		return
	}
	err := a.claim(k)
	switch {
	case errors.Is(err, ErrNoNeighbours):
		r.announce = nil
	case err != nil:
		if r.announce == nil {
			a.log.Warn("address not announced", "vip", k.Addr, "link", k.Link, "reason", err)
		}
		r.announce = fmt.Errorf("announce: %w", err)
	default:
		r.announce, r.announced = nil, now
	}
}

// wholeSeconds rounds up to what the kernel counts.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), minLifetime)
}

// signal wakes whoever listens on c; one that is pending already is enough.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
