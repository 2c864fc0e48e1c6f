package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quorate/agent/speak"
	"quorate/cluster"
	"quorate/cluster/lease"
	"quorate/fsm"
	"quorate/lvs"
	"quorate/vip"
	"quorate/vip/gate"
)

// world is one node's surroundings with memory: the agreed state, the lease, the kernel's addresses and its table. What
// happens is written into one diary, because the order is what matters here.
type world struct {
	mu      sync.Mutex
	state   *fsm.State
	changed chan struct{}
	live    map[fsm.Epoch]bool
	turned  chan struct{}
	stuck   bool // the kernel keeps addresses that it is told to remove
	refuses bool // the kernel takes no address
	slow    time.Duration
	have    map[netip.Prefix]string
	table   string
	alive   int
	gated   bool // the node has a gate
	gate    map[netip.Addr]string
	ends    map[netip.Addr]time.Duration // of lingers
	began   time.Time
	virtual map[string]bool // links with virtual MACs; up or not
	// For what is held without a quorum.
	overtaken bool                        // a newer epoch is agreed
	answers   map[netip.Addr]string       // who else answers, by MAC
	deaf      error                       // why nobody can be heard
	granted   map[fsm.Epoch]lease.Instant // by this node to itself
	news      []string
	led       bool // there is a leader
	actuator  *actuator
	told      []fsm.Event     // for the timeline
	speaks    *worldVoices    // nil: there are no virtual routers
	voices    *speak.Speakers // in their place: real ones
	reports   func(cluster.ForeignReport)
	ending    bool                // the agent was asked to end
	others    map[fsm.NodeID]bool // that go on without it
	unasked   map[string]unasked
	stop      func()
	model     lvs.Plane // in place of worldPlane
	diary     []string
}

func newWorld() *world {
	return &world{state: fsm.New(), changed: make(chan struct{}), turned: make(chan struct{}), live: map[fsm.Epoch]bool{}, have: map[netip.Prefix]string{}, gate: map[netip.Addr]string{}, ends: map[netip.Addr]time.Duration{}, began: time.Now(), answers: map[netip.Addr]string{}}
}

func (w *world) note(format string, args ...any) {
	w.diary = append(w.diary, fmt.Sprintf(format, args...))
}

// said returns the diary and begins a new one.
func (w *world) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := strings.Join(w.diary, "\n")
	w.diary = nil
	return d
}

func (w *world) State() *fsm.State { w.mu.Lock(); defer w.mu.Unlock(); return w.state }

func (w *world) apply(t *testing.T, c fsm.Command) *fsm.State {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	c.Schema = fsm.MaxSchema
	next, res := w.state.Apply(w.state.Index+1, c)
	if res.Err != nil || len(res.Refused) > 0 {
		t.Fatalf("%s: %v %v", c.Kind(), res.Err, res.Refused)
	}
	w.state = next
	close(w.changed)
	w.changed = make(chan struct{})
	return next
}

func (w *world) lease(e fsm.Epoch, live bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live[e] = live
	close(w.turned)
	w.turned = make(chan struct{})
}

// The view, the lease, the addresses and the plane.

type worldView struct{ *world }

func (v worldView) Changed() <-chan struct{} { v.mu.Lock(); defer v.mu.Unlock(); return v.changed }

type worldLease struct{ *world }

func (l worldLease) Changed() <-chan struct{} { l.mu.Lock(); defer l.mu.Unlock(); return l.turned }
func (l worldLease) Live(e fsm.Epoch) bool    { l.mu.Lock(); defer l.mu.Unlock(); return l.world.live[e] }
func (l worldLease) Superseded() bool         { l.mu.Lock(); defer l.mu.Unlock(); return l.overtaken }
func (l worldLease) Alive(lease.Part)         { l.mu.Lock(); defer l.mu.Unlock(); l.alive++ }
func (l worldLease) Confirm(releases ...lease.Released) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range releases {
		l.note("confirm %v %d", r.Key, r.Index)
	}
}

// theirs is the link of addresses that another program has put up.
const theirs = "eth7"

// worldKernel is the kernel's address list as vip.Actuator sees it.
type worldKernel struct{ *world }

