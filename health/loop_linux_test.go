package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// both runs the body for each way to connect; they have to say the same.
func both(t *testing.T, body func(t *testing.T, o Options)) {
	t.Run("one loop", func(t *testing.T) { body(t, Options{}) })
	t.Run("a goroutine each", func(t *testing.T) { body(t, Options{Dial: dialTarget}) })
}

// engineOf runs an engine with the targets and hands its transitions to the test. Every file that it opened has to be closed again.
func engineOf(t *testing.T, o Options, targets ...Target) (*Engine, <-chan Transition) {
	t.Helper()
	for i := range targets {
		targets[i].ID, targets[i].Type, targets[i].Rise, targets[i].Fall = fmt.Sprint(i), TypeTCP, 1, 1
	}
	return engineFor(t, o, targets)
}

// engineFor is engineOf for targets that are what they are.
func engineFor(t *testing.T, o Options, targets []Target) (*Engine, <-chan Transition) {
	t.Helper()
	before := openFiles(t)
	transitions := make(chan Transition, 1000)
	o.OnTransition = func(tr Transition) { transitions <- tr }
	e := New(o)
	e.Set(targets)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for end := time.Now().Add(10 * time.Second); openFiles(t) > before; runtime.Gosched() { // the servers of the test close theirs by and by
			if time.Now().After(end) {
				t.Errorf("%d files are open after Run, %d before", openFiles(t), before)
				return
			}
		}
	})
	return e, transitions
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// full is the address of a server whose backlog is full: what else comes is not answered.
func full(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := addrPort(sa)
	for range 2 { // it takes one more than it says
		if c, err := net.DialTimeout("tcp", at.String(), 100*time.Millisecond); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	return at
}

func TestConnect(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		l6, err := net.Listen("tcp", "[::1]:0")
		if err != nil {
			t.Skip("this machine has no IPv6")
		}
		defer l6.Close()
		closes := make(chan error, 1000)
		accepts := listen(t, func(c net.Conn) {
			_, err := c.Read(make([]byte, 1))
			closes <- err
		})
		for _, c := range []struct {
			name   string
			addr   netip.AddrPort
			egress Egress
			up     bool
			want   string
		}{
			{"accepts", accepts, Egress{}, true, `ok: connected in [0-9.]+(µs|ms|s)`},
			{"accepts by IPv6", l6.Addr().(*net.TCPAddr).AddrPort(), Egress{}, true, `ok: connected in [0-9.]+(µs|ms|s)`},
			{"IPv4 in IPv6", netip.AddrPortFrom(netip.AddrFrom16(accepts.Addr().As16()), accepts.Port()), Egress{}, true, `ok: connected in .*`},
			{"from a source", accepts, Egress{Source: netip.MustParseAddr("127.0.0.77"), Interface: "lo"}, true, `ok: connected in .*`},
			{"refuses", closedPort(t), Egress{}, false, `connect: connection refused`},
			{"has a full queue", full(t), Egress{}, false, `no answer within 150ms`},
			{"is no host", netip.MustParseAddrPort("255.255.255.255:9"), Egress{}, false, `connect: (network is unreachable|permission denied)`},
		} {
			t.Run(c.name, func(t *testing.T) {
				whole := Target{Addr: c.addr, Egress: c.egress, Interval: 200 * time.Millisecond, Timeout: 10 * time.Second}
				if strings.Contains(c.want, "150ms") { // else a machine that stands still for as long would be taken for a server that does
					whole.Timeout = 150 * time.Millisecond
				}
				half := whole
				half.TCP.HalfOpen = true
				_, transitions := engineOf(t, o, whole, half)
				for range 2 {
					tr := <-transitions
					detail, err, want := tr.Detail, error(nil), c.want
					if !tr.Up {
						err = errors.New(tr.Detail)
					}
					if tr.ID == "1" {
						want = strings.Replace(want, "connected", `SYN\+ACK`, 1)
					}
					if wantText(t, detail, err, want); tr.Up != c.up {
						t.Errorf("%s: up %v, want %v", tr.ID, tr.Up, c.up)
					}
				}
			})
		}
		t.Run("resets", func(t *testing.T) { // which may be seen before it is looked whether it accepted
			at := listen(t, func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) })
			_, transitions := engineOf(t, o, Target{Addr: at, Interval: 50 * time.Millisecond, Timeout: 10 * time.Second})
			if tr := <-transitions; !tr.Up && tr.Detail != "connect: connection reset by peer" {
				t.Errorf("%+v", tr)
			}
		})
		if err := <-closes; err == nil || !strings.Contains(err.Error(), "EOF") {
			t.Errorf("the server saw %v, want an ordinary end", err)
		}
	})
}

