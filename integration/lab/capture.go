package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Capture notes every frame that any host sends into the switch and that concerns some addresses, with the port that it
// came from: who says, on the wire, that it is the owner. VRRP advertisements it notes all. It sees a frame where it leaves the host's cable, before the
// faults of the switch ([Host.Drop], [Host.Unplug]): also what nobody else hears any more. The kernel stamps each frame.
//
// A frame is one of a host by its port, not by its hardware address, which may be shared or borrowed.
//
// A capture that lost a frame proves nothing: see [Capture.Err].
type Capture struct {
	lab    *Lab
	bridge int // index of the bridge, which repeats what came in by a port
	addrs  []netip.Addr
	file   *os.File
	raw    syscall.RawConn
	once   sync.Once
	wg     sync.WaitGroup

	mu      sync.Mutex
	buf     []byte
	oob     []byte
	frames  map[netip.Addr][]Frame // in the order of arrival
	adverts []Advert               // likewise
	lost    uint64
	offset  time.Duration // of CLOCK_REALTIME, which stamps, to CLOCK_MONOTONIC
	err     error
	record  *recorder // nil = none
}

const (
	captureBuffer = 64 << 20               // bytes: seconds of what a lab can send
	clockSlack    = 200 * time.Microsecond // reading two clocks one after the other
	disorder      = time.Second            // by so much frames of several processors may be out of the order of their stamps, and by far less
)

// StartCapture captures until Close or the end of the lab.
func (l *Lab) StartCapture(addrs ...netip.Addr) (*Capture, error) {
	c := &Capture{
		lab: l, bridge: l.br.Index, addrs: slices.Clone(addrs), buf: make([]byte, snapLen), oob: make([]byte, 128),
		frames: map[netip.Addr][]Frame{},
	}
	if err := l.sw.do(c.open); err != nil {
		return nil, fmt.Errorf("capture in the switch: %w", err)
	}
	l.onClose(c)
	c.wg.Go(c.read)
	return c, nil
}

// open binds the socket last, so that no frame comes in before the filter.
func (c *Capture) open() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	c.file = os.NewFile(uintptr(fd), "capture")
	protocol := uint16(unix.ETH_P_ALL)
	err = errors.Join(
		filterSocket(fd, captureFilter(c.bridge, c.addrs)),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol<<8 | protocol>>8}),
	)
	if err == nil {
		c.raw, err = c.file.SyscallConn()
	}
	if err != nil {
		return errors.Join(err, c.file.Close())
	}
	c.offset, err = wallOffset()
	return err
}

// Close stops the capture. What it saw stays readable.
func (c *Capture) Close() error {
	var err error
	c.once.Do(func() {
		c.mu.Lock()
		c.drain()
		c.mu.Unlock()
		err = c.file.Close()
		c.wg.Wait()
		if c.record != nil {
			err = errors.Join(err, c.record.close())
		}
	})
	return err
}

// read drains the socket whenever there is something in it, until it is closed.
func (c *Capture) read() {
	_ = c.raw.Read(func(uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drain()
		return false
	})
}

// drain takes in what has arrived. c.mu is held.
func (c *Capture) drain() {
	err := c.raw.Control(func(fd uintptr) {
		for {
			n, oobn, _, from, err := unix.Recvmsg(int(fd), c.buf, c.oob, unix.MSG_DONTWAIT)
			switch {
			case errors.Is(err, unix.EINTR):
				continue
			case errors.Is(err, unix.EAGAIN):
				return
			case err != nil:
				c.fail(fmt.Errorf("read a frame: %w", err))
				return
			}
			c.take(c.buf[:n], c.oob[:oobn], from)
		}
	})
	if err != nil {
		return // closed: everything was taken in before
	}
	c.account()
}

