package ipvs

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// aioRequests is how many requests go in one system call.
	aioRequests = 32
	// endSize is more than the message that ends a list.
	endSize = 512
	// aioSteps are those of a request: to send it, to read the list, to read its end.
	aioSteps = 3
	// opRead and opWrite are IOCB_CMD_PREAD and IOCB_CMD_PWRITE (include/uapi/linux/aio_abi.h).
	opRead, opWrite = 0, 1
)

// aio sends requests and reads their answers, many in one system call: io_submit(2) carries out what it is given one after the other, and on a socket each step is
// over when it returns (fs/aio.c, aio_write; net/socket.c, sock_write_iter).
type aio struct {
	context  uintptr
	steps    [aioRequests * aioSteps]iocb
	given    [aioRequests * aioSteps]*iocb
	events   [aioRequests * aioSteps]ioEvent
	requests []byte // the kernel reads and writes here by number: nothing of it may be on a stack
	lists    [aioRequests * slotSize]byte
	ends     [aioRequests * endSize]byte
}

// iocb is struct iocb of linux/aio_abi.h.
type iocb struct {
	data   uint64
	_      uint64 // key and flags
	opcode uint16
	_      int16 // priority
	fd     uint32
	buf    uint64
	size   uint64
	_      [3]uint64 // offset, flags and descriptor of an eventfd
}

// ioEvent is struct io_event of linux/aio_abi.h.
type ioEvent struct {
	data   uint64 // of the iocb
	_      uint64 // its address
	result int64  // bytes, or an errno below zero
	_      int64
}

// openAIO may fail where aio is not compiled in, is forbidden, or where fs.aio-max-nr is used up.
func openAIO() (*aio, error) {
	a := &aio{}
	_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, uintptr(len(a.steps)), uintptr(unsafe.Pointer(&a.context)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_setup", errno)
	}
	return a, nil
}

// close waits for what may be under way.
func (a *aio) close() error {
	_, _, errno := unix.Syscall(unix.SYS_IO_DESTROY, a.context, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("io_destroy", errno)
	}
	return nil
}

// exchange sends requests over a socket that does not block, aioRequests at most, and reads two datagrams after each of them, a list and its end. It returns what it
// has read, in order; that is good until the next call. A longer answer is cut, or left.
func (a *aio) exchange(fd int, requests [][]byte) (datagrams [][]byte, err error) {
	a.requests = a.requests[:0]
	for _, r := range requests {
		a.requests = append(a.requests, r...)
	}
	n, at := 0, 0
	step := func(opcode uint16, b []byte) {
		a.steps[n] = iocb{data: uint64(n), opcode: opcode, fd: uint32(fd), buf: uint64(uintptr(unsafe.Pointer(&b[0]))), size: uint64(len(b))}
		a.given[n] = &a.steps[n]
		n++
	}
	for i, r := range requests {
		step(opWrite, a.requests[at:at+len(r)])
		step(opRead, a.lists[i*slotSize:(i+1)*slotSize])
		step(opRead, a.ends[i*endSize:(i+1)*endSize])
		at += len(r)
	}
	submitted, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, a.context, uintptr(n), uintptr(unsafe.Pointer(&a.given)))
	if errno != 0 {
		return nil, os.NewSyscallError("io_submit", errno)
	}
	over, err := a.wait(submitted)
	if err != nil {
		return nil, err
	}
	runtime.KeepAlive(a)
	for _, e := range over {
		s := a.steps[e.data]
		if s.opcode != opRead || e.result <= 0 { // what failed has no answer
			continue
		}
		i := int(e.data) / aioSteps
		if s.size == slotSize {
			datagrams = append(datagrams, a.lists[i*slotSize:][:e.result])
		} else {
			datagrams = append(datagrams, a.ends[i*endSize:][:e.result])
		}
	}
	return datagrams, nil
}

// wait takes the results of so many steps, which are there.
func (a *aio) wait(n uintptr) ([]ioEvent, error) {
	timeout := unix.NsecToTimespec(answerWithin.Nanoseconds())
	for {
		got, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, a.context, n, n, uintptr(unsafe.Pointer(&a.events)), uintptr(unsafe.Pointer(&timeout)), 0)
		switch {
		case errno == unix.EINTR:
			continue
		case errno != 0:
			return nil, os.NewSyscallError("io_getevents", errno)
		case got != n:
			return nil, fmt.Errorf("io_getevents: %d results of %d", got, n)
		}
		return a.events[:n], nil
	}
}
