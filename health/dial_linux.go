package health

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// control is net.Dialer.Control.
func (t Target) control(_, _ string, raw syscall.RawConn) (err error) {
	cerr := raw.Control(func(fd uintptr) {
		if err = t.Egress.prepare(int(fd)); err == nil && t.halfOpen() {
			err = leaveHalfOpen(int(fd))
		}
	})
	return errors.Join(cerr, err)
}

// leaveHalfOpen has the connection of the socket, which is not connected yet, never be completed: the kernel keeps back the acknowledgement of the SYN+ACK for
// 200 ms (TCP_DELACK_MAX in net/ipv4/tcp_input.c, tcp_rcv_synsent_state_process), and when the socket is closed within these it sends RST in its place.
func leaveHalfOpen(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0); err != nil {
		return unasked(os.NewSyscallError("setsockopt TCP_QUICKACK", err))
	}
	return os.NewSyscallError("setsockopt SO_LINGER", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
}

// prepare sets up a socket that is not bound yet.
func (e Egress) prepare(fd int) error {
	if e.Interface != "" {
		if err := unix.BindToDevice(fd, e.Interface); err != nil {
			return e.notAsked("interface", e.Interface, err)
		}
	}
	if e.Mark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(e.Mark)); err != nil {
			return e.notAsked("fwmark", e.Mark, err)
		}
	}
	if e.Source.IsValid() {
		// The port is chosen when it connects: by bind it would be the probe's alone on this address, and stay so in TIME_WAIT, whatever server it was for.
		// A raw socket has no port, and one of IPv6 does not know the option.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
			return e.notAsked("source", e.Source, err)
		}
	}
	return nil
}
