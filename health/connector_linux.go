package health

import (
	"container/heap"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connector opens TCP connections for probes and closes them again: by system calls that do not wait, and one epoll set. Whatever their number, there is
// one goroutine, which waits until any of them has come to an end.
//
// The methods are for one goroutine, that of Run. On a nil connector they do nothing.
type connector struct {
	file   *os.File // the epoll set, for the runtime to wait for
	epoll  int
	ended  chan []unix.EpollEvent
	looked chan []unix.EpollEvent // the same, to be filled anew
	quit   chan struct{}
	over   chan struct{}

	open     map[int32]*connecting // by descriptor
	earliest deadlines
	number   int32
	outcomes []outcome
}

// connecting is one connection that is being opened.
type connecting struct {
	entry    *entry
	target   Target
	fd       int
	number   int32 // tells it from one before it that had the same descriptor
	start    time.Time
	deadline time.Time
	index    int // in the heap of deadlines
}

// connections is how many connections a process may have open for probes, and have as many files besides.
func connections() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return 512
	}
	return int(min(max(files.Cur/2, 64), 1<<16))
}

// newConnector is nil, and every probe has a goroutine, where the kernel gives no epoll set.
func newConnector(log *slog.Logger) *connector {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		log.Warn("each probe has a goroutine: no epoll set", "err", err)
		return nil
	}
	_ = unix.SetNonblock(fd, true) // the runtime waits for it as for a socket, with no thread of its own
	c := &connector{
		file: os.NewFile(uintptr(fd), "epoll"), epoll: fd,
		ended: make(chan []unix.EpollEvent), looked: make(chan []unix.EpollEvent, 2), quit: make(chan struct{}), over: make(chan struct{}),
		open: map[int32]*connecting{},
	}
	for range cap(c.looked) {
		c.looked <- make([]unix.EpollEvent, 256)
	}
	go c.watch()
	return c
}

// watch hands on what has ended, until close.
func (c *connector) watch() {
	defer close(c.over)
	raw, err := c.file.SyscallConn()
	for err == nil {
		var events []unix.EpollEvent
		select {
		case events = <-c.looked:
		case <-c.quit:
			return
		}
		n := 0
		// It is asked until it has nothing before it is waited for: the runtime is told of changes alone.
		err = raw.Read(func(fd uintptr) bool {
			n, _ = unix.EpollWait(int(fd), events[:cap(events)], 0)
			return n > 0
		})
		if n <= 0 {
			continue
		}
		select {
		case c.ended <- events[:n]:
		case <-c.quit:
			return
		}
	}
}

// start begins to connect. ended says that it came to its outcome at once.
func (c *connector) start(e *entry, now time.Time) (k *connecting, o outcome, ended bool) {
	k = &connecting{entry: e, target: e.target, fd: -1, start: now, deadline: now.Add(e.target.Timeout), index: -1}
	err := k.connect()
	if errors.Is(err, unix.EINPROGRESS) {
		c.number++
		k.number = c.number
		err = os.NewSyscallError("epoll_ctl", unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, k.fd, &unix.EpollEvent{
			Events: unix.EPOLLOUT | unix.EPOLLET, Fd: int32(k.fd), Pad: k.number,
		}))
		if err == nil {
			c.open[int32(k.fd)] = k
			heap.Push(&c.earliest, k)
			return k, outcome{}, false
		}
	}
	if err == nil {
		err = k.result()
	}
	c.leave(k)
	return k, k.outcome(err, time.Now()), true
}

// connect is EINPROGRESS when the answer is yet to come.
func (k *connecting) connect() (err error) {
	a := k.target.Addr.Addr().Unmap()
	family := unix.AF_INET
	if a.Is6() {
		family = unix.AF_INET6
	}
	if k.fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return os.NewSyscallError("socket", err)
	}
	if k.target.halfOpen() {
		if err := leaveHalfOpen(k.fd); err != nil {
			return err
		}
	}
	if e := k.target.Egress; e != (Egress{}) {
		if err := e.prepare(k.fd); err != nil {
			return err
		}
		if e.Source.IsValid() {
			if err := unix.Bind(k.fd, sockaddr(netip.AddrPortFrom(e.Source, 0))); err != nil {
				return os.NewSyscallError("bind", err)
			}
		}
	}
	err = unix.Connect(k.fd, sockaddr(netip.AddrPortFrom(a, k.target.Addr.Port())))
	if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EALREADY) {
		err = unix.EINPROGRESS
	}
	return os.NewSyscallError("connect", err)
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// result is what has become of a connection that is no longer being opened; nil = it is open.
func (k *connecting) result() error {
	code, err := unix.GetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if code != 0 {
		return os.NewSyscallError("connect", unix.Errno(code))
	}
	// Where nobody listens on a port of this host from which connections come, one may meet itself.
	if k.target.Addr.Port() >= 1024 {
		if own, err := syscall.Getsockname(k.fd); err == nil && addrPort(own) == netip.AddrPortFrom(k.target.Addr.Addr().Unmap(), k.target.Addr.Port()) {
			return os.NewSyscallError("connect", unix.ECONNREFUSED)
		}
	}
	return nil
}

