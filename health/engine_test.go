package health

import (
	"bytes"
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
)

// bed is an engine in virtual time on a modelled network, with a record of its transitions: "2s web up: connected in 0s".
type bed struct {
	t      *testing.T
	net    *network
	engine *Engine
	began  time.Time
	mu     sync.Mutex
	got    []string
	log    bytes.Buffer
	stop   func()
}

// run executes body in a bubble with a running engine. Goroutines that outlive Run fail the test.
func run(t *testing.T, body func(b *bed), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, net: newNetwork(), began: time.Now()}
		o := Options{
			Dial:   b.net.dial,
			Log:    slog.New(slog.NewTextHandler(&b.log, nil)),
			Jitter: func(time.Duration) time.Duration { return 0 },
			OnTransition: func(tr Transition) {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.got = append(b.got, fmt.Sprintf("%v %s %s: %s%s", tr.At.Sub(b.began), tr.ID, map[bool]string{true: "up", false: "down"}[tr.Up], tr.Detail,
					map[bool]string{true: " [own only]"}[tr.OwnOnly]))
			},
		}
		for _, c := range change {
			c(&o)
		}
		b.engine = New(o)
		b.start()
		body(b)
		b.stop()
		if len(b.net.doubled) > 0 {
			t.Errorf("probed twice at once: %v", b.net.doubled)
		}
	})
}

func (b *bed) start() {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.engine.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}
	synctest.Wait()
}

// at sleeps, in virtual time, until the given offset from the start.
func (b *bed) at(offset time.Duration) {
	time.Sleep(time.Until(b.began.Add(offset)))
	synctest.Wait()
}

// expect compares the transitions since the last call.
func (b *bed) expect(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.got, want) {
		b.t.Errorf("transitions:\n  %s\nwant:\n  %s", strings.Join(b.got, "\n  "), strings.Join(want, "\n  "))
	}
	b.got = nil
}

func (b *bed) state(id string) State {
	b.t.Helper()
	for _, s := range b.engine.Snapshot() {
		if s.Target.ID == id {
			return s
		}
	}
	b.t.Fatalf("no target %s", id)
	return State{}
}

const server = "10.0.0.1:80"

func target(id string) Target {
	return Target{
		ID: id, Type: TypeTCP, Addr: netip.MustParseAddrPort(server),
		Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
	}
}

func TestVerdictsFollowTheServer(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, open)
		b.engine.Set([]Target{target("web")})
		b.at(2500 * time.Millisecond) // probes at 0 and 2 s
		b.expect("2s web up: connected in 0s")

		b.net.set(server, refusing)
		b.at(7 * time.Second) // 4, 6
		b.expect()
		b.at(9 * time.Second)
		b.expect("8s web down: connection refused")
	})
}

func TestFirstVerdictDown(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, silent)
		b.engine.Set([]Target{target("web")})
		b.at(5500 * time.Millisecond)
		b.expect("5s web down: no answer within 1s")
		s := b.state("web")
		if s.Verdict != Down || s.Latency != time.Second || s.Since != b.began.Add(5*time.Second) || s.OK || s.Streak != 3 ||
			s.LastError != "no answer within 1s" || s.Probed != b.began.Add(4*time.Second) {
			t.Errorf("state %+v", s)
		}
		b.net.set(server, open)
		b.at(9 * time.Second)
		b.expect("8s web up: connected in 0s")
		if s := b.state("web"); s.LastError != "no answer within 1s" || s.LastErrorAt != b.began.Add(5*time.Second) || s.Detail != "connected in 0s" {
			t.Errorf("the last error is not kept: %+v", s)
		}
	})
}

func TestHTTPInVirtualTime(t *testing.T) {
	run(t, func(b *bed) {
		web := target("web")
		web.Type = TypeHTTP
		b.net.set(server, open)
		b.engine.Set([]Target{web})
		b.at(3 * time.Second)
		b.expect("2s web up: status 200 in 0s")
		b.net.set(server, failing)
		b.at(9 * time.Second)
		b.expect("8s web down: status 503, want 200-299")
		b.net.set(server, stalling)
		b.at(11500 * time.Millisecond)
		if s := b.state("web"); s.Detail != "status 200, but no complete body within 1s" || s.Latency != time.Second {
			t.Errorf("half a body: %q in %v", s.Detail, s.Latency)
		}
		b.net.set(server, silent)
		b.at(13500 * time.Millisecond)
		if s := b.state("web"); s.Detail != "no answer within 1s" {
			t.Errorf("no connection: %q", s.Detail)
		}
	})
}

