package vip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a kernel with other programs on it: the model, or a namespace of the real one. eth0 and eth1 exist.
type world interface {
	otherAdds(p netip.Prefix, link string) error
	otherRemoves(p netip.Prefix, link string) error
	otherChanges(p netip.Prefix, link string) error
	setLink(name string, up, carrier bool) error
	// wait returns when cond holds, and fails the test when it does not within seconds.
	wait(what string, cond func() bool)
	table() string
}

// scribe collects events.
type scribe struct {
	mu   sync.Mutex
	told []string
}

func (s *scribe) on(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprintf("%s %s %s", e.Kind, e.Link, e.Prefix))
}

func (s *scribe) take() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := strings.Join(s.told, "\n")
	s.told = nil
	return x
}

// start runs an actuator until the test's end.
func start(t testing.TB, k Kernel, an Announcer) (*Actuator, *scribe) {
	t.Helper()
	told := &scribe{}
	a := New(Options{Kernel: k, Announcer: an, Log: slog.New(slog.DiscardHandler), OnEvent: told.on})
	run(t, a)
	return a, told
}

// run runs an actuator until the test's end.
func run(t testing.TB, a *Actuator) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// wantStatus compares a status, one line an address: link, prefix, what is wanted and actual, and the error up to its
// first colon.
func wantStatus(t testing.TB, s Status, want ...string) {
	t.Helper()
	var got []string
	if s.Err != nil {
		got = append(got, s.Err.Error())
	}
	for _, x := range s.Addresses {
		line := fmt.Sprintf("%s %s wanted=%t actual=%t", x.Link, x.Prefix, x.Wanted, x.Actual)
		if x.Err != nil {
			what, _, _ := strings.Cut(x.Err.Error(), ":")
			line += " " + what
		}
		got = append(got, line)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("status:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func wantTable(t testing.TB, w world, lines ...string) {
	t.Helper()
	want := ""
	for _, l := range lines {
		want += l + "\n"
	}
	if got := w.table(); got != want {
		t.Errorf("addresses:\n%swant:\n%s", got, want)
	}
}

const life = 3 * time.Second

// testActuator is the life of a few addresses, on whatever kernel.
func testActuator(t *testing.T, w world, k Kernel) {
	v4, v6 := wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "2001:db8::10/64", life)
	must(t, w.otherAdds(prefix("192.0.2.1/24"), "eth0"), w.otherAdds(prefix("2001:db8::1/64"), "eth0"))
	a, told := start(t, k, nil)
	base := []string{"eth0 192.0.2.1/24 foreign", "eth0 2001:db8::1/64 foreign"}
	both := []string{"eth0 192.0.2.1/24 foreign", "eth0 192.0.2.10/24 ours", "eth0 2001:db8::1/64 foreign", "eth0 2001:db8::10/64 ours"}

	t.Log("taken and listed")
	s := a.Reconcile([]Wanted{v4, v6})
	wantStatus(t, s, "eth0 192.0.2.10/24 wanted=true actual=true", "eth0 2001:db8::10/64 wanted=true actual=true")
	wantTable(t, w, both...)
	if s.Absent(v4.Prefix.Addr()) || !s.Absent(netip.MustParseAddr("192.0.2.99")) {
		t.Error("Absent does not follow the list")
	}
	if e := told.take(); e != "" {
		t.Errorf("events of the caller's own doing: %s", e)
	}

	t.Log("twice is once")
	wantStatus(t, a.Reconcile([]Wanted{v4, v6}), "eth0 192.0.2.10/24 wanted=true actual=true", "eth0 2001:db8::10/64 wanted=true actual=true")

	t.Log("removed by others, put back")
	// One after the other: what goes while the other is being put back is put back, too, but the pass has looked for its event already.
	for _, p := range []netip.Prefix{v4.Prefix, v6.Prefix} {
		must(t, w.otherRemoves(p, "eth0"))
		w.wait("put back", func() bool {
			return w.table() == strings.Join(both, "\n")+"\n" && len(a.Status().Addresses) == 2 && a.Keep()
		})
		w.wait("the event", func() bool { told.mu.Lock(); defer told.mu.Unlock(); return len(told.told) == 1 })
		if e := told.take(); e != "removed eth0 "+p.String() {
			t.Errorf("events: %s", e)
		}
	}

	t.Log("mark and lifetime taken off by others, taken back")
	must(t, w.otherChanges(v6.Prefix, "eth0"))
	w.wait("taken back", func() bool { return w.table() == strings.Join(both, "\n")+"\n" })
	w.wait("the event", func() bool { told.mu.Lock(); defer told.mu.Unlock(); return len(told.told) == 1 })
	if e := told.take(); e != "changed eth0 2001:db8::10/64" {
		t.Errorf("events: %s", e)
	}

	t.Log("another link, another prefix length")
	v4, v6 = wanted("eth1", "192.0.2.10/32", life), wanted("eth0", "2001:db8::10/128", life)
	wantStatus(t, a.Reconcile([]Wanted{v4, v6}), "eth0 2001:db8::10/128 wanted=true actual=true", "eth1 192.0.2.10/32 wanted=true actual=true")
	wantTable(t, w, "eth0 192.0.2.1/24 foreign", "eth0 2001:db8::1/64 foreign", "eth0 2001:db8::10/128 ours", "eth1 192.0.2.10/32 ours")

	t.Log("given up")
	s = a.Reconcile(nil)
	wantStatus(t, s)
	wantTable(t, w, base...)
	if !s.Absent(v4.Prefix.Addr()) || !s.Absent(v6.Prefix.Addr()) {
		t.Error("given up, listed, and not absent")
	}

	t.Log("foreign equals managed: reported, not touched")
	a.Manage([]netip.Addr{v4.Prefix.Addr(), v6.Prefix.Addr()})
	must(t, w.otherAdds(prefix("192.0.2.10/32"), "eth1"), w.otherAdds(prefix("2001:db8::10/64"), "eth0"))
	s = a.Reconcile(nil)
	wantStatus(t, s,
		"eth0 2001:db8::10/64 wanted=false actual=true held by this host outside our control",
		"eth1 192.0.2.10/32 wanted=false actual=true held by this host outside our control")
	if s.Absent(v4.Prefix.Addr()) {
		t.Error("a foreign holder does not count")
	}
	if e := told.take(); !strings.Contains(e, "foreign eth1 192.0.2.10/32") || !strings.Contains(e, "foreign eth0 2001:db8::10/64") {
		t.Errorf("events: %s", e)
	}

	t.Log("wanted: taken over, then gone with the rest")
	wantStatus(t, a.Reconcile([]Wanted{v4, v6}), "eth0 2001:db8::10/128 wanted=true actual=true", "eth1 192.0.2.10/32 wanted=true actual=true")
	if e := told.take(); !strings.Contains(e, "taken-over eth1 192.0.2.10/32") || !strings.Contains(e, "taken-over eth0 2001:db8::10/128") {
		t.Errorf("events: %s", e)
	}
	wantStatus(t, a.Clear())
	wantTable(t, w, base...)

	t.Log("a link that is down or missing concerns its own addresses only")
	must(t, w.setLink("eth1", false, false))
	ok := wanted("eth0", "192.0.2.11/24", life)
	wantStatus(t, a.Reconcile([]Wanted{v4, ok, wanted("eth9", "192.0.2.12/24", life)}),
		"eth0 192.0.2.11/24 wanted=true actual=true",
		"eth1 192.0.2.10/32 wanted=true actual=false link is down",
		"eth9 192.0.2.12/24 wanted=true actual=false no such link")
	must(t, w.setLink("eth1", true, true))
	w.wait("put when the link came", func() bool {
		return a.Keep() && strings.Contains(w.table(), "eth1 192.0.2.10/32 ours")
	})
	w.wait("its carrier", func() bool {
		s := a.Reconcile([]Wanted{v4, ok})
		return len(s.Addresses) == 2 && s.Addresses[1].Err == nil
	})
	wantStatus(t, a.Clear())

	t.Log("what a process before left is adopted or removed")
	must(t, k.Put(v4), k.Put(wanted("eth0", "192.0.2.13/24", life)))
	wantStatus(t, a.Reconcile([]Wanted{v4}), "eth1 192.0.2.10/32 wanted=true actual=true")
	wantTable(t, w, append(base, "eth1 192.0.2.10/32 ours")...)
	told.take()

	t.Log("the caller falls silent: given up")
	w.wait("given up", func() bool { return w.table() == strings.Join(base, "\n")+"\n" })
	w.wait("lapsed", func() bool { return len(a.Status().Addresses) == 0 })
	if a.Keep(); len(a.Status().Addresses) != 0 {
		t.Error("Keep brought back what had lapsed")
	}
}

// modelWorld is a model in a bubble of virtual time.
type modelWorld struct {
	*model
	t *testing.T
}

func (w modelWorld) table() string {
	have, err := w.List()
	must(w.t, err)
	return table(have)
}

func (w modelWorld) wait(what string, cond func() bool) {
	w.t.Helper()
	for range 1000 {
		synctest.Wait()
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatalf("%s: not within 10 s; addresses:\n%s", what, w.table())
}

func TestActuatorOnModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0", "eth1")
		testActuator(t, modelWorld{m, t}, m)
	})
}