func (k worldKernel) List() ([]vip.Address, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []vip.Address
	for p, link := range k.have {
		out = append(out, vip.Address{Prefix: p, Link: link, Ours: link != theirs, ValidFor: 3 * time.Second})
	}
	return out, nil
}

func (k worldKernel) Put(w vip.Wanted) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuses {
		return errors.New("the kernel does not take it")
	}
	if _, there := k.have[w.Prefix]; !there {
		if k.note("put %v", w.Prefix); w.VRID != 0 {
			k.note("%v is on %s", w.Prefix, w.Link)
		}
	}
	k.have[w.Prefix] = w.Link
	return nil
}

func (k worldKernel) Remove(a vip.Address) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stuck {
		return errors.New("the kernel does not let go of it")
	}
	k.note("remove %v", a.Prefix)
	delete(k.have, a.Prefix)
	return nil
}

// MakeVirtual makes a link with a virtual MAC. It is up as soon as it is wanted up.
func (k worldKernel) MakeVirtual(v vip.Virtual, up bool) (changed bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if was, there := k.virtual[v.Name()]; there && was == up {
		return false, nil
	}
	if k.virtual == nil {
		k.virtual = map[string]bool{}
	}
	k.virtual[v.Name()] = up
	k.note("link %v, up %t", v, up)
	return true, nil
}

func (k worldKernel) RemoveVirtual(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.virtual, name)
	return nil
}

func (k worldKernel) Watch(ctx context.Context, _ func()) error { <-ctx.Done(); return nil }

// worldGate is the kernel's gate.
type worldGate struct{ *world }

func (g worldGate) Set(entries []gate.Entry) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.gate, func(a netip.Addr, _ string) bool {
		return !slices.ContainsFunc(entries, func(e gate.Entry) bool { return e.Addr == a })
	})
	for _, e := range entries {
		is := "closed"
		switch {
		case e.Epoch == 0:
		case e.ARP && e.IP && e.IPUntil == 0:
			is = "open"
		case !e.ARP && e.IP && e.IPUntil > 0:
			is = fmt.Sprintf("lingers for %v", e.IPUntil-time.Since(g.began))
		default:
			is = fmt.Sprintf("%+v", e)
		}
		if e.IPUntil > 0 && e.IPUntil == g.ends[e.Addr] {
			continue // the same instant, counted from now
		}
		g.ends[e.Addr] = e.IPUntil
		if was, ok := g.gate[e.Addr]; was != is && (ok || is != "closed") {
			g.note("%v %s", e.Addr, is)
		}
		g.gate[e.Addr] = is
	}
	return nil
}

func (g worldGate) Check() (gate.Report, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	links := []gate.Link{{Name: "eth0", Index: 1}}
	for _, name := range slices.Sorted(maps.Keys(g.virtual)) {
		links = append(links, gate.Link{Name: name, Index: len(links) + 1})
	}
	return gate.Report{Links: links}, nil
}

func (g worldGate) Remove() error { return nil }

// worldClock counts from the world's beginning.
type worldClock struct{ *world }

func (c worldClock) Now() lease.Instant {
	d := time.Since(c.began)
	return lease.Instant{Raw: time.Hour + d, Boot: d}
}

// worldWire is a link on which others answer for addresses, from within a millisecond.
type worldWire struct{ *world }

