package health

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// answering is a server that says what it is to say once it has read the request, and then waits for the other end to close.
func answering(t *testing.T, say func(c net.Conn)) func() Target {
	at := listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		say(c)
		_, _ = io.Copy(io.Discard, in)
	})
	return func() Target {
		return Target{Type: TypeHTTP, Addr: at, Interval: 400 * time.Millisecond, Timeout: 300 * time.Millisecond, Rise: 1, Fall: 1}
	}
}

// webVerdicts runs an engine with targets of which each has an ID of its own, and waits until each has a verdict: up, or why it is down.
func webVerdicts(t *testing.T, o Options, targets []Target) map[string]string {
	t.Helper()
	got := map[string]string{}
	_, transitions := engineFor(t, o, targets)
	for len(got) < len(targets) {
		select {
		case tr := <-transitions:
			if got[tr.ID] = tr.Detail; tr.Up {
				got[tr.ID] = "up"
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d have a verdict", len(got), len(targets))
		}
	}
	return got
}

// Long answers are left to goroutines, of which there are no more than there may be, and say what short ones would.
func TestLongAnswers(t *testing.T) {
	long := strings.Repeat("x", 40<<10)
	kinds := map[string]struct {
		say  func(c net.Conn)
		want string
	}{
		"short": {func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine") }, "up"},
		"long": {func(c net.Conn) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%sfine", len(long)+4, long)
		}, "up"},
		"chunked": {func(c net.Conn) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n4\r\nfine\r\n0\r\n\r\n", len(long), long)
		}, "up"},
		"other": {func(c net.Conn) { fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(long), long) }, `status 200, but the body does not contain "fine": it begins with`},
		"half":  {func(c net.Conn) { fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", 2*len(long), long) }, "status 200, but no complete body within 300ms"},
		"drips": {func(c net.Conn) { drip(c, "HTTP/1.1 200 OK\r\n"+strings.Repeat("a: b\r\n", 100)) }, "connected, but no HTTP answer within 300ms"},
		"early": {func(c net.Conn) {
			fmt.Fprint(c, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nfine")
			c.(*net.TCPConn).CloseWrite()
		}, "up"},
	}
	both(t, func(t *testing.T, o Options) {
		o.Concurrency = 4
		var targets []Target
		for name, kind := range kinds {
			web := answering(t, kind.say)
			for i := range 5 {
				x := web()
				x.ID = fmt.Sprint(name, " ", i)
				x.Timeout, x.Interval = 5*time.Second, 5*time.Second
				if strings.Contains(kind.want, "300ms") {
					x.Timeout = 300 * time.Millisecond
				}
				x.HTTP.URLs = []URL{{Body: Body{Contains: "fine"}}}
				targets = append(targets, x)
			}
		}
		o.Jitter = func(time.Duration) time.Duration { return 0 }
		for id, got := range webVerdicts(t, o, targets) {
			name, _, _ := strings.Cut(id, " ")
			// Those that wait for a goroutine while the silent ones have all of them may be late themselves: never well without reason.
			if want := kinds[name].want; !strings.HasPrefix(got, want) && !(strings.Contains(want, "300ms") && strings.Contains(got, "within 300ms")) {
				t.Errorf("%s: %s, want %s", id, got, want)
			}
		}
	})
}

// An expression that takes seconds holds up no loop, and ends with its check's time.
func TestExpressionOffTheLoop(t *testing.T) {
	body := strings.Repeat("x", 10_000)
	x := answering(t, func(c net.Conn) { fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body) })()
	x.Timeout, x.Interval = time.Second, 5*time.Second
	x.HTTP.URLs = []URL{{Body: Body{Regex: strings.Repeat("(.{0,900}y)?", 30) + "Q"}}} // seconds
	_, err := byLoop(t, x.withDefaults())
	wantText(t, "", err, `status 200, but regex .* was not through the 10000 bytes of the body when time was up .*`)
}

// What is given up in the middle of an answer is closed at once, and with Run.
func TestAnswersGivenUp(t *testing.T) {
	both(t, func(t *testing.T, o Options) {
		silent := answering(t, func(net.Conn) {})
		half := answering(t, func(c net.Conn) {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n%s", strings.Repeat("x", 30<<10))
		})
		var targets []Target
		for i := range 20 {
			x := map[bool]func() Target{true: silent, false: half}[i%2 == 0]()
			x.ID, x.Interval, x.Timeout = fmt.Sprint(i), time.Hour, time.Hour
			targets = append(targets, x)
		}
		o.Jitter = func(time.Duration) time.Duration { return 0 }
		before := openFiles(t)
		e, transitions := engineFor(t, o, targets)
		reach := func(want func(int) bool) {
			t.Helper()
			for end := time.Now().Add(10 * time.Second); !want(openFiles(t)); runtime.Gosched() {
				if time.Now().After(end) {
					t.Fatalf("%d files are open, %d before", openFiles(t), before)
				}
			}
		}
		reach(func(n int) bool { return n >= before+40 }) // both ends are of this process
		e.Set(targets[:2])
		reach(func(n int) bool { return n < before+15 })
		e.Set(targets)
		reach(func(n int) bool { return n >= before+40 })
		if len(transitions) > 0 {
			t.Errorf("transition %+v", <-transitions)
		}
	})
}
