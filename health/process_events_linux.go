package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// listenProcesses subscribes to the process events. The kernel tells of them in the initial network namespace alone; with CAP_SYS_ADMIN an agent in one of its own has its
// socket there, for a socket stays in the namespace where it was made. That is the namespace of process 1, which may be kept from being looked at, and mostly that of
// whoever started the agent in another.
func listenProcesses() (*os.File, error) {
	f, err := subscribeProcesses()
	for _, pid := range []int{1, os.Getppid()} {
		if !errors.Is(err, unix.ECONNREFUSED) { // which says that nobody is behind the connector there
			break
		}
		var there error
		if entered := inNetworkOf(fmt.Sprintf("/proc/%d/ns/net", pid), func() { f, there = subscribeProcesses() }); entered == nil {
			err = there
		}
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		err = errors.New("this network namespace has none, and that of the host cannot be entered")
	}
	return f, err
}

// inNetworkOf runs f on a thread in the network namespace of the path.
func inNetworkOf(path string, f func()) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		back := true // else the thread ends with this goroutine
		defer func() {
			if back {
				runtime.UnlockOSThread()
			}
		}()
		var own, other int
		if own, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(own)
		if other, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(other)
		if err = unix.Setns(other, unix.CLONE_NEWNET); err == nil {
			f()
			back = unix.Setns(own, unix.CLONE_NEWNET) == nil
		}
	}()
	<-done
	return err
}

// subscribeProcesses subscribes where this thread is, and waits for the kernel's word that events come.
func subscribeProcesses() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "process events")
	fail := func(err error) (*os.File, error) {
		_ = f.Close()
		return nil, err
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		return fail(err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20) // what is lost is made up for by a scan
	}
	const listen = 1 // PROC_CN_MCAST_LISTEN
	b := make([]byte, eventAt+4)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_DONE)
	binary.NativeEndian.PutUint32(b[connectorAt:], 1)    // CN_IDX_PROC
	binary.NativeEndian.PutUint32(b[connectorAt+4:], 1)  // CN_VAL_PROC
	binary.NativeEndian.PutUint16(b[connectorAt+16:], 4) // length of what follows
	binary.NativeEndian.PutUint32(b[eventAt:], listen)
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fail(err)
	}
	_ = f.SetReadDeadline(time.Now().Add(time.Second))
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = errors.New("the kernel does not answer")
			}
			return fail(err)
		}
		if e := parseProcessEvent(buf[:n]); e.ok && e.what == processNone {
			if e.failed != 0 {
				return fail(e.failed)
			}
			return f, nil
		}
	}
}
