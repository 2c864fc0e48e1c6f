package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/vip/gate"
)

// door is a gate with memory, around a model kernel that it watches: what is put or announced without it is a fault.
type door struct {
	*model
	horn *horn

	mu      sync.Mutex
	flags   map[netip.Addr]gate.Entry
	carried map[string]bool  // links that carry it
	broken  map[string]error // links that it cannot be put on
	fail    error            // of Set and Check
	taken   map[string]bool  // links that another program took it off
	removed bool
	faults  []string
}

func newDoor(m *model) *door {
	return &door{model: m, horn: newHorn(), flags: map[netip.Addr]gate.Entry{}, carried: map[string]bool{}, broken: map[string]error{}, taken: map[string]bool{}}
}

func (d *door) Set(entries []gate.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return d.fail
	}
	clear(d.flags)
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return err
		}
		d.flags[e.Addr] = e
	}
	return nil
}

func (d *door) Check() (gate.Report, error) {
	_, links, _ := d.model.Survey()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return gate.Report{}, d.fail
	}
	var r gate.Report
	for _, l := range links {
		x := gate.Link{Name: l.Name, Index: l.Index, Err: d.broken[l.Name]}
		if x.Err == nil && d.taken[l.Name] {
			x.Mended = "in"
		}
		delete(d.taken, l.Name)
		d.carried[l.Name] = x.Err == nil
		r.Links = append(r.Links, x)
	}
	return r, nil
}

// demand notes a fault unless an address is open or closed, and what is put is put on a link with the gate. (Of a link that
// loses it the actuator learns a moment later.)
func (d *door) demand(what string, addr netip.Addr, link string, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.flags[addr]
	if !ok || open != (e.Epoch != 0 && e.ARP && e.IP) || what == "put" && !d.carried[link] {
		d.faults = append(d.faults, fmt.Sprintf("%s %s on %s: entry %+v, link gated: %v", what, addr, link, e, d.carried[link]))
	}
}

func (d *door) Put(w Wanted) error {
	if w.Epoch != 0 {
		d.demand("put", w.Prefix.Addr(), w.Link, true)
	}
	return d.model.Put(w)
}

func (d *door) Announce(link string, addr netip.Addr) error {
	d.demand("announce", addr, link, true)
	return d.horn.Announce(link, addr)
}

// carries says whether a link carries the gate.
func (d *door) carries(link string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.carried[link]
}

func (d *door) fault() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.faults, "\n")
}

// closedFirst watches removals: what the caller gives up is closed by then.
type closedFirst struct{ *door }

func (c closedFirst) Remove(a Address) error {
	c.demand("remove", a.Prefix.Addr(), a.Link, false)
	return c.model.Remove(a)
}

func opened(epoch uint64, link, p string) Wanted {
	w := wanted(link, p, life)
	w.Epoch = epoch
	return w
}

// gated starts an actuator with a gate on a model kernel.
func gated(t *testing.T, links ...string) (*Actuator, *scribe, *door) {
	d := newDoor(newModel(links...))
	told := &scribe{}
	a := New(Options{Kernel: closedFirst{d}, Announcer: d, Gate: gateOf{d}, Log: slog.New(slog.DiscardHandler), OnEvent: told.on})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if f := d.fault(); f != "" {
			t.Error(f)
		}
	})
	return a, told, d
}

// gateOf is the gate side of a door, whose Remove is another than the kernel's.
type gateOf struct{ d *door }

func (g gateOf) Set(e []gate.Entry) error    { return g.d.Set(e) }
func (g gateOf) Check() (gate.Report, error) { return g.d.Check() }
func (g gateOf) Remove() error               { g.d.with(func() { g.d.removed = true }); return nil }
func (d *door) entry(addr string) gate.Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.flags[netip.MustParseAddr(addr)]
}
func (d *door) with(f func()) { d.mu.Lock(); f(); d.mu.Unlock(); d.set(d.changed) }
func (d *door) gatedAddrs() (addrs []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for a := range d.flags {
		addrs = append(addrs, a.String())
	}
	slices.Sort(addrs)
	return addrs
}

const there, gone = "eth0 192.0.2.10/24 wanted=true actual=true", "eth0 192.0.2.10/24 wanted=true actual=false"

