package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ask probes a real address once, as the engine does; but time begins to run when the connection stands, so that what the probe says of a server that is silent does not
// depend on whether this machine stood still before.
func ask(t *testing.T, target Target) (string, error) {
	t.Helper()
	if target.Timeout == 0 {
		target.Timeout = 10 * time.Second
	}
	target = target.withDefaults()
	ctx := deadline{t.Context(), make(chan struct{})}
	up := sync.OnceFunc(func() { close(ctx.up) })
	defer up()
	defer time.AfterFunc(30*time.Second, up).Stop() // for one that never stands
	begin := sync.OnceFunc(func() { time.AfterFunc(target.Timeout, up) })
	dial := func(ctx context.Context, network string, x Target) (net.Conn, error) {
		c, err := dialTarget(ctx, network, x)
		if err == nil {
			begin()
		}
		return c, err
	}
	a, err := probers(dial, nil)[target.Type].Probe(ctx, target)
	return a.Detail, err
}

// deadline is a context whose deadline passes when its channel is closed.
type deadline struct {
	context.Context
	up chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.up }

func (d deadline) Err() error {
	select {
	case <-d.up:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// askBoth asks by both ways, which have to say the same.
func askBoth(t *testing.T, target Target) (string, error) {
	t.Helper()
	detail, err := ask(t, target)
	if target = target.withDefaults(); target.Type == TypeHTTP && target.loops() {
		b, err2 := byLoop(t, target)
		if one, two := timeless(detail, err), timeless(b.Detail, err2); one != two {
			t.Errorf("a goroutine says %s\nthe loop says     %s", one, two)
		}
	}
	return detail, err
}

// timeless is what a probe says but for how long it took.
func timeless(detail string, err error) string {
	if err != nil {
		return err.Error()
	}
	return regexp.MustCompile(`in [0-9.]+(µs|ms|s)`).ReplaceAllString(detail, "in a while")
}

// wantText matches the outcome of a probe with a pattern that holds for the whole text; "ok: " before it means success.
func wantText(t *testing.T, detail string, err error, pattern string) {
	t.Helper()
	got := "ok: " + detail
	if err != nil {
		got = err.Error()
	}
	if !regexp.MustCompile("^(?:" + pattern + ")$").MatchString(got) {
		t.Errorf("got  %s\nwant %s", got, pattern)
	}
}

// listen serves each connection on loopback with handle until the test ends, and waits for the handlers.
func listen(t *testing.T, handle func(c net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// closedPort is an address at which nobody listens by TCP until the test ends: a socket that does not has it, and no other process can.
func closedPort(t *testing.T) netip.AddrPort {
	t.Helper()
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(at.(*syscall.SockaddrInet4).Port))
}

func TestTCPProbe(t *testing.T) {
	sawEOF := make(chan error, 1)
	open := listen(t, func(c net.Conn) {
		_, err := c.Read(make([]byte, 1))
		sawEOF <- err
	})
	detail, err := ask(t, Target{Type: TypeTCP, Addr: open})
	wantText(t, detail, err, `ok: connected in [0-9.]+(µs|ms|s)`)
	if err := <-sawEOF; err != io.EOF {
		t.Errorf("the server saw %v, want an ordinary end", err)
	}

	detail, err = ask(t, Target{Type: TypeTCP, Addr: closedPort(t)})
	wantText(t, detail, err, `connect: connection refused`)
}

func TestHTTPProbe(t *testing.T) {
	const short = 100 * time.Millisecond
	// raw answers with bytes, then closes; after a wait it reads until the prober hangs up.
	raw := func(answer string, wait bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = buf.WriteString(answer)
			_ = buf.Flush()
			if wait {
				_, _ = io.Copy(io.Discard, c)
			}
		}
	}
	seen := make(chan *http.Request, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "fine") })
	mux.HandleFunc("/seen", func(w http.ResponseWriter, r *http.Request) { seen <- r.Clone(context.Background()) })
	mux.HandleFunc("/503", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	mux.HandleFunc("/204", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	mux.Handle("/redirect", http.RedirectHandler("/ok", http.StatusFound))
	mux.HandleFunc("/silent", raw("", true))
	mux.HandleFunc("/hangup", raw("", false))
	mux.HandleFunc("/garbage", raw("SSH-2.0-OpenSSH_9.9\r\n\x00\xff", false))
	mux.HandleFunc("/garbage-header", raw("HTTP/1.1 200 OK\r\n\x01\xfe no colon here\r\n\r\n", false))
	mux.HandleFunc("/half-header", raw("HTTP/1.1 200 OK\r\nContent-Le", true))
	mux.HandleFunc("/broken-body", raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.", false))
	mux.HandleFunc("/early", raw("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false))
	mux.HandleFunc("/endless-header", raw("HTTP/1.1 200 OK\r\nA: "+strings.Repeat("a", 2*maxHeader), false))
	mux.HandleFunc("/endless-body", func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	addr := netip.MustParseAddrPort(srv.Listener.Addr().String())

	for _, c := range []struct {
		path   string
		status []StatusRange
		want   string
	}{
		{"/ok", nil, `ok: status 200 in [0-9.]+(µs|ms|s)`},
		{"/ok?verbose=1", nil, `ok: status 200 in .*`},
		{"/early", nil, `ok: status 200 in .*`},
		{"/endless-body", nil, `ok: status 200 in .*`},
		{"/503", nil, `status 503, want 200-299`},
		{"/503", []StatusRange{{200, 204}, {503, 503}}, `ok: status 503 in .*`},
		{"/204", []StatusRange{{200, 200}, {301, 302}}, `status 204, want 200, 301-302`},
		{"/redirect", nil, `status 302, want 200-299 \(redirects are not followed\)`},
		{"/silent", nil, `connected, but no HTTP answer within 100ms`},
		{"/half-header", nil, `connected, but no HTTP answer within 100ms`},
		{"/broken-body", nil, `status 200, but the body broke off after 5 bytes: unexpected EOF`},
		{"/hangup", nil, `connection closed without an HTTP answer`},
		{"/garbage", nil, `not an HTTP answer: malformed HTTP response "SSH-2.0-OpenSSH_9.9"`},
		{"/garbage-header", nil, `not an HTTP answer: malformed MIME header.*`},
		{"/endless-header", nil, `not a usable HTTP answer: its header is longer than 65536 bytes`},
		{"no-slash", nil, `not asked: path "no-slash" does not begin with a slash`},
		{"/%zz", nil, `not asked: path "/%zz": .*invalid URL escape.*`},
	} {
		t.Run(strings.Trim(c.path, "/"), func(t *testing.T) {
			timeout := 10 * time.Second
			if strings.Contains(c.want, "100ms") {
				timeout = short
			}
			detail, err := askBoth(t, Target{Type: TypeHTTP, Addr: addr, Timeout: timeout, Interval: timeout, HTTP: HTTP{URLs: []URL{{Path: c.path, Status: c.status}}}})
			wantText(t, detail, err, c.want)
		})
	}

	t.Run("request", func(t *testing.T) {
		_, err := ask(t, Target{Type: TypeHTTP, Addr: addr, HTTP: HTTP{URLs: []URL{{Path: "/seen?a=b", Host: "www.example.org"}}}})
		if err != nil {
			t.Fatal(err)
		}
		r := <-seen
		if r.Method != "GET" || r.Host != "www.example.org" || r.RequestURI != "/seen?a=b" || !r.Close || r.UserAgent() != "quorate" {
			t.Errorf("the server saw %s %s of %s, close %v, from %q", r.Method, r.RequestURI, r.Host, r.Close, r.UserAgent())
		}
		if _, err := ask(t, Target{Type: TypeHTTP, Addr: addr, HTTP: HTTP{URLs: []URL{{Path: "/seen"}}}}); err != nil {
			t.Fatal(err)
		}
		if r := <-seen; r.Host != addr.String() {
			t.Errorf("Host %q, want the address", r.Host)
		}
	})
}

// What is wrong with a later URL, or where a redirect leads, is said as of the first.
func TestHTTPProbeLater(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {})
	mux.Handle("/redirect", http.RedirectHandler("/hangup", http.StatusFound))
	mux.HandleFunc("/hangup", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("/silent", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	for path, want := range map[string]string{
		"/hangup":   `/hangup: connection closed without an HTTP answer`,
		"/redirect": `/redirect: connection closed without an HTTP answer`,
		"/silent":   `/silent: connected, but no HTTP answer within 1s`,
		"/ok":       `ok: status 200, 200 in .*`,
	} {
		timeout := 10 * time.Second
		if path == "/silent" {
			timeout = time.Second // for the URL before it, too
		}
		detail, err := askBoth(t, Target{
			Type: TypeHTTP, Addr: netip.MustParseAddrPort(srv.Listener.Addr().String()), Interval: timeout, Timeout: timeout,
			HTTP: HTTP{Redirects: 3, URLs: []URL{{Path: "/ok"}, {Path: path}}},
		})
		wantText(t, detail, err, want)
	}
}

func TestHTTPProbeRefused(t *testing.T) {
	detail, err := askBoth(t, Target{Type: TypeHTTP, Addr: closedPort(t)})
	wantText(t, detail, err, `connect: connection refused`)
}

func TestHTTPProbeReset(t *testing.T) {
	addr := listen(t, func(c net.Conn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_ = c.(*net.TCPConn).SetLinger(0)
	})
	detail, err := askBoth(t, Target{Type: TypeHTTP, Addr: addr})
	wantText(t, detail, err, `connection lost before an HTTP answer: read: connection reset by peer`)
}

// TestEveryProbeConnectsAnew is on a real server, where a client that keeps connections could.
func TestEveryProbeConnectsAnew(t *testing.T) {
	var mu sync.Mutex
	accepted := 0
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			accepted++
			mu.Unlock()
		}
	}
	srv.Start()
	defer srv.Close()
	for range 3 {
		if _, err := ask(t, Target{Type: TypeHTTP, Addr: netip.MustParseAddrPort(srv.Listener.Addr().String())}); err != nil {
			t.Fatal(err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if accepted != 3 {
		t.Errorf("%d connections for 3 probes", accepted)
	}
}

// TestEngineOnLoopback is the whole package on a real server, in real time.
func TestEngineOnLoopback(t *testing.T) {
	var mu sync.Mutex
	status := 200
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(status)
	}))
	defer srv.Close()
	transitions := make(chan Transition, 10)
	e := New(Options{OnTransition: func(tr Transition) { transitions <- tr }})
	e.Set([]Target{{
		ID: "web", Type: TypeHTTP, Addr: netip.MustParseAddrPort(srv.Listener.Addr().String()),
		Interval: 10 * time.Millisecond, Timeout: 10 * time.Second, Rise: 2, Fall: 2,
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	if tr := <-transitions; !tr.Up || tr.ID != "web" {
		t.Errorf("first transition %+v", tr)
	}
	mu.Lock()
	status = 500
	mu.Unlock()
	if tr := <-transitions; tr.Up || tr.Detail != "status 500, want 200-299" {
		t.Errorf("second transition %+v", tr)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWordsOfErrors(t *testing.T) {
	addr := netip.MustParseAddrPort("10.0.0.1:80")
	for _, c := range []struct {
		err   error
		want  string
		local bool
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: &syscallError{"connect", syscall.ECONNREFUSED}}, "connect: connection refused", false},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &syscallError{"connect", syscall.EHOSTUNREACH}}, "connect: no route to host", false},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &syscallError{"connect", syscall.ETIMEDOUT}}, "connect: connection timed out", false},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &syscallError{"socket", syscall.EMFILE}}, "not asked: socket: too many open files", true},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &syscallError{"connect", syscall.EADDRNOTAVAIL}}, "not asked: connect: cannot assign requested address", true},
		{&net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded}, "no answer within 1s", false},
		{errors.New("strange"), "strange", false},
	} {
		_, err := connect(t.Context(), func(context.Context, string, Target) (net.Conn, error) { return nil, c.err }, "tcp", Target{Addr: addr, Timeout: time.Second})
		if err.Error() != c.want || errors.Is(err, ErrNotAsked) != c.local {
			t.Errorf("%v became %q (not asked: %v), want %q", c.err, err, errors.Is(err, ErrNotAsked), c.want)
		}
	}
}

// syscallError is os.SyscallError with its fields in order.
type syscallError struct {
	call string
	err  syscall.Errno
}

func (e *syscallError) Error() string { return e.call + ": " + e.err.Error() }
func (e *syscallError) Unwrap() error { return e.err }

func TestTidy(t *testing.T) {
	if got := tidy("a\x00b\xffc\r\nd é"); got != "a.b.c..d é" {
		t.Errorf("tidy: %q", got)
	}
	long := tidy(strings.Repeat("é", 300))
	if len(long) > maxDetail || !strings.HasSuffix(long, "é…") {
		t.Errorf("tidy of a long text: %d bytes, %q", len(long), long)
	}
}
