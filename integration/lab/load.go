package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Request is one HTTP request of a [Load].
type Request struct {
	At     Instant       `json:"at"`               // when it was started
	Took   time.Duration `json:"took"`             // until the answer was read or the error known
	Server string        `json:"server,omitempty"` // the name that answered
	Err    string        `json:"err,omitempty"`
}

// Load is a client that sends HTTP requests at a fixed rate, each on a new connection. The rate is open loop: a request
// is sent when its time has come, whether earlier ones were answered or not, so that a stall costs as many requests as
// fall into it.
type Load struct {
	*Process
	Timeout time.Duration
	Started Instant

	mu       sync.Mutex
	requests []Request // in the order in which they ended
}

// loadSettings is what a client is started with.
type loadSettings struct {
	Target  netip.AddrPort `json:"target"`
	Rate    int            `json:"rate"` // per second
	Timeout time.Duration  `json:"timeout"`
}

// maxRequests bounds what a Load remembers; the oldest quarter is forgotten when it is full.
const maxRequests = 1 << 20

// StartLoad starts a client on the host: rate requests per second to target, each given timeout.
func (h *Host) StartLoad(ctx context.Context, target netip.AddrPort, rate int, timeout time.Duration) (*Load, error) {
	if rate < 1 || rate > 10000 || timeout <= 0 {
		return nil, fmt.Errorf("load of %d requests/s with timeout %v: want 1 to 10000 and a positive timeout", rate, timeout)
	}
	l := &Load{Timeout: timeout}
	p, err := h.startRole(ctx, "load", loadSettings{target, rate, timeout}, Program{Name: "load", Lines: l.record})
	if err != nil {
		return nil, err
	}
	l.Process, l.Started = p, Now()
	return l, nil
}

func (l *Load) record(line []byte) {
	var r Request
	if err := json.Unmarshal(line, &r); err != nil {
		return // cut off by the end of the process
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.requests) >= maxRequests {
		l.requests = slices.Delete(l.requests, 0, maxRequests/4)
	}
	l.requests = append(l.requests, r)
}

// Settle waits until every request that was started before now is answered or has failed.
func (l *Load) Settle(ctx context.Context) error {
	select {
	case <-time.After(l.Timeout + 100*time.Millisecond):
		return nil
	case <-l.Done():
		return errors.New("the client has ended: " + strings.TrimSpace(l.Output()))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Finish starts no more requests, and waits until those that are under way are answered or have failed.
func (l *Load) Finish(ctx context.Context) error {
	if err := syscall.Kill(l.PID(), syscall.SIGTERM); err != nil {
		return fmt.Errorf("end the client on %s: %w", l.Host().Name, err)
	}
	return l.Wait(ctx)
}

// Summary of the requests that were started in the window. Settle first, or late ones are missing.
func (l *Load) Summary(window Span) Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	return summarize(l.requests, window)
}

// Failures are the requests started in the window that failed. Settle first, or late ones are missing.
func (l *Load) Failures(window Span) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.requests), func(r Request) bool {
		return r.Err == "" || r.At < window.From || r.At >= window.To
	})
}

// loadRole is the client's process: one JSON line per request.
func loadRole(ctx context.Context, args []string) error {
	var s loadSettings
	if err := roleSettings(args, &s); err != nil {
		return err
	}
	fmt.Println(readyLine)
	done := make(chan Request, 1024)
	var writer, running sync.WaitGroup
	writer.Go(func() { writeRequests(done) })
	interval := time.Second / time.Duration(s.Rate)
	start := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(i) * interval)))
		running.Go(func() { done <- s.request(context.WithoutCancel(ctx)) }) // what was begun is ended: see [Load.Finish]
	}
	running.Wait()
	close(done)
	writer.Wait()
	return nil
}

// writeRequests flushes whenever nothing is waiting, so that the reader is never far behind.
func writeRequests(done <-chan Request) {
	out := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(out)
	for r := range done {
		if enc.Encode(r) != nil || len(done) == 0 && out.Flush() != nil {
			return // nobody reads any more
		}
	}
	_ = out.Flush()
}

// request makes one request and reads the answer whole.
func (s loadSettings) request(ctx context.Context) Request {
	r := Request{At: Now()}
	server, err := s.get(ctx)
	r.Took, r.Server = Since(r.At), server
	if err != nil {
		r.Err = err.Error()
	}
	return r
}

func (s loadSettings) get(ctx context.Context) (server string, err error) {
	deadline := time.Now().Add(s.Timeout)
	dialer := net.Dialer{Deadline: deadline}
	conn, err := dialer.DialContext(ctx, "tcp", s.Target.String())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", s.Target); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 256))
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s", resp.Status)
	}
	return string(body), nil
}
