package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// maxAnswer bounds what is read of one answer, in bytes: status line, header and body together. A longer body is cut off
// there and counts as read.
const maxAnswer = 64 << 10

// httpProber asks with one GET on a connection of its own.
//
// It writes the request and reads the answer itself instead of using http.Client: each probe has to prove that the server
// still accepts connections, follow no redirect (where that leads is another server's health), obey no proxy setting and
// leave no goroutine behind, and the errors have to say how far the server came.
type httpProber struct {
	dial   DialFunc
	secure *tlsClients // nil = it speaks no TLS
}

// Inspect implements inspector.
func (p httpProber) Inspect(t Target) error {
	if p.secure == nil {
		return nil
	}
	return inspectTLS(t)
}

func (p httpProber) Probe(ctx context.Context, t Target) (Answer, error) {
	req, err := request(ctx, t)
	if err != nil {
		return Answer{}, err
	}
	start := time.Now()
	c, err := connect(ctx, p.dial, "tcp", t)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = c.Close() }()
	defer bound(ctx, c)()
	if p.secure != nil {
		conn, err := p.secure.client(ctx, c, t, hostOf(t.HTTP.Host))
		if err != nil {
			return Answer{}, err
		}
		c = conn
	}
	status, err := exchange(c, req)
	if err != nil {
		if timedOut(ctx, err) {
			return Answer{}, late(status, t.Timeout)
		}
		return Answer{}, err
	}
	if !t.HTTP.accepts(status) {
		return Answer{}, refusal(status, t.HTTP)
	}
	return Answer{Detail: fmt.Sprintf("status %d in %v", status, since(start))}, nil
}

// hostOf is the host of a Host header, which may have a port.
func hostOf(header string) string {
	if host, _, err := net.SplitHostPort(header); err == nil {
		return host
	}
	return strings.Trim(header, "[]")
}

// request is the GET, on its way to the target's address whatever the Host header says.
func request(ctx context.Context, t Target) (*http.Request, error) {
	if !strings.HasPrefix(t.HTTP.Path, "/") {
		return nil, fmt.Errorf("%w: path %q does not begin with a slash", ErrNotAsked, t.HTTP.Path)
	}
	// A zone is this machine's name for a link and means nothing to the server.
	authority := netip.AddrPortFrom(t.Addr.Addr().WithZone(""), t.Addr.Port())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+authority.String()+t.HTTP.Path, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: path %q: %w", ErrNotAsked, t.HTTP.Path, err)
	}
	if t.HTTP.Host != "" {
		req.Host = t.HTTP.Host
	}
	req.Close = true
	req.Header.Set("User-Agent", "quorate")
	req.Header.Set("Accept", "*/*")
	return req, nil
}

// exchange writes the request and reads the answer up to maxAnswer. The status is set as soon as it is known, also when
// the rest fails.
func exchange(c net.Conn, req *http.Request) (status int, err error) {
	// A server may answer before it has read everything, and close: what it said counts more than the failed write.
	writeErr := req.Write(c)
	limited := &io.LimitedReader{R: c, N: maxAnswer}
	r := bufio.NewReader(limited)
	var resp *http.Response
	for {
		resp, err = http.ReadResponse(r, req)
		if err != nil {
			return 0, noAnswer(err, writeErr, limited.N <= 0)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			break
		}
		// 100, 102, 103 announce the answer (RFC 9110 section 15.2); it is still to come.
		_ = resp.Body.Close()
	}
	n, err := io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err != nil && limited.N > 0 {
		return resp.StatusCode, fmt.Errorf("status %d, but the body broke off after %d bytes: %w", resp.StatusCode, n, bare(err))
	}
	return resp.StatusCode, nil
}

// noAnswer says why there was no response to read.
func noAnswer(err, writeErr error, full bool) error {
	if full {
		return fmt.Errorf("not a usable HTTP answer: its header is longer than %d bytes", maxAnswer)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("connection closed without an HTTP answer")
	}
	if refused := alertFault(err); refused != nil {
		return refused
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("connection lost before an HTTP answer: %w", op.Err)
	}
	if writeErr != nil {
		return fmt.Errorf("request not taken: %w", bare(writeErr))
	}
	return fmt.Errorf("not an HTTP answer: %w", err)
}

// late says how far the server had come when time ran out.
func late(status int, timeout time.Duration) error {
	if status == 0 {
		return fmt.Errorf("connected, but no HTTP answer within %v", timeout)
	}
	return fmt.Errorf("status %d, but no complete body within %v", status, timeout)
}

func refusal(status int, h HTTP) error {
	if status >= 300 && status < 400 {
		return fmt.Errorf("status %d, want %s (redirects are not followed)", status, h.wanted())
	}
	return fmt.Errorf("status %d, want %s", status, h.wanted())
}
