package health

import (
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// call is one probe on the loop: a connection that is being opened, or on which a question by HTTP is asked.
type call struct {
	entry    *entry
	target   *Target
	fd       int
	number   int32 // tells it from one before it that had the same descriptor
	start    time.Time
	deadline time.Time
	index    int // in the queue of deadlines

	visit *visit // nil = it only connects
	asked bool   // it is connected, and the question is on its way
	long  bool   // it waits for a goroutine
	*talk        // by HTTP, on this connection
}

// talk is what was said on a connection so far.
type talk struct {
	question *question
	unsent   []byte
	writeErr error
	got      []byte // of the answer, where it did not come at once
	pieces   int
}

func (k *call) when() time.Time { return k.deadline }
func (k *call) place() *int     { return &k.index }

// connect is EINPROGRESS when the answer is yet to come.
func (k *call) connect() (err error) {
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
	return os.NewSyscallError("connect", rawConnect(k.fd, netip.AddrPortFrom(a, k.target.Addr.Port())))
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// result is what has become of a connection that is no longer being opened; nil = it is open.
func (k *call) result() error {
	if err := socketError(k.fd); err != nil {
		return os.NewSyscallError("connect", err)
	}
	return k.meetsItself()
}

// meetsItself: where nobody listens on a port of this host from which connections come, one may be its own other end.
func (k *call) meetsItself() error {
	if k.target.Addr.Port() < 1024 {
		return nil
	}
	own, err := syscall.Getsockname(k.fd)
	if err == nil && addrPort(own) == netip.AddrPortFrom(k.target.Addr.Addr().Unmap(), k.target.Addr.Port()) {
		return os.NewSyscallError("connect", unix.ECONNREFUSED)
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
func (k *call) answered() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLOUT}}, 0)
	return err == nil && n > 0
}

func (k *call) outcome(answer Answer, err error, now time.Time) outcome {
	return outcome{entry: k.entry, start: k.start, took: now.Sub(k.start), answer: answer, err: err}
}

// ask sends the question.
func (k *call) ask() {
	k.asked = true
	n, err := rawWrite(k.fd, k.unsent)
	k.unsent = k.unsent[n:]
	if err != nil && err != unix.EAGAIN {
		// What the server says counts more, if it says something.
		k.unsent, k.writeErr = nil, lost("write", err)
	}
}

func lost(call string, err error) error {
	return &net.OpError{Op: call, Net: "tcp", Err: os.NewSyscallError(call, err)}
}

// hear takes what has come of the answer, into b if it may. end is why no more will come; nothing without an end = more is to come.
func (k *call) hear(b []byte) (said []byte, end error) {
	n, err := rawRead(k.fd, b)
	switch {
	case err == unix.EAGAIN:
		return nil, nil
	case err != nil:
		end = lost("read", err)
	case n == 0:
		end = io.EOF
	}
	if k.pieces++; len(k.got) == 0 {
		return b[:n], end
	}
	k.got = append(k.got, b[:n]...)
	return k.got, end
}

// keep keeps what was said until there is more. Of an answer that is long, or comes in many pieces, it reports that a goroutine should read it.
func (k *call) keep(said []byte) (long bool) {
	if len(k.got) == 0 {
		k.got = slices.Clone(said)
	}
	return len(k.got) >= maxHeld || k.pieces >= maxPieces
}

// What the loop takes of an answer, so that none holds up the others: bytes, and pieces, after each of which all of it is looked at.
const (
	maxHeld   = 16 << 10
	maxPieces = 8
)

// conn is the connection, for one who may wait.
func (k *call) conn() (net.Conn, error) {
	f := os.NewFile(uintptr(k.fd), "probe")
	defer func() { _ = f.Close() }()
	k.fd = -1
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	return &resumed{c, k.got}, nil
}

// resumed is a connection of which something has been read already.
type resumed struct {
	net.Conn
	said []byte
}

func (r *resumed) Read(b []byte) (int, error) {
	if len(r.said) == 0 {
		return r.Conn.Read(b)
	}
	n := copy(b, r.said)
	r.said = r.said[n:]
	return n, nil
}
