package simnet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// window bounds what may be under way in one direction of a stream.
const window = 1 << 20

// pipe is one direction of a stream.
type pipe struct {
	net *Net
	way way

	mu      sync.Mutex
	chunks  []chunk
	size    int
	eof     bool  // the writer closed
	rerr    error // what the reader gets instead of data
	werr    error // what the writer gets
	changed chan struct{}
}

type chunk struct {
	data []byte
	sent time.Time
}

func newPipe(n *Net, w way) *pipe { return &pipe{net: n, way: w, changed: make(chan struct{})} }

func (p *pipe) ring() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// fail ends the pipe: what its writer and its reader get from now on; nil leaves that side as it is.
func (p *pipe) fail(writer, reader error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if writer != nil && p.werr == nil {
		p.werr = writer
	}
	if reader != nil && p.rerr == nil {
		p.rerr = reader
	}
	p.ring()
}

func (p *pipe) closeWrite() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.eof = true
	p.werr = net.ErrClosed
	p.ring()
}

// ready is when the first chunk arrives; p.mu is held. ok is false while the way is cut.
func (p *pipe) ready() (time.Time, bool) {
	since, open := p.net.open(p.way)
	if !open {
		return time.Time{}, false
	}
	at := p.chunks[0].sent.Add(p.net.streamDelay(p.way))
	if since.After(p.chunks[0].sent) {
		if again := since.Add(retransmit); again.After(at) {
			at = again
		}
	}
	return at, true
}

func (p *pipe) read(b []byte, deadline func() (time.Time, <-chan struct{})) (int, error) {
	for {
		until, moved := deadline()
		topology := p.net.wake()
		p.mu.Lock()
		if p.rerr != nil {
			defer p.mu.Unlock()
			return 0, p.rerr
		}
		if !until.IsZero() && !time.Now().Before(until) {
			p.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		wait := until
		if len(p.chunks) > 0 {
			if at, ok := p.ready(); ok {
				if !time.Now().Before(at) {
					defer p.mu.Unlock()
					return p.take(b), nil
				}
				if wait.IsZero() || at.Before(wait) {
					wait = at
				}
			}
		} else if p.eof {
			if _, open := p.net.open(p.way); open {
				p.mu.Unlock()
				return 0, io.EOF
			}
		}
		changed := p.changed
		p.mu.Unlock()
		sleep(wait, changed, moved, topology)
	}
}

func (p *pipe) take(b []byte) int {
	n := copy(b, p.chunks[0].data)
	if p.chunks[0].data = p.chunks[0].data[n:]; len(p.chunks[0].data) == 0 {
		p.chunks = p.chunks[1:]
	}
	p.size -= n
	p.ring()
	return n
}

func (p *pipe) write(b []byte, deadline func() (time.Time, <-chan struct{})) (int, error) {
	done := 0
	for {
		until, moved := deadline()
		p.mu.Lock()
		switch {
		case p.werr != nil:
			defer p.mu.Unlock()
			return done, p.werr
		case !until.IsZero() && !time.Now().Before(until):
			p.mu.Unlock()
			return done, os.ErrDeadlineExceeded
		}
		if n := min(len(b)-done, window-p.size); n > 0 {
			p.chunks = append(p.chunks, chunk{append([]byte(nil), b[done:done+n]...), time.Now()})
			p.size += n
			done += n
			p.ring()
		}
		if done == len(b) {
			p.mu.Unlock()
			return done, nil
		}
		changed := p.changed
		p.mu.Unlock()
		sleep(until, changed, moved, nil)
	}
}

// sleep waits for a time (zero = none) or any of the events.
func sleep(until time.Time, a, b, c <-chan struct{}) {
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-a:
	case <-b:
	case <-c:
	}
}

// deadline is one of a connection's two.
type deadline struct {
	mu    sync.Mutex
	at    time.Time
	moved chan struct{}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.moved != nil {
		close(d.moved)
		d.moved = nil
	}
}

func (d *deadline) get() (time.Time, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moved == nil {
		d.moved = make(chan struct{})
	}
	return d.at, d.moved
}

// conn is one end of a stream.
type conn struct {
	host          *Host
	local, remote netip.AddrPort
	out, in       *pipe
	rd, wd        deadline
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := c.in.read(b, c.rd.get)
	return n, c.wrap("read", err)
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.write(b, c.wd.get)
	return n, c.wrap("write", err)
}

func (c *conn) wrap(op string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	return &net.OpError{Op: op, Net: "sim", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Close implements net.Conn. What was written is still delivered.
func (c *conn) Close() error {
	c.host.mu.Lock()
	delete(c.host.conns, c)
	c.host.mu.Unlock()
	c.out.closeWrite()
	c.in.fail(syscall.EPIPE, net.ErrClosed)
	return nil
}

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	c.rd.set(t)
	c.wd.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error { c.rd.set(t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error { c.wd.set(t); return nil }
