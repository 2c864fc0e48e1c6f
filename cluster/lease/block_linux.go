package lease

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The runtime's own way into and out of a system call that will block; both keep their names and types for programs that use
// them (go.dev/issue/67401).

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// ppoll is ppoll(2) that hands the runtime's processor on at once.
//
// unix.Ppoll keeps it, for the case that the call returns soon, and the runtime's monitor looks each millisecond, for ten, whether it
// does. After each datagram, that was a third of what an idle agent cost: the monitor woke 390 times per second.
//
//go:nosplit
func ppoll(fds *[2]unix.PollFd, timeout *unix.Timespec) (n int, err unix.Errno) {
	entersyscallblock()
	r, _, err := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(fds)), uintptr(len(fds)), uintptr(unsafe.Pointer(timeout)), 0, 0, 0)
	exitsyscall()
	return int(r), err
}