// TestListOnlyKernel: a kernel that knows nothing of links is asked again instead.
func TestListOnlyKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		a, _ := start(t, struct{ Kernel }{m}, nil)
		wantStatus(t, a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life), wanted("eth9", "192.0.2.12/24", life)}),
			"eth0 192.0.2.10/24 wanted=true actual=true", "eth9 192.0.2.12/24 wanted=true actual=false no such link")
		m.plug("eth9")
		modelWorld{m, t}.wait("put", func() bool { return m.size() == 2 })
	})
}

// TestOvertakenCallIsVoid: a call that waited for the lock while a later one was carried out does nothing.
func TestOvertakenCallIsVoid(t *testing.T) {
	m := newModel("eth0")
	a := New(Options{Kernel: m, Log: slog.New(slog.DiscardHandler)})
	a.ticket = 2 // of a later Clear
	a.Reconcile([]Wanted{wanted("eth0", "192.0.2.10/24", life)})
	if m.puts != 0 {
		t.Error("carried out after a later call")
	}
}

// TestOvertakenClearIsOver: a Clear that a later Reconcile overtook holds up nothing any more, neither that one nor the next.
func TestOvertakenClearIsOver(t *testing.T) {
	m := newModel("eth0")
	a := New(Options{Kernel: m, Log: slog.New(slog.DiscardHandler)})
	// A Reconcile that came after the Clear was first at the lock, and the waiting Clear interrupted it.
	a.accept([]Wanted{wanted("eth0", "192.0.2.10/24", life)}, time.Now())
	a.ticket = 2
	if s := a.Clear(); s.Err != nil || m.size() != 1 {
		t.Errorf("%+v, %d addresses: the later call was not carried out", s, m.size())
	}
	a.tickets.Store(2)
	if s := a.Reconcile([]Wanted{wanted("eth0", "192.0.2.11/24", life)}); s.Err != nil || m.size() != 1 {
		t.Errorf("%+v, %d addresses after the next call", s, m.size())
	}
}