// The program of a server does not see connections that are left half open, and sees all others.
func TestHalfOpen(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		for _, host := range []string{"127.0.0.1", "::1"} {
			l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Skipf("no listener at %s: %v", host, err)
			}
			defer l.Close()
			at := l.Addr().(*net.TCPAddr).AddrPort()
			for _, half := range []bool{true, false} {
				const probes = 5
				made, slow, passed := 0, 0, make(chan struct{}, 1000)
				o.OnProbe = func(p Probed) {
					made++
					if p.Took > 100*time.Millisecond { // this machine is so busy that its kernel may have completed the handshake
						slow++
					}
					if p.Result == Passed {
						passed <- struct{}{}
					}
				}
				ask := Target{Addr: at, Interval: 200 * time.Millisecond, Timeout: 10 * time.Second}
				ask.FastInterval, ask.TCP.HalfOpen = 20*time.Millisecond, half
				e, _ := engineOf(t, o, ask)
				for range probes {
					e.Hint("0")
					<-passed
				}
				e.Set(nil) // none is under way any more
				last, err := net.Dial("tcp", at.String())
				if err != nil {
					t.Fatal(err)
				}
				defer last.Close()
				seen := 0
				for ; ; seen++ { // they are accepted in the order in which they came
					c, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					if c.RemoteAddr().String() == last.LocalAddr().String() {
						break
					}
				}
				if half && seen > slow || !half && (seen < made || seen > made+1) { // one may have been given up
					t.Errorf("%s, half open %v: the server's program saw %d connections of %d probes, %d of which were slow", host, half, seen, made, slow)
				}
			}
		}
	})
}

// What is wrong with this machine moves no verdict, and is said.
func TestConnectNotAsked(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		at := listen(t, func(net.Conn) {})
		rhythm := Target{Addr: at, Interval: 50 * time.Millisecond, Timeout: 10 * time.Second}
		noSource, noLink := rhythm, rhythm
		noSource.Egress.Source, noLink.Egress.Interface = netip.MustParseAddr("192.0.2.77"), "no-such-link"
		e, transitions := engineOf(t, o, noSource, noLink, rhythm)
		if tr := <-transitions; tr.ID != "2" || !tr.Up {
			t.Fatalf("transition %+v", tr)
		}
		wait := func(id, want string) {
			t.Helper()
			for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
				for _, s := range e.Snapshot() {
					if s.Target.ID == id && s.LastError == want {
						return
					}
				}
				if time.Now().After(end) {
					t.Fatalf("%+v\nwant %q of %s", e.Snapshot(), want, id)
				}
			}
		}
		wait("0", "not asked: bind: cannot assign requested address")
		wait("1", "not asked: interface no-such-link: no such device")

		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
		low := limit
		low.Cur = 3 // those that are open stay so
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				t.Error(err)
			}
		}()
		wait("2", "not asked: socket: too many open files")
		if len(transitions) > 0 {
			t.Errorf("transition %+v", <-transitions)
		}
	})
}

// What is not wanted any more is closed at once, and what is wanted goes on when Run ends in the middle of it.
func TestConnectGivenUp(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		at := full(t)
		before := openFiles(t)
		targets := make([]Target, 100)
		for i := range targets {
			targets[i] = Target{Addr: at, Interval: time.Hour, Timeout: time.Hour}
		}
		o.Jitter = func(time.Duration) time.Duration { return 0 }
		e, transitions := engineOf(t, o, targets...)
		reach := func(want func(int) bool) {
			t.Helper()
			for end := time.Now().Add(10 * time.Second); !want(openFiles(t)); runtime.Gosched() {
				if time.Now().After(end) {
					t.Fatalf("%d files are open, %d before", openFiles(t), before)
				}
			}
		}
		reach(func(n int) bool { return n >= before+100 })
		e.Set(targets[:10])
		reach(func(n int) bool { return n < before+20 })
		e.Set(nil)
		reach(func(n int) bool { return n < before+10 })
		if len(transitions) > 0 {
			t.Errorf("transition %+v", <-transitions)
		}
		e.Set(targets) // under way when Run ends
		reach(func(n int) bool { return n >= before+100 })
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	at := full(t)
	before := openFiles(t)
	targets := make([]Target, 50)
	for i := range targets {
		targets[i] = Target{Addr: at, Interval: 100 * time.Millisecond, Timeout: 50 * time.Millisecond}
	}
	_, transitions := engineOf(t, Options{Connections: 5, Jitter: func(time.Duration) time.Duration { return 0 }}, targets...)
	for range targets { // each gets its turn
		if tr := <-transitions; tr.Up {
			t.Errorf("transition %+v", tr)
		}
		if n := openFiles(t); n > before+10 {
			t.Fatalf("%d files are open, %d before", n, before)
		}
	}
}