func addrPort(a syscall.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	default:
		return netip.AddrPort{}
	}
}

// answered reports whether the connection is no longer being opened.
func (k *connecting) answered() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLOUT}}, 0)
	return err == nil && n > 0
}

// outcome puts into words what the connection came to; nil = it is open.
func (k *connecting) outcome(err error, now time.Time) outcome {
	o := outcome{entry: k.entry, start: k.start, took: now.Sub(k.start)}
	if err == nil {
		o.answer = connected(k.target, o.took)
		return o
	}
	o.err = noConnection(err, errors.Is(err, os.ErrDeadlineExceeded), k.target)
	return o
}

// leave closes the connection, in the ordinary way unless it is to stay half open, and forgets it.
func (c *connector) leave(k *connecting) {
	if k.fd < 0 {
		return
	}
	delete(c.open, int32(k.fd))
	if k.index >= 0 {
		heap.Remove(&c.earliest, k.index)
	}
	_ = unix.Close(k.fd) // takes it out of the epoll set, too
	k.fd = -1
}

// ready has something when connections may have ended; it is for finished.
func (c *connector) ready() <-chan []unix.EpollEvent {
	if c == nil {
		return nil
	}
	return c.ended
}

// finished are the outcomes of what was ready. They are good until the next call.
func (c *connector) finished(events []unix.EpollEvent) []outcome {
	c.outcomes = c.outcomes[:0]
	now := time.Now()
	for _, ev := range events {
		if k := c.open[ev.Fd]; k != nil && k.number == ev.Pad { // else it was given up meanwhile
			c.outcomes = append(c.outcomes, c.finish(k, now))
		}
	}
	c.looked <- events
	return c.outcomes
}

func (c *connector) finish(k *connecting, now time.Time) outcome {
	err := k.result()
	c.leave(k)
	return k.outcome(err, now)
}

// late appends the outcomes of those whose time is over. One whose answer is there, and was not looked at because this machine was slow, has answered.
func (c *connector) late(out []outcome, now time.Time) []outcome {
	for c != nil && len(c.earliest) > 0 && !c.earliest[0].deadline.After(now) {
		k := c.earliest[0]
		if k.answered() {
			out = append(out, c.finish(k, now))
			continue
		}
		c.leave(k)
		out = append(out, k.outcome(os.ErrDeadlineExceeded, now))
	}
	return out
}

// deadline is when the first of the connections is late; zero = there is none.
func (c *connector) deadline() time.Time {
	if c == nil || len(c.earliest) == 0 {
		return time.Time{}
	}
	return c.earliest[0].deadline
}

// abandon gives a connection up, and reports whether it was under way.
func (c *connector) abandon(k *connecting) bool {
	if c == nil || k.fd < 0 {
		return false
	}
	c.leave(k)
	return true
}

// close gives everything up.
func (c *connector) close() {
	if c == nil {
		return
	}
	for _, k := range c.open {
		_ = unix.Close(k.fd)
	}
	close(c.quit)
	_ = c.file.Close()
	<-c.over
}

// deadlines is a heap of what is under way, the earliest deadline first.
type deadlines []*connecting

func (d deadlines) Len() int           { return len(d) }
func (d deadlines) Less(i, j int) bool { return d[i].deadline.Before(d[j].deadline) }

func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}

func (d *deadlines) Push(x any) {
	k := x.(*connecting)
	k.index = len(*d)
	*d = append(*d, k)
}

func (d *deadlines) Pop() any {
	old := *d
	k := old[len(old)-1]
	old[len(old)-1] = nil
	k.index = -1
	*d = old[:len(old)-1]
	return k
}
