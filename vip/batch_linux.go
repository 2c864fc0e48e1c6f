package vip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// batchCommands bounds the requests of one system call. The answers, were all of them errors, fit into the default receive buffer.
const batchCommands = 64

// batchPatience is for the impossible: the kernel answers inside the system call that asks.
const batchPatience = 5 * time.Second

// batch is a socket of rtnetlink for many requests in one system call: an address that is put by itself costs three of them, and
// each its own wait for the scheduler. It is for one caller at a time.
type batch struct {
	fd  int
	seq uint32
	out []byte
	buf []byte
}

// openBatch opens a socket in the network namespace of the calling thread.
func openBatch() (*batch, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", os.NewSyscallError("socket", err))
	}
	patience := unix.NsecToTimeval(int64(batchPatience))
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &patience),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1), // errors without a copy of the request
	)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	return &batch{fd: fd, buf: make([]byte, os.Getpagesize())}, nil
}

// close may be called again: the number may be another file's by then.
func (b *batch) close() {
	if b.fd >= 0 {
		unix.Close(b.fd)
		b.fd = -1
	}
}

// do carries out requests of one type in order, also after one has failed, and returns the error of each. There are at most
// batchCommands of them. The second result is the socket's own error and leaves unknown how far the kernel came.
func (b *batch) do(typ, flags uint16, bodies [][]byte) ([]error, error) {
	errs := make([]error, len(bodies))
	first := b.seq + 1
	b.out = b.out[:0]
	for i, body := range bodies {
		b.seq++
		f := unix.NLM_F_REQUEST | flags
		if i == len(bodies)-1 {
			f |= unix.NLM_F_ACK // errors are answered in any case, and this answer is the last
		}
		size := unix.NLMSG_HDRLEN + len(body)
		b.out = binary.NativeEndian.AppendUint32(b.out, uint32(size))
		b.out = binary.NativeEndian.AppendUint16(b.out, typ)
		b.out = binary.NativeEndian.AppendUint16(b.out, f)
		b.out = binary.NativeEndian.AppendUint32(b.out, b.seq)
		b.out = binary.NativeEndian.AppendUint32(b.out, 0)
		b.out = append(b.out, body...)
		b.out = append(b.out, make([]byte, (unix.NLMSG_ALIGNTO-size%unix.NLMSG_ALIGNTO)%unix.NLMSG_ALIGNTO)...)
	}
	if err := unix.Sendto(b.fd, b.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("rtnetlink: %w", os.NewSyscallError("sendto", err))
	}
	for {
		n, _, err := unix.Recvfrom(b.fd, b.buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("rtnetlink: %w", os.NewSyscallError("recvfrom", err))
		}
		messages, err := syscall.ParseNetlinkMessage(b.buf[:n])
		if err != nil {
			return nil, fmt.Errorf("rtnetlink: %w", err)
		}
		for _, m := range messages {
			i := m.Header.Seq - first
			if m.Header.Type != unix.NLMSG_ERROR || i >= uint32(len(errs)) || len(m.Data) < 4 {
				continue
			}
			if no := int32(binary.NativeEndian.Uint32(m.Data)); no != 0 {
				errs[i] = unix.Errno(-no)
			}
			if m.Header.Seq == b.seq {
				return errs, nil
			}
		}
	}
}
