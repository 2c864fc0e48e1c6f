package connsync

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"quorate/lvs/conntrack"
)

// tracker is the kernel's connection tracking as a Plane: what nftables balances is nothing but a tracked connection with a translation. It
// speaks the messages of IPVS, so that one relay serves both.
//
// Only of connections of services that are served here is told: the others' entries are copies of what somebody else told of, and two hosts
// that told each other of their copies would keep them for ever. The end of a connection is not told of either, for a copy ends too, when
// its time is over; the states that come before it are, and with them how little time is left.
type tracker struct {
	inside  func(func() error) error
	syncID  uint8
	events  *os.File
	catalog atomic.Pointer[catalogue]

	dropped chan struct{} // has one in it when the kernel has dropped events

	mu  sync.Mutex // of what follows
	fd  int        // for requests
	seq uint32
	buf []byte
}

// The groups of events (NFNLGRP_CONNTRACK_*).
const (
	groupNew    = 1
	groupUpdate = 2
)

const (
	trackerBuffer = 1 << 16
	// eventBuffer is the receive buffer for events, in bytes; when it is full the kernel drops events and says so.
	eventBuffer = 8 << 20
	// gather is how long connections are gathered for one message.
	gather = 20 * time.Millisecond
	// renewEvery is how often connections that have no states are told of again: nothing tells of their packets.
	renewEvery = 15 * time.Second
)

