package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// desk is what one exchange needs of memory, used again for the next.
type desk struct {
	limited io.LimitedReader
	in      *bufio.Reader
	chunk   []byte
	text    []byte
}

func newDesk() *desk {
	return &desk{in: bufio.NewReaderSize(nil, 4<<10), chunk: make([]byte, 8<<10)}
}

// sit prepares the desk for what a connection says.
func (d *desk) sit(c io.Reader) {
	d.limited = io.LimitedReader{R: c, N: maxHeader}
	d.in.Reset(&d.limited)
}

// leave lets go of the connection, and of memory that was wanted for once.
func (d *desk) leave() {
	const keep = 32 << 10
	d.limited.R = nil
	d.in.Reset(nil)
	if d.text = d.text[:0]; cap(d.text) > keep {
		d.text = nil
	}
}

// listen reads the answer's header.
func (d *desk) listen(req *http.Request, writeErr error) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(d.in, req)
		if err != nil {
			return nil, noAnswer(err, writeErr, d.limited.N <= 0)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			d.limited.N = maxFrame + maxDigest + maxDigest/8 // a body is bounded by itself; chunks of it may be small
			return resp, nil
		}
		// 100, 102, 103 announce the answer (RFC 9110 section 15.2); it is still to come.
		_ = resp.Body.Close()
	}
}

// take is what an answer, or its error, comes to: it reads the body and says what is not as it should be, but for the status.
func (d *desk) take(ctx context.Context, page *Page, resp *http.Response, err error, q question, t Target) error {
	if err != nil {
		if timedOut(ctx, err) {
			return lateAnswer(t)
		}
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	page.Status, page.Location, page.ContentType = resp.StatusCode, location(resp), resp.Header.Get("Content-Type")
	rules := q.rules
	if !q.url.accepts(page.Status) {
		rules = bodyRules{}
	}
	err = d.read(page, resp.Body, rules)
	switch {
	case err != nil && timedOut(ctx, err):
		return fmt.Errorf("status %d, but no complete body within %v", page.Status, t.Timeout)
	case err != nil:
		return fmt.Errorf("status %d, but the body broke off after %d bytes: %w", page.Status, page.Size, bodyFault(err))
	}
	if err := rules.judge(ctx, *page); err != nil {
		return fmt.Errorf("status %d, but %w", page.Status, err)
	}
	page.text = nil
	return nil
}

// maxFrame is what a body may have around it besides, in bytes.
const maxFrame = 64 << 10

// noAnswer says why there was no response to read.
func noAnswer(err, writeErr error, full bool) error {
	if full {
		return fmt.Errorf("not a usable HTTP answer: its header is longer than %d bytes", maxHeader)
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

func lateAnswer(t Target) error {
	return fmt.Errorf("connected, but no HTTP answer within %v", t.Timeout)
}

// replay is what an answer comes to of which this much was said, and then its end; nil = more is to come. whole is false when that has to be waited for.
func (d *desk) replay(said []byte, end, writeErr error, q question, t Target) (page Page, err error, whole bool) {
	r := replay{said, end, false}
	d.sit(&r)
	defer d.leave()
	ctx := context.Background()
	if end == os.ErrDeadlineExceeded { // which the library takes for the end of half a line
		over, cancel := context.WithDeadline(ctx, time.Unix(1, 0))
		defer cancel()
		ctx = over
	}
	resp, err := d.listen(q.req, writeErr)
	err = d.take(ctx, &page, resp, err, q, t)
	return page, err, !r.starved
}

// replay is a reader of what has come so far.
type replay struct {
	said    []byte
	end     error // after it; nil = more is to come
	starved bool  // more was asked for than has come
}

// errMore is the end of what has come so far.
var errMore = errors.New("more is to come")

// Read implements io.Reader.
func (r *replay) Read(b []byte) (int, error) {
	switch {
	case len(r.said) > 0:
		n := copy(b, r.said)
		r.said = r.said[n:]
		return n, nil
	case r.end != nil:
		return 0, r.end
	}
	r.starved = true
	return 0, errMore
}
