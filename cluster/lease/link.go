package lease

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// link is how a Service waits and sends: the one thing in which the real lease and a simulated one differ. All but ring are
// called by one goroutine.
type link interface {
	// wait returns the next datagram, valid until the next call; none when d has passed, after a ring or a signal to its thread
	// (the Go runtime sends some). Errors that wrap net.ErrClosed are final.
	wait(d time.Duration) ([]byte, error)
	// send sends a datagram, or loses it rather than wait for long.
	send(b []byte, to netip.AddrPort) error
	// ring ends a wait, the one under way or the next. It may be called by any goroutine, also after close.
	ring()
	close()
}

// sendWithin bounds what a datagram may take to get out of a socket that is full.
const sendWithin = 5 * time.Millisecond

// packetLink is a link over any socket: a simulated one, or what is no UDP socket of the kernel.
type packetLink struct {
	conn   net.PacketConn
	in     chan received
	free   chan []byte // a buffer for the reader
	held   []byte      // what wait has returned
	rung   chan struct{}
	done   chan struct{}
	timer  *time.Timer
	reader sync.WaitGroup
}

type received struct {
	b   []byte
	err error
}

func newPacketLink(conn net.PacketConn) *packetLink {
	l := &packetLink{
		conn: conn, in: make(chan received), free: make(chan []byte, 1), held: make([]byte, 0, MaxDatagram+1),
		rung: make(chan struct{}, 1), done: make(chan struct{}), timer: time.NewTimer(time.Hour),
	}
	l.reader.Go(l.read)
	return l
}

func (l *packetLink) read() {
	buf := make([]byte, MaxDatagram+1)
	for {
		n, _, err := l.conn.ReadFrom(buf[:cap(buf)])
		select {
		case l.in <- received{buf[:n], err}:
		case <-l.done:
			return
		}
		select {
		case buf = <-l.free:
		case <-l.done:
			return
		}
	}
}

func (l *packetLink) wait(d time.Duration) ([]byte, error) {
	l.timer.Reset(d)
	select {
	case <-l.rung:
	case <-l.timer.C:
	case r := <-l.in:
		l.free <- l.held // has room: the reader has no other
		l.held = r.b
		if r.err != nil {
			return nil, fmt.Errorf("lease socket: %w", r.err)
		}
		return r.b, nil
	}
	return nil, nil
}

func (l *packetLink) send(b []byte, to netip.AddrPort) error {
	if err := l.conn.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	_, err := l.conn.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return err
}

func (l *packetLink) ring() {
	select {
	case l.rung <- struct{}{}:
	default:
	}
}

func (l *packetLink) close() {
	close(l.done)
	_ = l.conn.Close() // wakes the reader
	l.reader.Wait()
	l.timer.Stop()
}

// newLink takes conn over. A UDP socket of the kernel also makes the thread of the calling goroutine the lease's own, which ends with
// that goroutine, and asks for priority.
func newLink(conn net.PacketConn) (link, Priority, error) {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return newPacketLink(conn), Priority{}, nil
	}
	l, err := newThreadLink(udp)
	if err != nil {
		return nil, Priority{}, err
	}
	runtime.LockOSThread() // and never unlocked, so that no other goroutine gets the priority
	return l, prioritize(), nil
}