// TestGateOrder: gated and open before an address is put and announced; closed before it is removed. The door watches.
func TestGateOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, d := gated(t, "eth0")
		a.Manage([]netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")})
		wantStatus(t, a.Reconcile(nil))
		if got := fmt.Sprint(d.gatedAddrs()); got != "[192.0.2.10 2001:db8::10]" || d.entry("192.0.2.10").Epoch != 0 || !d.carries("eth0") {
			t.Errorf("a node that owns nothing gates %s", got)
		}
		wantStatus(t, a.Reconcile([]Wanted{opened(7, "eth0", "192.0.2.10/24")}), there)
		if e := d.entry("192.0.2.10"); e.Epoch != 7 || !e.ARP || !e.IP || e.IPUntil != 0 {
			t.Errorf("open: %+v", e)
		}
		// Under another epoch, once the caller says so.
		wantStatus(t, a.Reconcile([]Wanted{opened(9, "eth0", "192.0.2.10/24")}), there)
		if e := d.entry("192.0.2.10"); e.Epoch != 9 {
			t.Errorf("opened under the next epoch: %+v", e)
		}
		wantStatus(t, a.Clear())
		// Nobody has said anything for long: closed, and removed.
		a.Reconcile([]Wanted{opened(9, "eth0", "192.0.2.10/24")})
		time.Sleep(life + time.Second)
		synctest.Wait()
		if e := d.entry("192.0.2.10"); e.Epoch != 0 {
			t.Errorf("lapsed, and still open: %+v", e)
		}
		// What the cluster has forgotten stays gated until it has gone.
		a.Reconcile([]Wanted{opened(9, "eth0", "192.0.2.10/24")})
		d.set(func() { d.stuck[netip.MustParseAddr("192.0.2.10")] = errors.New("stuck") })
		a.Manage(nil)
		a.Reconcile(nil)
		if got := fmt.Sprint(d.gatedAddrs()); got != "[192.0.2.10]" || d.entry("192.0.2.10").Epoch != 0 {
			t.Errorf("gated while it is still there: %s", got)
		}
		d.set(func() { clear(d.stuck) })
		a.Reconcile(nil)
		if a.Reconcile(nil); len(d.gatedAddrs()) != 0 {
			t.Errorf("still gated: %s", d.gatedAddrs())
		}
	})
}

// TestLinkWithoutGate: no address is put on a link that cannot carry the gate, and one that is there goes.
func TestLinkWithoutGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(newModel("eth0"))
		told := &scribe{}
		a := New(Options{Kernel: d, Announcer: d, Gate: gateOf{d}, Log: slog.New(slog.DiscardHandler), OnEvent: told.on})
		ctx, cancel := context.WithCancel(t.Context())
		go a.Run(ctx)
		defer cancel()
		d.with(func() { d.broken["eth0"] = errors.New("no room") })
		wantStatus(t, a.Reconcile([]Wanted{opened(7, "eth0", "192.0.2.10/24")}), gone+" 192.0.2.10/24")
		d.with(func() { clear(d.broken) })
		time.Sleep(retryEvery)
		synctest.Wait()
		wantStatus(t, a.Status(), there)

		// Taken off by another program: put back, and told.
		a.Keep()
		d.with(func() { d.taken["eth0"] = true })
		synctest.Wait()
		if got := told.take(); got != "mended eth0 invalid Prefix" {
			t.Errorf("events: %q", got)
		}
		wantStatus(t, a.Status(), there)

		// Taken off, and it cannot be put back.
		d.with(func() { d.broken["eth0"] = errors.New("no room") })
		time.Sleep(passGap)
		synctest.Wait()
		wantStatus(t, a.Status(), gone+" 192.0.2.10/24")
		if got := told.take(); got != "ungated eth0 192.0.2.10/24" {
			t.Errorf("events: %q", got)
		}
	})
}

// TestGateThatFails: while the gate cannot be told or asked, nothing new is put, and what is there stays as long as the
// caller's word is good.
func TestGateThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, d := gated(t, "eth0")
		one, two := opened(7, "eth0", "192.0.2.10/24"), opened(7, "eth0", "192.0.2.11/24")
		a.Reconcile([]Wanted{one})
		d.with(func() { d.fail = errors.New("no memory") })
		s := a.Reconcile([]Wanted{one, two})
		wantStatus(t, s, there, "eth0 192.0.2.11/24 wanted=true actual=false 192.0.2.11/24")
		if s.Gate == nil {
			t.Error("the status does not say that the gate fails")
		}
		d.with(func() { d.fail = nil })
		time.Sleep(retryEvery)
		synctest.Wait()
		wantStatus(t, a.Status(), there, "eth0 192.0.2.11/24 wanted=true actual=true")
	})
}

// TestRetire: the gate goes with the last address, and stays with one that cannot be removed.
func TestRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(newModel("eth0"))
		a := New(Options{Kernel: d, Announcer: d, Gate: gateOf{d}, Log: slog.New(slog.DiscardHandler)})
		a.Reconcile([]Wanted{opened(7, "eth0", "192.0.2.10/24")})
		d.set(func() { d.stuck[netip.MustParseAddr("192.0.2.10")] = errors.New("stuck") })
		if _, err := a.Retire(); err == nil || d.removed {
			t.Errorf("retired with an address left: %v, gate removed: %v", err, d.removed)
		}
		d.set(func() { clear(d.stuck) })
		if _, err := a.Retire(); err != nil || !d.removed {
			t.Errorf("retired: %v, gate removed: %v", err, d.removed)
		}
	})
}

