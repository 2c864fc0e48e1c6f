package vrrp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// ear is a socket that hears. Whoever waits for it waits for the bell, an epoll instance that reports the socket once and then no more until it is armed again: so
// what comes while nobody waits wakes nobody. The runtime's own poller would be woken by each datagram, which is most of what a flood costs.
type ear struct {
	family Family
	ah     bool
	link   string
	who    who
	socket *os.File
	bell   *os.File
	slots  []slot
	heard  []Datagram
	pace   pace
	pause  *pause
}

// slot has room for one datagram, and for what the kernel says of it.
type slot struct{ data, oob []byte }

// room is how many bytes of a datagram are read: an advert is smaller than a packet of [maxPacket].
const room = 2048

// listen opens the socket. Nothing gets in before it is bound to its link.
func listen(o ConnOptions, ifi *net.Interface, w who) (*ear, error) {
	raw, err := filter(o.Family, o.AH, o.VRIDs, nil, w)
	if err != nil {
		return nil, err
	}
	e := &ear{family: o.Family, ah: o.AH, link: o.Link, who: w, pace: paceOf(w), pause: newPause()}
	protocol := Protocol
	if o.AH {
		protocol = protocolAH
		e.pace = paceOf(others) // whoever it is from, it is heard to be named, and no word of it counts
	}
	e.socket, err = open(o.Family, protocol, ifi, func(fd int) error {
		for _, g := range o.Groups {
			if err := join(fd, o.Family, g, ifi.Index); err != nil {
				return fmt.Errorf("join %s: %w", g, err)
			}
		}
		if o.Family == IPv6 {
			if err := set(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0, unix.IPV6_RECVHOPLIMIT, 1, unix.IPV6_RECVPKTINFO, 1); err != nil {
				return err
			}
		} else if err := set(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0); err != nil {
			return err
		}
		// What waits while the pace is kept has room. More than the system's limit needs CAP_NET_ADMIN.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, e.pace.queue) != nil {
			if err := set(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, e.pace.queue); err != nil {
				return err
			}
		}
		return attach(fd, raw)
	})
	if err != nil {
		return nil, err
	}
	if e.bell, err = hang(e.socket); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the socket: %w", err), e.close())
	}
	oob := 0
	if o.Family == IPv6 {
		oob = len(ipv6.NewControlMessage(ipv6.FlagHopLimit | ipv6.FlagDst))
	}
	for range e.pace.batch {
		e.slots = append(e.slots, slot{make([]byte, room), make([]byte, oob)})
	}
	e.heard = make([]Datagram, 0, e.pace.batch)
	return e, nil
}

// hang makes the bell of a socket, not yet armed.
func hang(socket *os.File) (*os.File, error) {
	at, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	err = errors.Join(unix.SetNonblock(at, true), control(socket, func(fd int) error { // non-blocking, so that the runtime waits for it
		return os.NewSyscallError("epoll_ctl", unix.EpollCtl(at, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLONESHOT}))
	}))
	return os.NewFile(uintptr(at), "vrrp"), err
}

// filter changes what reaches this process. The kernel has room for so many bytes of filters (net.core.optmem_max), and for a moment both the old and the new one are there:
// where there is no room for two, nothing is heard for that moment.
func (e *ear) filter(vrids []VRID, hosts []netip.Addr) error {
	raw, err := filter(e.family, e.ah, vrids, hosts, e.who)
	if err != nil {
		return err
	}
	return control(e.socket, func(fd int) error {
		err := attach(fd, raw)
		if errors.Is(err, unix.ENOMEM) {
			if err = attach(fd, nobody()); err == nil {
				err = attach(fd, raw)
			}
		}
		return err
	})
}

// control does something with a file, unless it is closed.
func control(file syscall.Conn, f func(fd int) error) error {
	c, err := file.SyscallConn()
	if err != nil {
		return err
	}
	return errors.Join(c.Control(func(fd uintptr) { err = f(int(fd)) }), err)
}

// Receive waits for datagrams and returns what has come, up to a batch. They are valid until the next Receive. What is no VRRP at all is left out, so that there may be
// none. It ends with os.ErrDeadlineExceeded at the time that SetReadDeadline has set; but what waits is read first, however late it is.
func (e *ear) Receive() ([]Datagram, error) {
	e.pause.wait(e.pace.wait)
	n := 0
	bell, err := e.bell.SyscallConn()
	if err == nil {
		var failed error
		err = bell.Read(func(bell uintptr) (done bool) {
			failed = control(e.socket, func(fd int) (err error) {
				var rung [1]unix.EpollEvent
				_, _ = unix.EpollWait(int(bell), rung[:], 0) // it rings no more
				if n, err = e.drain(fd); n > 0 || err != nil {
					return err
				}
				return os.NewSyscallError("epoll_ctl", unix.EpollCtl(int(bell), unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT}))
			})
			return n > 0 || failed != nil
		})
		if failed != nil {
			err = failed
		}
		if errors.Is(err, os.ErrDeadlineExceeded) { // the runtime says so without having looked at the socket
			failed = control(e.socket, func(fd int) (err error) { n, err = e.drain(fd); return err })
			if n > 0 || failed != nil {
				err = failed
			}
		}
	}
	e.pace.read(n, time.Now())
	if err != nil {
		return nil, fmt.Errorf("vrrp on %s: %w", e.link, err)
	}
	return e.heard, nil
}

// drain reads what waits, up to a batch. An error comes alone.
func (e *ear) drain(fd int) (n int, err error) {
	e.heard = e.heard[:0]
	for n < len(e.slots) {
		s := &e.slots[n]
		size, oob, _, from, err := unix.Recvmsg(fd, s.data, s.oob, unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return n, nil
		case err != nil && n > 0:
			return n, nil // it is lost, and was said to be by what follows
		case err != nil:
			return 0, os.NewSyscallError("recvmsg", err)
		}
		n++
		if d, ok := e.datagram(s.data[:size], s.oob[:oob], from); ok {
			e.heard = append(e.heard, d)
		}
	}
	return n, nil
}

// datagram is what was read, if it is VRRP.
func (e *ear) datagram(b, oob []byte, from unix.Sockaddr) (Datagram, bool) {
	if e.family == IPv4 {
		d, r := ParseIPv4(b)
		return d, r == Accepted
	}
	var cm ipv6.ControlMessage
	at, ok := from.(*unix.SockaddrInet6)
	if !ok || cm.Parse(oob) != nil {
		return Datagram{}, false
	}
	source := netip.AddrFrom16(at.Addr)
	destination, _ := netip.AddrFromSlice(cm.Dst)
	return Datagram{Source: source, Destination: destination, TTL: uint8(cm.HopLimit), Payload: b}, FamilyOf(source) == IPv6 && FamilyOf(destination) == IPv6
}

// SetReadDeadline makes Receive end, the one that waits too.
func (e *ear) SetReadDeadline(t time.Time) error {
	e.pause.until(t)
	return e.bell.SetReadDeadline(t)
}

// unread is how many datagrams found no room (SO_MEMINFO, which golang.org/x/sys has no function for).
func (e *ear) unread() uint64 {
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	_ = control(e.socket, func(fd int) error {
		_, _, _ = unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		return nil
	})
	return uint64(info[unix.SK_MEMINFO_DROPS])
}

// close ends a Receive that waits, and closes the socket.
func (e *ear) close() error {
	e.pause.end()
	var errs []error
	if e.bell != nil {
		errs = append(errs, e.bell.Close())
	}
	return errors.Join(append(errs, e.socket.Close())...)
}
