package lease

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// threadLink is a UDP socket that one thread of the kernel has to itself. It waits in ppoll(2), outside of the Go runtime's
// poller, and calls the socket itself: no other thread has to wake, and hand it a turn, before a Renew goes out.
type threadLink struct {
	fd    int
	fds   [2]unix.PollFd // the socket; the bell
	more  bool           // the socket may have another datagram
	buf   []byte
	inet6 bool
	peers map[netip.AddrPort]unix.Sockaddr

	mu   sync.Mutex // guards bell
	bell int        // eventfd(2); −1 once closed
	one  [8]byte
	rung [8]byte // scratch
}

// maxPeers bounds the addresses that are kept in the kernel's form.
const maxPeers = 1024

// newThreadLink takes conn over, also when it fails.
func newThreadLink(conn *net.UDPConn) (*threadLink, error) {
	l := &threadLink{fd: -1, buf: make([]byte, MaxDatagram+1), peers: make(map[netip.AddrPort]unix.Sockaddr)}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("lease socket: %w", err)
	}
	// A copy of the descriptor: the runtime's poller lets go of its own at Close, and would wake for each datagram otherwise.
	var dupErr error
	err = raw.Control(func(fd uintptr) { l.fd, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	_ = conn.Close()
	if err == nil {
		err = dupErr
	}
	if err != nil {
		return nil, fmt.Errorf("lease socket: %w", err)
	}
	own, err := unix.Getsockname(l.fd)
	if err == nil {
		_, l.inet6 = own.(*unix.SockaddrInet6)
		l.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err != nil {
		_ = unix.Close(l.fd)
		return nil, fmt.Errorf("lease socket: %w", err)
	}
	l.one[0] = 1 // an eventfd counts in the host's byte order; any number but 0 and −1 will do
	l.fds = [2]unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(l.bell), Events: unix.POLLIN}}
	return l, nil
}

func (l *threadLink) wait(d time.Duration) ([]byte, error) {
	for {
		if l.more {
			n, err := unix.Read(l.fd, l.buf) // one datagram; what is too long is cut, and does not open
			switch err {
			case nil:
				return l.buf[:n], nil
			case unix.EAGAIN:
				l.more = false
			case unix.EINTR:
				continue
			case unix.EBADF:
				return nil, fmt.Errorf("lease socket: %w", net.ErrClosed)
			default: // of an earlier datagram, for instance
				l.more = false
				return nil, fmt.Errorf("lease socket: %w", os.NewSyscallError("read", err))
			}
		}
		if d <= 0 && l.fds[0].Revents|l.fds[1].Revents == 0 {
			return nil, nil
		}
		ts := unix.NsecToTimespec(max(0, d.Nanoseconds()))
		l.fds[0].Revents, l.fds[1].Revents = 0, 0
		n, err := ppoll(&l.fds, &ts)
		if err != 0 && err != unix.EINTR {
			return nil, fmt.Errorf("lease socket: %w", os.NewSyscallError("ppoll", err))
		}
		if n <= 0 {
			return nil, nil
		}
		if l.fds[1].Revents != 0 {
			_, _ = unix.Read(int(l.fds[1].Fd), l.rung[:])
			l.more = l.fds[0].Revents != 0
			return nil, nil
		}
		l.more = true
	}
}

func (l *threadLink) send(b []byte, to netip.AddrPort) error {
	sa, ok := l.peers[to]
	if !ok {
		if len(l.peers) >= maxPeers {
			clear(l.peers)
		}
		sa = sockaddr(to, l.inet6)
		l.peers[to] = sa
	}
	if err := unix.Sendto(l.fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, sa); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	return nil
}

// sockaddr is an address in the kernel's form, for a socket of that family.
func sockaddr(a netip.AddrPort, inet6 bool) unix.Sockaddr {
	if !inet6 {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().Unmap().As4()}
	}
	sa := &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()} // an IPv4 address is mapped
	if z := a.Addr().Zone(); z != "" {
		if link, err := net.InterfaceByName(z); err == nil {
			sa.ZoneId = uint32(link.Index)
		}
	}
	return sa
}

func (l *threadLink) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bell >= 0 {
		_, _ = unix.Write(l.bell, l.one[:]) // fails when it has been rung 2^64−2 times
	}
}

func (l *threadLink) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = unix.Close(l.bell)
	_ = unix.Close(l.fd)
	l.bell, l.fd = -1, -1
}
