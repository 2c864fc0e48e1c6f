package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// maxTalk bounds what is read of the answers of a protocol in one probe, in bytes. None of them has more to say to one that does not log in.
const maxTalk = 16 << 10

// conversation is a connection on which a prober asks and is answered. It ends with the probe's context, and at most maxTalk bytes are read of it.
type conversation struct {
	net.Conn
	in      *bufio.Reader
	limited *io.LimitedReader
	ctx     context.Context // the probe's, with which this ends
	target  Target
}

// converse dials the target. end closes the connection.
func converse(ctx context.Context, dial DialFunc, t Target) (v *conversation, end func(), err error) {
	c, err := connect(ctx, dial, "tcp", t)
	if err != nil {
		return nil, nil, err
	}
	stop := bound(ctx, c)
	v = newConversation(ctx, c, t)
	return v, func() {
		stop()
		_ = v.Close()
	}, nil
}

func newConversation(ctx context.Context, c net.Conn, t Target) *conversation {
	limited := &io.LimitedReader{R: c, N: maxTalk}
	return &conversation{Conn: c, in: bufio.NewReaderSize(limited, 512), limited: limited, ctx: ctx, target: t}
}

// line is the next line without its end.
func (v *conversation) line() (string, error) {
	var line []byte
	for {
		piece, err := v.in.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case err == nil:
			return strings.TrimRight(string(line), "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return string(line), err
		}
	}
}

// bytes are the next n bytes.
func (v *conversation) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(v.in, b)
	return b, err
}

// fault puts into words why what was waited for did not come. What is a noun with its article: "a greeting".
func (v *conversation) fault(err error, what string) error {
	switch {
	case v.limited.N <= 0:
		return fmt.Errorf("%s has no end within %d bytes", what, maxTalk)
	case timedOut(v.ctx, err):
		return fmt.Errorf("connected, but %s did not come within %v", what, v.target.Timeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("connection closed before %s", what)
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("connection lost before %s: %w", what, bare(err))
	default:
		return bare(err)
	}
}

// ask sends what is to be answered; a server that has answered and closed already is heard in spite of that.
func (v *conversation) ask(b []byte) { _, _ = v.Write(b) }

// passed says when all was well: "PONG in 2ms".
func passed(what string, start time.Time) string { return fmt.Sprintf("%s in %v", what, since(start)) }