func openTracker(syncID uint8, inside func(func() error) error) (t *tracker, err error) {
	t = &tracker{inside: inside, syncID: syncID, dropped: make(chan struct{}, 1), fd: -1, buf: make([]byte, trackerBuffer)}
	t.catalog.Store(newCatalogue(nil))
	err = inside(func() error {
		if t.fd, err = netfilterSocket(0); err != nil {
			return err
		}
		timeout := unix.Timeval{Sec: 5}
		if err := unix.SetsockoptTimeval(t.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
			return err
		}
		fd, err := netfilterSocket(unix.SOCK_NONBLOCK)
		if err != nil {
			return err
		}
		t.events = os.NewFile(uintptr(fd), "conntrack events")
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, eventBuffer) != nil {
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, eventBuffer)
		}
		for _, g := range []int{groupNew, groupUpdate} {
			if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, g); err != nil {
				return fmt.Errorf("events of connection tracking: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func netfilterSocket(flags int) (int, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|flags, unix.NETLINK_NETFILTER)
	if err != nil {
		return -1, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("opening a netfilter socket: %w", err)
	}
	return fd, nil
}

// services implements source.
func (t *tracker) services(c *catalogue) { t.catalog.Store(c) }

// strangers implements source: netlink has only the kernel's word.
func (t *tracker) strangers() uint64 { return 0 }

func (t *tracker) close() (err error) {
	if t.events != nil {
		err = t.events.Close()
	}
	if t.fd >= 0 {
		err = errors.Join(err, unix.Close(t.fd))
	}
	return err
}

// request sends one message and waits for its acknowledgement, or for the end of a dump. Called with mu held.
func (t *tracker) request(kind, flags uint16, payload []byte, answer func([]byte) bool) error {
	t.seq++
	b := make([]byte, 0, unix.NLMSG_HDRLEN+len(payload))
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.NLMSG_HDRLEN+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = binary.NativeEndian.AppendUint32(b, t.seq)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, payload...)
	if err := unix.Sendto(t.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	for {
		n, _, err := unix.Recvfrom(t.fd, t.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		messages, err := syscall.ParseNetlinkMessage(t.buf[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch {
			case m.Header.Seq != t.seq: // of a dump that was given up
			case m.Header.Type == unix.NLMSG_ERROR || m.Header.Type == unix.NLMSG_DONE:
				if len(m.Data) >= 4 {
					if e := int32(binary.NativeEndian.Uint32(m.Data)); e < 0 {
						return syscall.Errno(-e)
					}
				}
				return nil
			case answer != nil && !answer(m.Data):
				return nil
			}
		}
	}
}

// Table implements Plane. It has a socket of its own, because a dump lasts as long as its reader takes.
func (t *tracker) Table() iter.Seq2[Conn, error] {
	return func(yield func(Conn, error) bool) {
		d := &tracker{buf: make([]byte, trackerBuffer)}
		if err := t.inside(func() (err error) { d.fd, err = netfilterSocket(0); return err }); err != nil {
			yield(Conn{}, err)
			return
		}
		defer unix.Close(d.fd)
		err := d.request(conntrack.Get, unix.NLM_F_DUMP, []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0}, func(b []byte) bool {
			f, err := conntrack.Decode(b)
			if err != nil {
				return yield(Conn{}, fmt.Errorf("%w: %w", errOne, err))
			}
			c, ok := connectionOf(f)
			return !ok || !settled(c) || t.catalog.Load().service(c) == nil || yield(c, nil)
		})
		if err != nil {
			yield(Conn{}, fmt.Errorf("tracked connections: %w", err))
		}
	}
}

// settled reports whether a connection is worth telling of: what is still being opened is opened again by its client.
func settled(c Conn) bool {
	return c.Protocol != unix.IPPROTO_TCP || c.State != stateNone && c.State != stateSynSent && c.State != stateSynRecv
}

// Replay implements Plane.
func (t *tracker) Replay(message []byte) error {
	m, err := DecodeMessage(message)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, c := range m.Conns {
		if s := t.catalog.Load().service(c); s == nil || c.Template() || c.Flags&flagForward != 0 {
			continue // not of ours, or of a kind that translates nothing
		}
		if err := t.put(c); err != nil {
			errs = append(errs, fmt.Errorf("%v → %v: %w", c.Client, c.Virtual, err))
		}
	}
	return errors.Join(errs...)
}

// put makes a tracked connection, or changes it.
func (t *tracker) put(c Conn) error {
	err := t.request(conntrack.New, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL, flowOf(c).AppendNew(nil, c.Destination), nil)
	if errors.Is(err, unix.EEXIST) {
		err = t.request(conntrack.New, unix.NLM_F_ACK, flowOf(c).AppendChange(nil), nil)
	}
	return err
}

// run hears the kernel until ctx ends.
func (t *tracker) run(ctx context.Context, local func(time.Time, []byte), failed func(error)) error {
	heard := make(chan Conn, 4096)
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { t.events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	g.Go(func() error { return t.listen(ctx, heard, failed) })
	g.Go(func() error { return t.gather(ctx, heard, local) })
	g.Go(func() error { return t.renew(ctx, heard, failed) })
	return g.Wait()
}

// listen hears events. When the kernel had to drop some, the whole table is to be told of.
func (t *tracker) listen(ctx context.Context, heard chan<- Conn, failed func(error)) error {
	b := make([]byte, trackerBuffer)
	for {
		n, err := t.events.Read(b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS):
			select {
			case t.dropped <- struct{}{}:
			default: // it is going to be
			}
			continue
		case err != nil:
			return fmt.Errorf("events of connection tracking: %w", err)
		}
		messages, err := syscall.ParseNetlinkMessage(b[:n])
		if err != nil {
			return fmt.Errorf("events of connection tracking: %w", err)
		}
		for _, m := range messages {
			f, err := conntrack.Decode(m.Data)
			if err != nil {
				failed(err)
				continue
			}
			c, ok := connectionOf(f)
			if !ok || !settled(c) || !t.catalog.Load().here(c) {
				continue
			}
			select {
			case heard <- c:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// gather makes messages of connections.
func (t *tracker) gather(ctx context.Context, heard <-chan Conn, local func(time.Time, []byte)) error {
	m := Message{SyncID: t.syncID}
	size := messageHeader
	due := time.NewTimer(gather)
	due.Stop()
	flush := func() {
		if len(m.Conns) > 0 {
			local(time.Now(), AppendMessage(nil, m))
			m.Conns, size = m.Conns[:0], messageHeader
		}
		due.Stop()
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due.C:
			flush()
		case c := <-heard:
			if size+c.size() > tableBody || len(m.Conns) == maxConns {
				flush()
			}
			if len(m.Conns) == 0 {
				due.Reset(gather)
			}
			m.Conns = append(m.Conns, c)
			size += c.size()
		}
	}
}

// renew tells of connections whose packets make no events, and of all of them after events were dropped, beside those who go on hearing events:
// what is read is not what fills the buffer.
func (t *tracker) renew(ctx context.Context, heard chan<- Conn, failed func(error)) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		meant := func(c Conn) bool { return c.Protocol != unix.IPPROTO_TCP }
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.dropped:
			meant = func(Conn) bool { return true }
		case <-tick.C:
			if !t.catalog.Load().datagrams() {
				continue
			}
		}
		err := t.tell(ctx, heard, meant)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed(err)
	}
}

// tell puts the tracked connections that are meant, and wanted, among those that were heard of.
func (t *tracker) tell(ctx context.Context, heard chan<- Conn, meant func(Conn) bool) error {
	for c, err := range t.Table() {
		if err != nil && !errors.Is(err, errOne) {
			return err
		}
		if err != nil || !meant(c) || !t.catalog.Load().here(c) {
			continue
		}
		select {
		case heard <- c:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
