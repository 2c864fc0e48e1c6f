package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// safetyScan is how often /proc is read as a whole though events tell of everything.
const safetyScan = 30 * time.Second

// processes hears of every process by the kernel's process events connector (drivers/connector/cn_proc.c). Where there is none, or no right to it, it
// hears of the end of the processes that are known, by their pidfds, and says so.
func (w *Watch) processes(ctx context.Context, hint func(id string)) error {
	c, err := listenProcesses()
	if err != nil {
		w.fault(string(TypeProcess), fmt.Sprintf("the start of a process is noticed at the interval of its check only, its end at once: the kernel's process events are not to be had (%v); "+
			"they need CAP_NET_ADMIN, a kernel with CONFIG_PROC_EVENTS, the process namespace of the host, and its network namespace or CAP_SYS_ADMIN to enter it", err))
		return w.byPidfd(ctx, hint)
	}
	defer c.Close()
	w.fault(string(TypeProcess), "")
	w.table.events(true)
	defer w.table.events(false)
	tell := w.tell(ctx, hint)
	targets, changed := w.of(TypeProcess)
	for id := range targets {
		tell(id) // what happened before
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	buf := make([]byte, 64<<10)
	for last := time.Now(); len(targets) > 0; {
		select {
		case <-changed:
			targets, changed = w.of(TypeProcess)
			continue
		default:
		}
		_ = c.SetReadDeadline(time.Now().Add(time.Second)) // for changed, and the scan
		if ctx.Err() != nil {
			return nil
		}
		n, err := c.Read(buf)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ENOBUFS): // some were lost
			last = time.Time{}
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			return err
		default:
			for _, id := range w.table.take(parseProcessEvent(buf[:n])) {
				tell(id)
			}
		}
		if time.Since(last) > safetyScan {
			last = time.Now()
			for _, id := range w.table.rescan() {
				tell(id)
			}
		}
	}
	return nil
}

// tell hints now, and again when a change has lasted.
func (w *Watch) tell(ctx context.Context, hint func(id string)) func(id string) {
	return func(id string) {
		hint(id)
		if d := w.table.delay(id); d > 0 {
			time.AfterFunc(d+time.Millisecond, func() {
				if ctx.Err() == nil {
					hint(id)
				}
			})
		}
	}
}

// byPidfd hints when one of the processes that are known ends. Probes find new ones.
func (w *Watch) byPidfd(ctx context.Context, hint func(id string)) error {
	grown := make(chan struct{}, 1)
	w.table.onGrowth(func() {
		select {
		case grown <- struct{}{}:
		default:
		}
	})
	defer w.table.onGrowth(nil)
	ended := make(chan int)
	open := map[int]*os.File{}
	ctx, cancel := context.WithCancel(ctx)
	var g sync.WaitGroup
	defer func() {
		cancel()
		for _, f := range open {
			_ = f.Close()
		}
		g.Wait()
	}()
	tell := w.tell(ctx, hint)
	targets, changed := w.of(TypeProcess)
	for _, id := range w.table.rescan() {
		tell(id)
	}
	again := time.NewTimer(watchRetry * 6) // the right may have been given, the module loaded
	defer again.Stop()
	for len(targets) > 0 {
		for pid := range w.table.pids() {
			if open[pid] != nil {
				continue
			}
			fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
			if err != nil {
				for _, id := range w.table.ended(pid) {
					tell(id)
				}
				continue
			}
			f := os.NewFile(uintptr(fd), fmt.Sprintf("pidfd of %d", pid))
			open[pid] = f
			g.Go(func() {
				if !awaitReadable(f) {
					return // it was closed
				}
				select {
				case ended <- pid:
				case <-ctx.Done():
				}
			})
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			targets, changed = w.of(TypeProcess)
			w.table.rescan()
		case <-grown:
		case <-again.C:
			return nil // from the beginning
		case pid := <-ended:
			_ = open[pid].Close()
			delete(open, pid)
			for _, id := range w.table.ended(pid) {
				tell(id)
			}
		}
	}
	return nil
}

// awaitReadable waits until the file can be read, which a pidfd can when its process has ended; false when it is closed first.
func awaitReadable(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	return raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		return err == nil && n > 0
	}) == nil
}

func (p *processTable) onGrowth(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grown = f
}

// take carries an event into the table and returns the targets that it changes.
func (p *processTable) take(e processEvent) []string {
	switch e.what {
	case processFork:
		return p.forked(e.parent, e.pid)
	case processExec, processComm:
		return p.appeared(e.pid)
	case processExit:
		return p.ended(e.pid)
	default:
		return nil
	}
}

// The events of linux/cn_proc.h that matter here.
const (
	processNone uint32 = 0 // the answer to a subscription
	processFork uint32 = 1
	processExec uint32 = 2
	processComm uint32 = 0x200
	processExit uint32 = 0x80000000
)

// processEvent is what happened to a process; those of threads are none.
type processEvent struct {
	what        uint32
	pid, parent int
	failed      unix.Errno // of processNone
	ok          bool
}

// Offsets into a datagram: nlmsghdr, cn_msg, proc_event (linux/netlink.h, connector.h, cn_proc.h).
const (
	connectorAt = 16
	eventAt     = connectorAt + 20
	eventDataAt = eventAt + 16
)

// parseProcessEvent reads one datagram of the connector; ok is false of what is none, or about a thread.
func parseProcessEvent(b []byte) processEvent {
	if len(b) < eventDataAt+8 || binary.NativeEndian.Uint32(b[connectorAt:]) != 1 || binary.NativeEndian.Uint32(b[connectorAt+4:]) != 1 {
		return processEvent{}
	}
	word := func(i int) uint32 {
		if at := eventDataAt + 4*i; at+4 <= len(b) {
			return binary.NativeEndian.Uint32(b[at:])
		}
		return 0
	}
	switch what := binary.NativeEndian.Uint32(b[eventAt:]); what {
	case processNone:
		return processEvent{what: what, failed: unix.Errno(word(0)), ok: true}
	case processFork: // parent_pid, parent_tgid, child_pid, child_tgid
		if word(2) != word(3) {
			return processEvent{}
		}
		return processEvent{what: what, parent: int(word(1)), pid: int(word(3)), ok: true}
	case processExec, processComm: // pid, tgid
		return processEvent{what: what, pid: int(word(1)), ok: true}
	case processExit:
		if word(0) != word(1) {
			return processEvent{}
		}
		return processEvent{what: what, pid: int(word(1)), ok: true}
	default:
		return processEvent{}
	}
}
