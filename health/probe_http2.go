package health

//lint:file-ignore SA1019 net/http takes no connection that is dialled already; this does, until it does

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
)

// window is how much of a body a server may send before it is read, by HTTP/2: the least that the protocol has for a connection.
const window = 64 << 10

// transport2 speaks HTTP/2 on connections that are given to it.
type transport2 = http2.Transport

// newTransport2 is the library's HTTP/2 for connections that are given to it. It opens none, and keeps none.
func newTransport2() *transport2 {
	two, err := http2.ConfigureTransports(&http.Transport{
		DisableCompression: true, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerConnection: window, MaxReceiveBufferPerStream: window},
	})
	if err != nil {
		panic("health: " + err.Error()) // of a transport that has HTTP/2 already
	}
	two.MaxHeaderListSize = maxHeader
	return two
}

// exchange2 asks by HTTP/2: over TLS, when the server has chosen it, else by prior knowledge. done ends what it has started and may be called
// when the body has been read.
func (p httpProber) exchange2(ctx context.Context, c net.Conn, req *http.Request) (resp *http.Response, done func(), err error) {
	if s, ok := c.(*tls.Conn); ok && s.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
		return nil, nil, errors.New("the server does not speak HTTP/2: it has not chosen h2 by ALPN")
	}
	m := &metered{Conn: c}
	m.left.Store(maxHeader + 2*window + maxFrame)
	cc, err := p.two.NewClientConn(m)
	if err != nil {
		return nil, nil, m.fault(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	done = func() {
		cancel()
		_ = cc.Close()
	}
	resp, err = cc.RoundTrip(req.WithContext(ctx))
	if err != nil {
		done()
		return nil, nil, m.fault(err)
	}
	resp.Body = paid{resp.Body, m}
	return resp, done, nil
}

// fault is what was wrong with a connection by HTTP/2.
func (m *metered) fault(err error) error {
	text := strings.TrimPrefix(strings.TrimPrefix(bare(err).Error(), "http2: "), "Transport ")
	if strings.HasPrefix(m.began(), "HTTP/1.") {
		return errors.New("not an HTTP/2 answer, but one by HTTP/1.1: leave version out")
	}
	if err := m.opening.fault(); err != nil {
		return err
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, errTooMuch):
		return fmt.Errorf("not a usable HTTP/2 answer: %w", errTooMuch)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), strings.Contains(text, "client conn"): // it was gone before it was asked
		return errors.New("connection closed without an HTTP/2 answer")
	case strings.Contains(text, "response header list larger"):
		return fmt.Errorf("not a usable HTTP/2 answer: its header is longer than %d bytes", maxHeader)
	}
	if refused := alertFault(err); refused != nil {
		return refused
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("connection lost before an HTTP/2 answer: %w", op.Err)
	}
	return fmt.Errorf("not an HTTP/2 answer: %s", text)
}

// errTooMuch is the end of a connection on which nothing but frames came.
var errTooMuch = errors.New("the server sent more than an answer may have")

// metered is a connection that ends after so many bytes, whatever they are: frames that say nothing have no other bound but the time. What is read of
// the body gives it more.
type metered struct {
	net.Conn
	opening
	left atomic.Int64
}

func (m *metered) Read(b []byte) (int, error) {
	left := m.left.Load()
	if left <= 0 {
		return 0, errTooMuch
	}
	n, err := m.Conn.Read(b[:min(int64(len(b)), left)])
	m.left.Add(-int64(n))
	m.note(b[:n])
	return n, err
}

// opening is what a server begins with by HTTP/2: the head of its first frame, or what came in its place. Several goroutines may use it. What
// net/http says of a server that speaks something else depends on whether it has read that before it asks, or after.
type opening struct {
	mu   sync.Mutex
	head []byte
}

// frameHead is the length of what each frame begins with, whose fourth byte is its type (RFC 9113 section 4.1). The first is SETTINGS (section 3.4).
const frameHead = 9

// note takes what has been read.
func (o *opening) note(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.head = append(o.head, b[:min(len(b), frameHead-len(o.head))]...)
}

// began says how the server began, when that is not by HTTP/2; "" = it did not, or nothing came.
func (o *opening) began() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.head) == 0 || len(o.head) > 3 && http2.FrameType(o.head[3]) == http2.FrameSettings {
		return ""
	}
	return string(o.head)
}

// fault is what is wrong with it, if something is.
func (o *opening) fault() error {
	if began := o.began(); began != "" {
		return fmt.Errorf("not an HTTP/2 answer: it began with %q", began)
	}
	return nil
}

// Close closes without the alert that ends TLS: to send it could take seconds where the server reads nothing.
func (m *metered) Close() error {
	if s, ok := m.Conn.(*tls.Conn); ok {
		return s.NetConn().Close()
	}
	return m.Conn.Close()
}

// paid is a body whose bytes allow its connection as many more, and the frames around them.
type paid struct {
	io.ReadCloser
	meter *metered
}

func (p paid) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	p.meter.left.Add(int64(n) + int64(n)/8)
	return n, err
}
