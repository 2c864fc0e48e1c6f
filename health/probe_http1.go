package health

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// desk is what one exchange needs of memory, used again for the next.
type desk struct {
	out     bytes.Buffer
	limited io.LimitedReader
	in      *bufio.Reader
	chunk   []byte
	text    []byte
}

func newDesk() *desk {
	return &desk{in: bufio.NewReaderSize(nil, 4<<10), chunk: make([]byte, 8<<10)}
}

// sit prepares the desk for a connection.
func (d *desk) sit(c net.Conn) {
	d.limited = io.LimitedReader{R: c, N: maxHeader}
	d.in.Reset(&d.limited)
	d.out.Reset()
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

// exchange writes the request and reads the answer's header.
func (d *desk) exchange(c net.Conn, req *http.Request) (*http.Response, error) {
	if err := req.Write(&d.out); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAsked, err)
	}
	// A server may answer before it has read everything, and close: what it said counts more than the failed write.
	_, writeErr := c.Write(d.out.Bytes())
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