func (l worldWire) Ask(ctx context.Context, _ string, addrs []netip.Addr, wait time.Duration, heard func(netip.Addr, string)) error {
	end := time.Now().Add(wait)
	for time.Now().Before(end) {
		l.mu.Lock()
		answers, err := maps.Clone(l.answers), l.deaf
		l.mu.Unlock()
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if mac := answers[a]; mac != "" {
				heard(a, mac)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// worldPlane is a data plane that remembers its table.
type worldPlane struct{ *world }

func (worldPlane) Name() string                   { return "model" }
func (worldPlane) Capabilities() lvs.Capabilities { return lvs.Capabilities{Plane: "model"} }
func (worldPlane) Close() error                   { return nil }
func (p worldPlane) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	st, err := p.Reconcile(scope, want)
	return st.Changed, err
}

func (p worldPlane) Reconcile(_ lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	time.Sleep(p.slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	var keys []string
	for _, s := range want {
		keys = append(keys, fmt.Sprintf("%v×%d", s.Key(), len(s.Destinations)))
	}
	if table := strings.Join(keys, " "); table != p.table {
		p.table = table
		p.note("table [%s]", table)
	}
	return lvs.Status{}, nil
}

// run is n1 in a cluster of two with one VIP and one service, its actuator running until stop.
func (w *world) run(t *testing.T) (stop func()) {
	w.form(t)
	return w.start(t)
}

// form agrees on that cluster.
func (w *world) form(t *testing.T) {
	facts := fsm.Facts{Schema: fsm.MaxSchema, Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}}
	w.apply(t, fsm.Command{Init: &fsm.Init{ClusterID: "c", Settings: fsm.DefaultSettings(), Node: fsm.Node{ID: "n1", Store: "s1", Addr: "192.0.2.1:7300", Role: fsm.Director, Weight: 1, Facts: facts}}})
	w.apply(t, fsm.Command{PutNode: &fsm.PutNode{Node: fsm.Node{ID: "n2", Store: "s2", Addr: "192.0.2.2:7300", Role: fsm.Director, Weight: 1, Facts: facts}}})
	w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{
		Settings: fsm.DefaultSettings(),
		VIPs:     map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}},
		Services: map[string]fsm.Service{"web": {Name: "web", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "wrr", Forward: fsm.NAT,
			Servers: []fsm.Server{{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}}}},
	}}})
}

// start starts n1's actuator.
func (w *world) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	plane := newPlaneWorker(slog.New(slog.DiscardHandler))
	plane.open = func(name string) (lvs.Plane, error) {
		switch {
		case w.model == nil:
			return worldPlane{w}, nil
		case w.model.Name() == name:
			return w.model, nil
		default:
			return nil, errors.New("no " + name)
		}
	}
	o := vip.Options{Kernel: worldKernel{w}, Log: slog.New(slog.DiscardHandler)}
	if w.gated {
		o.Gate = worldGate{w}
	}
	a := &actuator{
		self: "n1", view: worldView{w}, lease: worldLease{w}, plane: plane, clock: worldClock{w}, log: slog.New(slog.DiscardHandler),
		vips: vip.New(o),
		ear:  newEar(worldWire{w}, slog.New(slog.DiscardHandler)),
		grant: func(e fsm.Epoch, until lease.Instant) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.granted = map[fsm.Epoch]lease.Instant{e: until}
			return nil
		},
		led: func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.led }, orders: make(chan order),
		report: func(e fsm.Event) { w.mu.Lock(); defer w.mu.Unlock(); w.told = append(w.told, e) },
		tell:   func(n holdNews) { w.mu.Lock(); defer w.mu.Unlock(); w.news = append(w.news, n.Text) },
	}
	if v := w.speaks; v != nil {
		a.speech.voices, a.heard = v, v.news
		a.foreign = func(r cluster.ForeignReport) { v.mu.Lock(); defer v.mu.Unlock(); v.seen = r }
		a.unasked = func(x map[string]unasked, _ map[string]bool) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.unasked = x
		}
		a.ending = func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.ending }
		a.others = func() map[fsm.NodeID]bool { w.mu.Lock(); defer w.mu.Unlock(); return w.others }
	}
	if w.voices != nil {
		a.speech.voices, a.heard, a.foreign = w.voices, w.voices.News(), w.reports
	}
	w.actuator = a
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.ear.run(ctx) })
	wg.Go(func() { _ = plane.run(ctx) })
	wg.Go(func() { _ = a.run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	w.stop = stop
	t.Cleanup(stop)
	return stop
}

var web = fsm.AddressKey{Addr: netip.MustParseAddr("192.0.2.10")}

// assign gives web to a node; the state must let it.
func (w *world) assign(t *testing.T, to fsm.NodeID, release uint64) {
	s := w.State()
	w.apply(t, fsm.Command{Decide: &fsm.Decide{Assign: []fsm.Assign{{
		Key: web, VIP: "web", Owner: to, OwnerEpoch: s.Nodes[to].Epoch, Epoch: s.Assignments[web].Epoch, ReleaseIndex: release, Reason: fsm.Reason{Code: fsm.ReasonPlaced},
	}}}})
}

// expect compares what happened since the last call.
func (w *world) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := w.said(); got != strings.Join(want, "\n") {
		t.Fatalf("%s:\ngot:\n%s\nwant:\n%s", what, got, strings.Join(want, "\n"))
	}
}

func TestTakeOverAndGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.slow = 50 * time.Millisecond
		w.run(t)
		w.assign(t, "n1", 0)
		time.Sleep(time.Second)
		w.expect(t, "no lease, no address: the table may be ready", "table [tcp 192.0.2.10:80×1]")

		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.expect(t, "with the lease", "put 192.0.2.10/24")

		s := w.apply(t, fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: web, Epoch: w.State().Assignments[web].Epoch, To: "n2"}}}})
		release := s.Assignments[web].Release.Index
		time.Sleep(40 * time.Millisecond) // less than the table takes
		w.expect(t, "released: the address leaves first, and only then is it confirmed", "remove 192.0.2.10/24", fmt.Sprintf("confirm 192.0.2.10 %d", release))

		w.assign(t, "n2", release)
		time.Sleep(time.Second)
		w.expect(t, "moved: its services follow", "table []")
	})
}

func TestServicesComeBeforeTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.slow = 300 * time.Millisecond
		w.run(t)
		w.lease(w.State().Nodes["n1"].Epoch, true)
		time.Sleep(time.Second)
		w.said()
		w.assign(t, "n1", 0)
		time.Sleep(200 * time.Millisecond)
		w.expect(t, "the table is not ready yet")
		time.Sleep(time.Second)
		w.expect(t, "the table is ready", "table [tcp 192.0.2.10:80×1]", "put 192.0.2.10/24")
	})
}

func TestAddressDoesNotWaitForATableForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.slow = time.Hour
		w.run(t)
		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.assign(t, "n1", 0)
		time.Sleep(planePatience + time.Second)
		w.expect(t, "an address without its services is better than none", "put 192.0.2.10/24")
		w.mu.Lock()
		w.slow = 0
		w.mu.Unlock()
		time.Sleep(2 * time.Hour)
	})
}

func TestLostLeaseRemovesTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.run(t)
		e := w.State().Nodes["n1"].Epoch
		w.lease(e, true)
		w.assign(t, "n1", 0)
		time.Sleep(time.Second)
		w.said()
		w.lease(e, false)
		w.expect(t, "no lease", "remove 192.0.2.10/24")
		w.lease(e, true)
		w.expect(t, "lease again", "put 192.0.2.10/24")
	})
}

// A raised epoch moves nothing: the address stays while the lease under the old epoch lasts.
func TestRaiseIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.run(t)
		old := w.State().Nodes["n1"].Epoch
		w.lease(old, true)
		w.assign(t, "n1", 0)
		time.Sleep(time.Second)
		w.said()
		s := w.apply(t, fsm.Command{Raise: &fsm.Raise{Node: "n1", Epoch: old}})
		time.Sleep(10 * time.Millisecond)
		w.lease(s.Nodes["n1"].Epoch, true)
		w.lease(old, false)
		time.Sleep(time.Second)
		w.expect(t, "a new epoch")
	})
}

// owner is a world with a gate in which n1 owns web.
func owner(t *testing.T) *world {
	w := newWorld()
	w.gated = true
	w.run(t)
	w.lease(w.State().Nodes["n1"].Epoch, true)
	w.assign(t, "n1", 0)
	time.Sleep(time.Second)
	w.expect(t, "n1 owns it", "table [tcp 192.0.2.10:80×1]", "192.0.2.10 open", "put 192.0.2.10/24")
	return w
}

// release asks n1 to give web up, and returns the index.
func (w *world) release(t *testing.T, to fsm.NodeID) uint64 {
	s := w.apply(t, fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: web, Epoch: w.State().Assignments[web].Epoch, To: to}}}})
	return s.Assignments[web].Release.Index
}