// A connection that a machine under load looks at too late has been answered in time.
func TestConnectLookedAtLate(t *testing.T) {
	l := newLoop(newHTTPProber(nil, nil), nil)
	defer l.close()
	k, o, ended := l.start(&entry{target: &Target{Type: TypeTCP, Addr: listen(t, func(net.Conn) {}), Timeout: time.Second}}, time.Now())
	if ended {
		t.Fatalf("it ended at once, so that nobody can look at it late: %+v", o)
	}
	for !k.answered() {
		runtime.Gosched()
	}
	got := l.late(nil, time.Now().Add(time.Hour))
	if len(got) != 1 || got[0].err != nil || len(l.open) != 0 || !l.deadline().IsZero() {
		t.Errorf("%+v", got)
	}
	k, _, _ = l.start(&entry{target: &Target{Type: TypeTCP, Addr: full(t), Timeout: time.Second}}, time.Now())
	if got := l.late(nil, k.deadline); len(got) != 1 || got[0].err.Error() != "no answer within 1s" {
		t.Errorf("%+v", got)
	}
}

// byLoop asks a target once as the loop of an engine does.
func byLoop(t testing.TB, target Target) (Answer, error) {
	t.Helper()
	web := probers(dialTarget, nil)[TypeHTTP].(httpProber)
	l := newLoop(web, slog.New(slog.DiscardHandler))
	if l == nil {
		t.Fatal("no loop")
	}
	defer l.close()
	e := &entry{target: &target}
	if target.Type == TypeHTTP {
		_, _ = e.questions.of(web, newVisit(&target, web.scheme())) // to compile an expression may take longer than the answer
	}
	k, o, ended := l.start(e, time.Now())
	for !ended {
		if long := l.takeLong(); long != nil {
			ctx, cancel := context.WithDeadline(t.Context(), k.deadline)
			defer cancel()
			c, err := l.release(k)
			if err != nil {
				t.Fatal(err)
			}
			return web.resume(ctx, k.visit, k.start, c, *k.question, k.unsent)
		}
		now := time.Now()
		out := l.late(nil, now)
		if len(out) == 0 {
			l.wait(l.deadline(), now, nil)
			out = l.finished(time.Now())
		}
		if ended = len(out) > 0; ended {
			o = out[0]
		}
	}
	if len(l.open) > 0 || len(l.earliest) > 0 {
		t.Errorf("%d connections are left", len(l.open))
	}
	return o.answer, o.err
}

// Where nobody listens a connection may meet itself.
func TestConnectMeetsItself(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	own, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := addrPort(own)
	if err := unix.Connect(fd, sockaddr(at)); err != nil {
		t.Fatal(err)
	}
	if err := (&call{fd: fd, target: &Target{Addr: at}}).result(); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("it is taken for a server: %v", err)
	}
}

// TestManyConnect has a descriptor used again and again while others are late, given up and refused.
func TestManyConnect(t *testing.T) {
	open, closed, silent := listen(t, func(net.Conn) {}), closedPort(t), full(t)
	var targets []Target
	for range 200 {
		for _, at := range []netip.AddrPort{open, closed, silent} {
			targets = append(targets, Target{Addr: at, Interval: 40 * time.Millisecond, Timeout: 20 * time.Millisecond})
		}
	}
	e, transitions := engineOf(t, Options{}, targets...)
	up, down := map[string]bool{}, map[string]bool{}
	for len(up)+len(down) < len(targets) {
		tr := <-transitions
		map[bool]map[string]bool{true: up, false: down}[tr.Up][tr.ID] = true
	}
	e.Set(targets[:300])
	e.Set(targets)
	for len(up)+len(down) < len(targets)+300 { // those that came again
		tr := <-transitions
		key := tr.ID + " again"
		map[bool]map[string]bool{true: up, false: down}[tr.Up][key] = true
	}
	if len(up) != 200+100 || len(down) != 400+200 {
		t.Errorf("%d are up and %d down, want 300 and 600", len(up), len(down))
	}
}

// Run ends also while something is always due.
func TestRunEndsUnderLoad(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		targets := make([]Target, 300)
		for i := range targets {
			targets[i] = Target{Addr: netip.MustParseAddrPort("127.0.0.1:9"), Egress: Egress{Interface: "no-such-link"}, Interval: time.Nanosecond}
		}
		e, _ := engineOf(t, o, targets...)
		for asked := 0; asked < len(targets); runtime.Gosched() { // each has its turn
			asked = 0
			for _, s := range e.Snapshot() {
				if s.LastError != "" {
					asked++
				}
			}
		}
	})
}