// TestCascade: a kernel that takes our other addresses of the subnet along is put right within the same call.
func TestCascade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		m.cascade = true
		a, told := start(t, m, nil)
		var want []Wanted
		for i := range 5 {
			want = append(want, wanted("eth0", fmt.Sprintf("192.0.2.1%d/24", i), life))
		}
		a.Reconcile(want)
		s := a.Reconcile(want[1:])
		for _, x := range s.Addresses {
			if x.Err != nil || !x.Actual {
				t.Errorf("%+v", x)
			}
		}
		if e := told.take(); e != "" {
			t.Errorf("blamed on others: %s", e)
		}
	})
}

func TestFailuresAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newModel("eth0")
		a, _ := start(t, m, nil)
		x, y := wanted("eth0", "192.0.2.10/24", life), wanted("eth0", "192.0.2.11/24", life)
		m.refuse[x.Prefix.Addr()] = errors.New("no room")
		wantStatus(t, a.Reconcile([]Wanted{x, y}), "eth0 192.0.2.10/24 wanted=true actual=false no room", "eth0 192.0.2.11/24 wanted=true actual=true")
		m.set(func() { delete(m.refuse, x.Prefix.Addr()) })
		time.Sleep(retryEvery + time.Millisecond)
		synctest.Wait()
		wantStatus(t, a.Status(), "eth0 192.0.2.10/24 wanted=true actual=true", "eth0 192.0.2.11/24 wanted=true actual=true")

		m.set(func() { m.stuck[x.Prefix.Addr()] = errors.New("cannot") })
		wantStatus(t, a.Reconcile([]Wanted{y}), "eth0 192.0.2.10/24 wanted=false actual=true cannot", "eth0 192.0.2.11/24 wanted=true actual=true")
		if a.Status().Absent(x.Prefix.Addr()) {
			t.Error("absent, says the status of an address that could not be removed")
		}
		m.set(func() { delete(m.stuck, x.Prefix.Addr()) })
		time.Sleep(retryEvery + time.Millisecond)
		synctest.Wait()
		wantStatus(t, a.Status(), "eth0 192.0.2.11/24 wanted=true actual=true")

		m.set(func() { m.unlisted = errors.New("deaf and dumb") })
		s := a.Reconcile([]Wanted{y})
		wantStatus(t, s, "list addresses: deaf and dumb", "eth0 192.0.2.11/24 wanted=true actual=false list addresses")
		if s.Absent(x.Prefix.Addr()) {
			t.Error("absent, says a status that knows nothing")
		}
		m.set(func() { m.unlisted = nil })
		time.Sleep(retryEvery + time.Millisecond)
		synctest.Wait()
		wantStatus(t, a.Status(), "eth0 192.0.2.11/24 wanted=true actual=true")
	})
}