func TestSetKeepsWhatDidNotChange(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, open)
		b.net.set("10.0.0.2:80", open)
		b.engine.Set([]Target{target("web")})
		b.at(3 * time.Second)
		b.expect("2s web up: connected in 0s")

		other := target("other")
		other.Addr = netip.MustParseAddrPort("10.0.0.2:80")
		b.engine.Set([]Target{target("web"), other})
		b.at(5500 * time.Millisecond)
		b.expect("5s other up: connected in 0s") // and nothing of web, which stayed up
		if n := b.net.dials(server); n != 3 {    // 0, 2, 4
			t.Errorf("web was probed %d times in 5.5 s, want 3: Set disturbed its rhythm", n)
		}

		slower := target("web")
		slower.Interval, slower.Fall = 500*time.Millisecond, 1
		b.engine.Set([]Target{slower})
		b.net.set(server, refusing)
		b.at(7 * time.Second)
		b.expect("6s web down: connection refused") // fall 1 counts, the verdict before was kept
		if got := len(b.engine.Snapshot()); got != 1 {
			t.Errorf("%d targets, want 1", got)
		}
		b.at(7900 * time.Millisecond)
		if n := b.net.dials(server); n != 7 { // 6, 6.5, 7, 7.5
			t.Errorf("web was probed %d times in 8 s, want 7", n)
		}
	})
}

func TestSetAnotherQuestionStartsAnew(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, open)
		b.engine.Set([]Target{target("web")})
		b.at(3 * time.Second)
		b.expect("2s web up: connected in 0s")
		web := target("web")
		web.Type, web.HTTP.URLs = TypeHTTP, []URL{{Path: "/healthz"}}
		b.engine.Set([]Target{web})
		if s := b.state("web"); s.Verdict != Unknown {
			t.Errorf("verdict %v after the question changed, want unknown", s.Verdict)
		}
		b.at(6 * time.Second)
		b.expect("5s web up: status 200 in 0s")
	})
}

func TestSetDropsProbesUnderWay(t *testing.T) {
	run(t, func(b *bed) {
		web := target("web")
		web.Timeout, web.Fall = 1500*time.Millisecond, 1
		b.net.set(server, silent)
		b.engine.Set([]Target{web})
		b.at(time.Second) // the first probe waits for its answer
		b.engine.Set(nil)
		synctest.Wait()
		b.net.mu.Lock()
		left := b.net.open[server]
		b.net.mu.Unlock()
		if left != 0 {
			t.Error("the probe of a dropped target was not given up")
		}
		b.at(10 * time.Second)
		b.expect()
		if n := b.net.dials(server); n != 1 {
			t.Errorf("a dropped target was probed %d times", n)
		}
	})
}

func TestSetTwiceOneID(t *testing.T) {
	run(t, func(b *bed) {
		other := target("web")
		other.Addr = netip.MustParseAddrPort("10.0.0.2:80")
		b.engine.Set([]Target{target("web"), other})
		b.at(time.Second)
		if b.net.dials(server) != 1 || b.net.dials("10.0.0.2:80") != 0 {
			t.Error("want only the first of two targets with one ID")
		}
	})
}

