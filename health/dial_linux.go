package health

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// control is net.Dialer.Control.
func (e Egress) control(_, _ string, raw syscall.RawConn) (err error) {
	if cerr := raw.Control(func(fd uintptr) { err = e.prepare(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
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
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return e.notAsked("source", e.Source, err)
		}
	}
	return nil
}