// take notes one frame.
func (c *Capture) take(b, oob []byte, from unix.Sockaddr) {
	ll, ok := from.(*unix.SockaddrLinklayer)
	if !ok {
		return
	}
	host, known := c.lab.hostAt(ll.Ifindex)
	if !known {
		c.fail(fmt.Errorf("a frame came in by interface %d, which is nobody's port", ll.Ifindex))
		return
	}
	at, err := c.stamp(oob)
	if err != nil {
		c.fail(err)
		return
	}
	advert, claims := parseAdvert(b)
	if claims {
		advert.At, advert.Host = at, host
		c.adverts = append(c.adverts, advert)
	}
	for _, s := range parseStatements(b) {
		if slices.Contains(c.addrs, s.addr) {
			c.frames[s.addr] = append(c.frames[s.addr], Frame{At: at, Host: host, Kind: s.kind})
			claims = claims || s.kind.Claims()
		}
	}
	if claims && c.record != nil {
		c.record.frame(time.Duration(at)+c.offset, b)
	}
}

// stamp is when the kernel got the frame.
func (c *Capture) stamp(oob []byte) (Instant, error) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, fmt.Errorf("read a frame's time: %w", err)
	}
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
			sec, nsec := nativeInt64(m.Data), nativeInt64(m.Data[8:])
			return Instant(time.Duration(sec)*time.Second + time.Duration(nsec) - c.offset), nil
		}
	}
	return 0, errors.New("a frame has no time")
}

// account adds what the kernel had no room for, and looks whether the clock of the stamps was set meanwhile.
func (c *Capture) account() {
	err := c.raw.Control(func(fd uintptr) {
		s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS) // reading sets it to zero
		if err != nil {
			c.fail(fmt.Errorf("ask for lost frames: %w", err))
			return
		}
		c.lost += uint64(s.Drops)
	})
	if err != nil {
		return // closed
	}
	offset, err := wallOffset()
	if err != nil {
		c.fail(err)
	} else if d := offset - c.offset; d.Abs() > 5*clockSlack {
		c.fail(fmt.Errorf("this machine's wall clock, which stamps frames, was set by %v", d))
	}
}

func (c *Capture) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Err says why the capture is no proof: frames were lost, or their times cannot be relied upon. nil means that it is whole
// up to now.
func (c *Capture) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drain()
	if c.lost > 0 {
		return fmt.Errorf("the capture lost %d frames", c.lost)
	}
	if c.err != nil {
		return fmt.Errorf("the capture: %w", c.err)
	}
	return nil
}

// Frames are those about an address in the window, from the hosts named, by time.
func (c *Capture) Frames(a netip.Addr, window Span, hosts ...string) []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drain()
	var out []Frame
	all := c.frames[a]
	first := len(all) // what came long before the window is not looked at, however long the capture has lasted
	for first > 0 && all[first-1].At >= window.From.Add(-disorder) {
		first--
	}
	for _, f := range all[first:] {
		if f.At >= window.From && f.At < window.To && slices.Contains(hosts, f.Host) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b Frame) int { return int(min(max(a.At-b.At, -1), 1)) })
	return out
}

// Forget drops what came before t, for a capture that runs for hours.
func (c *Capture) Forget(t Instant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a, frames := range c.frames {
		c.frames[a] = slices.DeleteFunc(frames, func(f Frame) bool { return f.At < t })
	}
	c.adverts = slices.DeleteFunc(c.adverts, func(a Advert) bool { return a.At < t })
}

// wallOffset is how far CLOCK_REALTIME is ahead of CLOCK_MONOTONIC: the best of a few readings, as this thread may be
// taken off its processor between the two.
func wallOffset() (time.Duration, error) {
	var best time.Duration
	shortest := time.Duration(-1)
	for range 8 {
		var wall unix.Timespec
		from := Now()
		if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
			return 0, fmt.Errorf("read CLOCK_REALTIME: %w", err)
		}
		to := Now()
		if took := to.Sub(from); shortest < 0 || took < shortest {
			shortest, best = took, time.Duration(wall.Nano()-int64(from)-int64(took/2))
		}
		if shortest < 10*time.Microsecond {
			break
		}
	}
	return best, nil
}