// A planned move: the old owner closes the address and confirms, and goes on serving what is sent to it for a while.
func TestHandOverLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owner(t)
		i := w.release(t, "n2")
		w.expect(t, "released", "192.0.2.10 lingers for 2.5s", fmt.Sprintf("confirm 192.0.2.10 %d", i))
		time.Sleep(400 * time.Millisecond)
		synctest.Wait()
		w.said() // it may be confirmed again
		w.assign(t, "n2", i)
		w.expect(t, "moved", "192.0.2.10 lingers for 1.5s")
		time.Sleep(lease.Linger - time.Millisecond)
		w.expect(t, "moved, and not over yet")
		time.Sleep(time.Millisecond)
		w.expect(t, "over", "192.0.2.10 closed", "remove 192.0.2.10/24", "table []")
	})
}

// What was released comes back only by the log.
func TestCancelledHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owner(t)
		i := w.release(t, "n2")
		w.expect(t, "released", "192.0.2.10 lingers for 2.5s", fmt.Sprintf("confirm 192.0.2.10 %d", i))
		w.apply(t, fsm.Command{Decide: &fsm.Decide{Cancel: []fsm.Cancel{{Key: web, ReleaseIndex: i}}}})
		w.expect(t, "cancelled", "192.0.2.10 open")
		time.Sleep(10 * time.Second)
		w.expect(t, "it stays")

		i = w.release(t, "n2")
		w.expect(t, "released again", "192.0.2.10 lingers for 2.5s", fmt.Sprintf("confirm 192.0.2.10 %d", i))
		time.Sleep(lease.LongestLinger(fsm.LAN.Timing()))
		synctest.Wait()
		if got := w.said(); !strings.HasPrefix(got, "192.0.2.10 closed\nremove 192.0.2.10/24") {
			t.Fatalf("nobody took it in time:\n%s", got)
		}
		w.apply(t, fsm.Command{Decide: &fsm.Decide{Cancel: []fsm.Cancel{{Key: web, ReleaseIndex: i}}}})
		time.Sleep(time.Second)
		w.expect(t, "cancelled late", "192.0.2.10 open", "put 192.0.2.10/24")
	})
}

func TestLostLeaseEndsALinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owner(t)
		i := w.release(t, "n2")
		synctest.Wait()
		w.assign(t, "n2", i)
		synctest.Wait()
		w.said()
		w.lease(w.State().Nodes["n1"].Epoch, false)
		w.expect(t, "no lease", "192.0.2.10 closed", "remove 192.0.2.10/24", "table []")
	})
}

// Nobody is to have it: a removed VIP, or one without a candidate. There is nothing to wait for.
func TestReleaseToNobodyDoesNotLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := owner(t)
		i := w.release(t, "")
		w.expect(t, "released", "192.0.2.10 closed", "remove 192.0.2.10/24", fmt.Sprintf("confirm 192.0.2.10 %d", i))
	})
	synctest.Test(t, func(t *testing.T) {
		w := owner(t)
		i := w.release(t, "n2")
		synctest.Wait()
		w.said()
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings()}}})
		synctest.Wait()
		if got := w.said(); !strings.HasPrefix(got, "192.0.2.10 closed\nremove 192.0.2.10/24") {
			t.Fatalf("removed from the configuration while it lingers (release %d):\n%s", i, got)
		}
	})
}

// The next owner has the services before it is given the address.
func TestNextOwnerIsPrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gated, w.slow = true, 300*time.Millisecond
		w.run(t)
		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.assign(t, "n2", 0)
		time.Sleep(time.Second)
		w.expect(t, "it is n2's")
		i := w.release(t, "n1")
		time.Sleep(time.Second)
		w.expect(t, "it is to be n1's", "table [tcp 192.0.2.10:80×1]")
		w.assign(t, "n1", i)
		w.expect(t, "it is n1's", "192.0.2.10 open", "put 192.0.2.10/24")
	})
}

// A process that starts while its release is pending has not opened the address, and does not let it linger.
func TestRestartWhileReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.gated = true
		w.form(t)
		w.assign(t, "n1", 0)
		i := w.release(t, "n2")
		w.have[netip.MustParsePrefix("192.0.2.10/24")] = "eth0"
		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.start(t)
		synctest.Wait()
		// Services are the plane's, which does not wait for the addresses, nor they for it.
		got := strings.Split(w.said(), "\n")
		plane := slices.Index(got, "table [tcp 192.0.2.10:80×1]")
		if plane < 0 {
			t.Fatalf("found by the new process: %q, without its services", got)
		}
		if want := []string{"remove 192.0.2.10/24", fmt.Sprintf("confirm 192.0.2.10 %d", i)}; !slices.Equal(slices.Delete(got, plane, plane+1), want) {
			t.Fatalf("found by the new process: %q, want %q", got, want)
		}
	})
}