// TestNothingBeforeTheFirstWord: what the process before this one left stays as it is, flags too, until the caller speaks.
func TestNothingBeforeTheFirstWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _, d := gated(t, "eth0")
		d.flags[netip.MustParseAddr("192.0.2.10")] = gate.Entry{Addr: netip.MustParseAddr("192.0.2.10"), Epoch: 7, ARP: true, IP: true}
		must(t, d.model.Put(wanted("eth0", "192.0.2.10/24", life)))
		a.Manage([]netip.Addr{netip.MustParseAddr("192.0.2.10")})
		d.set(d.changed)
		time.Sleep(time.Second)
		synctest.Wait()
		if d.entry("192.0.2.10").Epoch != 7 || d.size() != 1 {
			t.Errorf("touched: %+v, %d addresses", d.entry("192.0.2.10"), d.size())
		}
		a.Reconcile(nil)
		if d.entry("192.0.2.10").Epoch != 0 || d.size() != 0 {
			t.Errorf("not given up: %+v, %d addresses", d.entry("192.0.2.10"), d.size())
		}
	})
}

// lingering is w while it is being handed over.
func lingering(w Wanted) Wanted {
	w.IPUntil = time.Hour
	return w
}

// TestLinger: what is being handed over stays in the kernel, takes packets, and is neither claimed nor announced; if it stays
// after all it is announced anew.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, told, d := gated(t, "eth0")
		one := opened(7, "eth0", "192.0.2.10/24")
		addr := one.Prefix.Addr()
		a.Reconcile([]Wanted{one})
		synctest.Wait()
		d.horn.take()

		s := a.Reconcile([]Wanted{lingering(one)})
		if s.Absent(addr) || !s.Silent(addr) {
			t.Errorf("absent: %v, silent: %v", s.Absent(addr), s.Silent(addr))
		}
		if got, want := d.entry("192.0.2.10"), (gate.Entry{Addr: addr, Epoch: 7, IP: true, IPUntil: time.Hour}); got != want {
			t.Errorf("the gate was told %+v, want %+v", got, want)
		}
		time.Sleep(300 * time.Millisecond)
		must(t, d.setLink("eth0", true, false))
		must(t, d.setLink("eth0", true, true)) // its link comes back
		time.Sleep(2 * time.Second)
		if got := d.horn.take(); len(got) > 0 {
			t.Errorf("announced while it lingers: %q", got)
		}

		a.Reconcile([]Wanted{one})
		synctest.Wait()
		if got := d.horn.take(); len(got) != 1 {
			t.Errorf("announced when it stays after all: %q", got)
		}
		a.Reconcile([]Wanted{lingering(one)})
		must(t, d.otherRemoves(one.Prefix, "eth0"))
		time.Sleep(time.Second)
		if s := a.Status(); d.size() != 0 || !s.Silent(addr) || told.take() != "" {
			t.Errorf("what another program removed is put back or complained of: %+v", s)
		}
		a.Reconcile(nil)
		if d.entry("192.0.2.10").Epoch != 0 {
			t.Errorf("open: %+v", d.entry("192.0.2.10"))
		}
	})
}

// TestLingerNeedsTheGate: where nothing makes it silent, an address that is handed over goes at once.
func TestLingerNeedsTheGate(t *testing.T) {
	for name, spoil := range map[string]func(*Actuator, *door){
		"no gate":        func(a *Actuator, _ *door) { a.gate = nil },
		"gate fails":     func(_ *Actuator, d *door) { d.with(func() { d.fail = errors.New("no memory") }) },
		"link has none":  func(_ *Actuator, d *door) { d.with(func() { d.broken["eth0"] = errors.New("no room") }) },
		"foreign beside": func(_ *Actuator, d *door) { _ = d.otherAdds(netip.MustParsePrefix("192.0.2.10/32"), "eth1") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(newModel("eth0", "eth1"))
				a := New(Options{Kernel: d, Announcer: d, Gate: gateOf{d}, Log: slog.New(slog.DiscardHandler)})
				one := opened(7, "eth0", "192.0.2.10/24")
				a.Reconcile([]Wanted{one})
				spoil(a, d)
				s := a.Reconcile([]Wanted{lingering(one)})
				if there := d.has(one.Prefix, "eth0"); name != "foreign beside" && there {
					t.Error("it lingers")
				} else if there && s.Silent(one.Prefix.Addr()) {
					t.Error("said to be silent while another program has it on another link")
				}
			})
		})
	}
}
