package ipvs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// inboxSlots is how many datagrams one system call takes. The answer to a dump is at least two, one of them says that it is over; to look at a table of
	// 500 services costs a thousand system calls by this, and fifteen hundred with one datagram each.
	inboxSlots = 4
	// slotSize is more than the kernel puts into one datagram of a dump: NLMSG_GOODSIZE, 8 KiB at most, or as much as there was room for when it was last
	// read from (af_netlink.c, netlink_dump).
	slotSize = 16 << 10
)

// answerWithin is for the impossible: the kernel answers inside the system call that asks.
const answerWithin = 5 * time.Second

// socket is a generic netlink socket.
type socket struct {
	fd    int
	buf   [inboxSlots * slotSize]byte
	iov   [inboxSlots]unix.Iovec
	slots [inboxSlots]slot
	got   [inboxSlots][]byte

	aio   *aio // nil: it has not been needed yet, or cannot be had
	noAIO bool
}

// slot is struct mmsghdr of recvmmsg(2).
type slot struct {
	header unix.Msghdr
	size   uint32
}

// openSocket opens one in the network namespace of the calling thread.
func openSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("opening a generic netlink socket: %w", err)
	}
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1), // errors without a copy of the request
	)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("setting up a generic netlink socket: %w", err)
	}
	s := &socket{fd: fd}
	for i := range s.slots {
		s.iov[i].Base = &s.buf[i*slotSize]
		s.iov[i].SetLen(slotSize)
		s.slots[i].header.Iov = &s.iov[i]
		s.slots[i].header.SetIovlen(1)
	}
	return s, nil
}

func (s *socket) send(b []byte) error {
	return os.NewSyscallError("sendto", unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

func (s *socket) receive() ([][]byte, error) {
	for waited := false; ; {
		got, err := s.waiting()
		if len(got) > 0 || err != nil {
			return got, err
		}
		if waited {
			return nil, fmt.Errorf("the kernel has not answered within %v", answerWithin)
		}
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, int(answerWithin.Milliseconds()))
		if err != nil && err != unix.EINTR {
			return nil, os.NewSyscallError("poll", err)
		}
		waited = err == nil
	}
}

// waiting are the next datagrams that are there, if any.
func (s *socket) waiting() ([][]byte, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.slots)), inboxSlots, 0, 0, 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return nil, nil
		case errno != 0:
			return nil, os.NewSyscallError("recvmmsg", errno)
		}
		for i, x := range s.slots[:n] {
			if x.header.Flags&unix.MSG_TRUNC != 0 {
				return nil, fmt.Errorf("the kernel's answer is longer than %d bytes", slotSize)
			}
			s.got[i] = s.buf[i*slotSize:][:x.size]
		}
		return s.got[:n], nil
	}
}

// exchange implements exchanger.
func (s *socket) exchange(requests [][]byte) (datagrams [][]byte, err error) {
	if s.aio == nil && !s.noAIO {
		s.aio, err = openAIO()
		s.noAIO = err != nil
	}
	if s.noAIO {
		return nil, errors.ErrUnsupported
	}
	if datagrams, err = s.aio.exchange(s.fd, requests); err != nil {
		err = errors.Join(err, s.aio.close())
		s.aio, s.noAIO = nil, true
	}
	// The kernel goes on with a list as it is read: nothing of it may be left when the next one is asked for.
	for {
		more, e := s.waiting()
		if len(more) == 0 || e != nil {
			return datagrams, errors.Join(err, e)
		}
		for _, b := range more {
			datagrams = append(datagrams, bytes.Clone(b))
		}
	}
}

func (s *socket) close() error {
	if s.aio != nil {
		return errors.Join(s.aio.close(), unix.Close(s.fd))
	}
	return unix.Close(s.fd)
}