func TestLocalTroubleMovesNoVerdict(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, open)
		grpc := target("gopher")
		grpc.Type, grpc.Addr = "gopher", netip.MustParseAddrPort("10.0.0.9:80")
		b.engine.Set([]Target{target("web"), grpc})
		b.at(3 * time.Second)
		b.expect("2s web up: connected in 0s")
		b.net.set(server, exhausted)
		b.at(60 * time.Second)
		b.expect()
		s := b.state("web")
		if s.Verdict != Up || !strings.Contains(s.LastError, "too many open files") || !s.OK {
			t.Errorf("state %+v", s)
		}
		if s := b.state("gopher"); s.Verdict != Unknown || s.LastError != `not asked: this version has no check of type "gopher"` {
			t.Errorf("state %+v", s)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	run(t, func(b *bed) {
		var targets []Target
		for i := range 20 {
			x := target(fmt.Sprintf("t%02d", i))
			x.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}), 80)
			x.Fall = 1
			b.net.set(x.Addr.String(), silent)
			targets = append(targets, x)
		}
		b.engine.Set(targets)
		b.at(10 * time.Second) // 20 probes of 1 s, 3 at a time: 7 s for the first round
		if b.net.most != 3 {
			t.Errorf("%d probes at once, want 3", b.net.most)
		}
		downs := 0
		for _, s := range b.engine.Snapshot() {
			if s.Verdict == Down {
				downs++
			}
		}
		if downs != 20 {
			t.Errorf("%d of 20 are down", downs)
		}
		if !strings.Contains(b.log.String(), "probes come late") {
			t.Errorf("nothing in the log about late probes:\n%s", b.log.String())
		}
		b.engine.Set(targets[:1])
		b.at(20 * time.Second)
		if !strings.Contains(b.log.String(), "on time again") {
			t.Errorf("nothing in the log about the end of it:\n%s", b.log.String())
		}
	}, func(o *Options) { o.Concurrency = 3 })
}

func TestStartsAreSpread(t *testing.T) {
	run(t, func(b *bed) {
		var targets []Target
		for i := range 1000 {
			x := target(fmt.Sprint(i))
			x.Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
			targets = append(targets, x)
		}
		b.engine.Set(targets)
		b.at(time.Second)
		count := func() (n int) {
			for _, s := range b.engine.Snapshot() {
				if !s.Probed.IsZero() {
					n++
				}
			}
			return n
		}
		if n := count(); n < 400 || n > 600 {
			t.Errorf("%d of 1000 were probed in the first half of the interval, want about 500", n)
		}
		b.at(2 * time.Second)
		if n := count(); n != 1000 {
			t.Errorf("%d of 1000 were probed within the interval", n)
		}
	}, func(o *Options) { o.Jitter = nil })
}

func TestRunAgainGoesOn(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, open)
		b.engine.Set([]Target{target("web")})
		b.at(3 * time.Second)
		b.expect("2s web up: connected in 0s")
		if err := b.engine.Run(t.Context()); !errors.Is(err, ErrRunning) {
			t.Errorf("second Run: %v", err)
		}
		b.net.set(server, silent)
		b.at(4*time.Second + 500*time.Millisecond) // a probe is under way
		b.stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := b.net.dials(server); n != 3 {
			t.Errorf("%d probes, want 3: one went on after Run", n)
		}
		b.net.set(server, refusing)
		b.start()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		b.expect("1m8.5s web down: connection refused") // the third failure: 64.5, 66.5, 68.5 s
	})
}

func TestCallbackMaySet(t *testing.T) {
	var e *Engine
	run(t, func(b *bed) {
		e = b.engine
		b.net.set(server, open)
		e.Set([]Target{target("web")})
		b.at(10 * time.Second)
		if n := b.net.dials(server); n != 2 {
			t.Errorf("%d probes, want 2: the callback dropped the target at its first verdict", n)
		}
	}, func(o *Options) {
		o.OnTransition = func(Transition) {
			e.Set(nil)
			e.Snapshot()
		}
	})
}

func TestDefaults(t *testing.T) {
	run(t, func(b *bed) {
		b.engine.Set([]Target{{ID: "x", Type: TypeHTTP, Addr: netip.MustParseAddrPort(server)}})
		got := b.state("x").Target
		want := Target{
			ID: "x", Type: TypeHTTP, Addr: netip.MustParseAddrPort(server), Interval: 2 * time.Second, FastInterval: 2 * time.Second, Timeout: time.Second,
			Rise: 2, Fall: 3, HTTP: HTTP{URLs: []URL{{Path: "/", Method: "GET", Status: []StatusRange{{200, 299}}}}},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("defaults %+v, want %+v", got, want)
		}
	})
}
