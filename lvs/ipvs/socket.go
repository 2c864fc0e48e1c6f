package ipvs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// socket is a generic netlink socket. The kernel answers inside the system call that asks, so nothing blocks for long; the timeout is for the
// impossible.
type socket struct{ fd int }

// openSocket opens one in the network namespace of the calling thread.
func openSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return nil, fmt.Errorf("opening a generic netlink socket: %w", err)
	}
	timeout := unix.Timeval{Sec: 5}
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1), // errors without a copy of the request
	)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("setting up a generic netlink socket: %w", err)
	}
	return &socket{fd}, nil
}

func (s *socket) send(b []byte) error {
	return os.NewSyscallError("sendto", unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}))
}

func (s *socket) receive(b []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(s.fd, b, 0)
		if !errors.Is(err, unix.EINTR) {
			return n, os.NewSyscallError("recvfrom", err)
		}
	}
}

func (s *socket) close() error { return unix.Close(s.fd) }
