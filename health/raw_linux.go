package health

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the loop, none of which waits. Of most of them package unix tells Go's scheduler, which then wakes its monitor thread: where nothing else is
// going on, that costs more than the calls themselves.

// rawConnect begins to connect: EINPROGRESS when the answer is yet to come.
func rawConnect(fd int, to netip.AddrPort) error {
	var errno unix.Errno
	if a := to.Addr(); a.Is4() {
		sa := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: networkOrder(to.Port()), Addr: a.As4()}
		_, _, errno = unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&sa)), unix.SizeofSockaddrInet4)
	} else {
		sa := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: networkOrder(to.Port()), Addr: a.As16()}
		_, _, errno = unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&sa)), unix.SizeofSockaddrInet6)
	}
	if errno == unix.EINTR || errno == unix.EALREADY {
		errno = unix.EINPROGRESS
	}
	return fault(errno)
}

// networkOrder is the number whose bytes in memory are those of the port on the wire.
func networkOrder(port uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port))
}

// rawRead is EAGAIN when nothing has come; 0 bytes without an error are the end.
func rawRead(fd int, b []byte) (int, error) { return transfer(unix.SYS_READ, fd, b) }

// rawWrite is EAGAIN when nothing more is taken.
func rawWrite(fd int, b []byte) (int, error) { return transfer(unix.SYS_WRITE, fd, b) }

func transfer(call uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch {
		case errno == 0:
			return int(n), nil
		case errno != unix.EINTR:
			return 0, errno
		}
	}
}

func rawClose(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// rawEvents takes what has happened, of which there may be nothing.
func rawEvents(epoll int, events []unix.EpollEvent) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// socketError takes what went wrong on the socket; nil = nothing.
func socketError(fd int) error {
	code, size := int32(0), uint32(4)
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR, uintptr(unsafe.Pointer(&code)), uintptr(unsafe.Pointer(&size)), 0)
	if errno == 0 {
		errno = unix.Errno(code)
	}
	return fault(errno)
}

func fault(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