func TestNothingIsConfirmedThatTheKernelStillHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.run(t)
		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.assign(t, "n1", 0)
		time.Sleep(time.Second)
		w.said()
		w.mu.Lock()
		w.stuck = true
		w.mu.Unlock()
		s := w.apply(t, fsm.Command{Decide: &fsm.Decide{Release: []fsm.StartRelease{{Key: web, Epoch: w.State().Assignments[web].Epoch, To: "n2"}}}})
		time.Sleep(4 * time.Second)
		w.expect(t, "it is still there")
		w.mu.Lock()
		w.stuck = false
		w.mu.Unlock()
		time.Sleep(2 * sweep)
		got := strings.Split(w.said(), "\n")
		if len(got) < 2 || got[0] != "remove 192.0.2.10/24" || got[1] != fmt.Sprintf("confirm 192.0.2.10 %d", s.Assignments[web].Release.Index) {
			t.Fatalf("after the kernel let go: %q", got)
		}
	})
}

// The lease takes an actuator that does not speak for T for one that hangs.
func TestIdleActuatorSaysThatItIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.run(t)
		time.Sleep(10 * time.Second)
		w.mu.Lock()
		idle := w.alive
		w.mu.Unlock()
		ttl := w.State().Config.Settings.Profile.Timing().TTL
		if least := int(10 * time.Second / (ttl / 2)); idle < least {
			t.Fatalf("an idle actuator spoke %d times in 10 s, want at least %d: twice within T = %v", idle, least, ttl)
		}
	})
}

func TestManagedAddresses(t *testing.T) {
	w := newWorld()
	synctest.Test(t, func(t *testing.T) {
		w.run(t)
		w.assign(t, "n1", 0)
		w.apply(t, fsm.Command{Configure: &fsm.Configure{Force: true, Config: fsm.Config{Settings: fsm.DefaultSettings()}}})
	})
	if got := managed(w.State()); !slices.Equal(got, []netip.Addr{web.Addr}) {
		t.Fatalf("the address of a tombstone is not managed: %v", got)
	}
}

// What ends the actuator ends the lease; the rest of the node may take seconds to end.
func TestEndGivesAddressesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		stop := w.run(t)
		w.lease(w.State().Nodes["n1"].Epoch, true)
		w.assign(t, "n1", 0)
		synctest.Wait()
		w.said()
		stop()
		if got := w.said(); len(w.have) != 0 {
			t.Fatalf("addresses stay: %v\n%s", w.have, got)
		}
	})
}

// managedPlane removes services on managed addresses only, as IPVS does.
type managedPlane struct {
	worldPlane
	have map[lvs.Key]bool
}

func (p managedPlane) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	st, err := p.Reconcile(scope, want)
	return st.Changed, err
}

func (p managedPlane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	for k := range p.have {
		if slices.Contains(scope.Addrs, k.Addr.Addr()) {
			delete(p.have, k)
		}
	}
	for _, s := range want {
		p.have[s.Key()] = true
	}
	return lvs.Status{}, nil
}

func TestNoServiceStaysOnAForgottenAddress(t *testing.T) {
	p := managedPlane{worldPlane{newWorld()}, map[lvs.Key]bool{}}
	w := newPlaneWorker(slog.New(slog.DiscardHandler))
	w.open = func(string) (lvs.Plane, error) { return p, nil }
	w.want(wantedTable{setting: "auto", managed: []netip.Addr{web.Addr}, services: []lvs.Service{{Addr: web.Addr, Port: 80, Protocol: "tcp"}}})
	w.carryOut()
	if len(p.have) != 1 {
		t.Fatalf("not carried out: %v", p.have)
	}
	w.want(wantedTable{setting: "auto"}) // the state between the two was overtaken
	w.carryOut()
	if len(p.have) != 0 {
		t.Fatalf("left behind: %v", p.have)
	}
}