// slow is a kernel that waits in its first Put until it is let go.
type slow struct {
	*model
	once    sync.Once
	in, out chan struct{}
}

func (s *slow) Put(w Wanted) error {
	s.once.Do(func() { close(s.in); <-s.out })
	return s.model.Put(w)
}

// TestClearInterrupts: Clear does not wait for a pass to add the rest, and what was called before it is void.
func TestClearInterrupts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &slow{model: newModel("eth0"), in: make(chan struct{}), out: make(chan struct{})}
		h := newHorn()
		a, _ := start(t, k, h)
		var want []Wanted
		for i := range 200 {
			want = append(want, wanted("eth0", fmt.Sprintf("192.0.2.%d/24", i+1), life))
		}
		first, void := make(chan Status, 1), make(chan Status, 1)
		go func() { first <- a.Reconcile(want) }()
		<-k.in
		go func() { void <- a.Reconcile(want) }()
		// Callers queue on a mutex, which stops virtual time: see them in by their tickets.
		for a.tickets.Load() != 2 {
			runtime.Gosched()
		}
		cleared := make(chan Status, 1)
		go func() { cleared <- a.Clear() }()
		for a.tickets.Load() != 3 {
			runtime.Gosched()
		}
		close(k.out)
		if s := <-cleared; s.Err != nil || len(s.Addresses) != 0 {
			t.Errorf("after Clear: %+v", s)
		}
		<-first
		<-void
		time.Sleep(time.Minute)
		if k.size() != 0 || k.puts > 1 {
			t.Errorf("%d addresses, %d puts: a call from before the Clear went on", k.size(), k.puts)
		}
	})
}
