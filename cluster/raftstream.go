package cluster

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// raftStreams is Raft's stream layer on the mux. Closing it closes every stream that it made or took, so that Raft's
// goroutines do not wait for the timeouts of peers.
type raftStreams struct {
	mux  *mux
	face *face
	self raft.ServerAddress
	in   chan net.Conn

	conns connSet
	cut   atomic.Bool // see cutOff
	done  chan struct{}
	once  sync.Once
}

func newRaftStreams(m *mux, f *face, self raft.ServerAddress) *raftStreams {
	return &raftStreams{mux: m, face: f, self: self, in: make(chan net.Conn), done: make(chan struct{})}
}

// admit hands an accepted stream to Raft.
func (s *raftStreams) admit(conn net.Conn) {
	t, ok := s.track(conn)
	if !ok {
		return
	}
	timer := time.NewTimer(handshakeTimeout)
	defer timer.Stop()
	select {
	case s.in <- t:
	case <-s.done:
		_ = t.Close()
	case <-timer.C:
		_ = t.Close()
	}
}

// track takes conn over; false = the layer is closed or cut off, and conn is closed.
func (s *raftStreams) track(conn net.Conn) (net.Conn, bool) {
	if s.cut.Load() {
		_ = conn.Close()
		return nil, false
	}
	return s.conns.add(conn)
}

// cutOff makes the node silent towards its Raft peers while off is true. A leader whose disk hangs would otherwise keep
// its followers with heartbeats and never be replaced.
func (s *raftStreams) cutOff(off bool) {
	s.cut.Store(off)
	if off {
		s.conns.closeAll()
	}
}

// Accept implements net.Listener.
func (s *raftStreams) Accept() (net.Conn, error) {
	select {
	case c := <-s.in:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (s *raftStreams) Close() error {
	s.once.Do(func() { close(s.done) })
	s.conns.close()
	return nil
}

// Addr implements net.Listener.
func (s *raftStreams) Addr() net.Addr { return raftAddr(s.self) }

// Dial implements raft.StreamLayer.
func (s *raftStreams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	id, addr, err := splitRaftAddress(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-s.done:
			cancel()
		case <-stop:
		}
	}()
	if s.cut.Load() {
		return nil, errDiskStalled
	}
	conn, err := s.mux.dial(ctx, s.face, streamRaft, addr, string(id))
	if err != nil {
		return nil, err
	}
	t, ok := s.track(conn)
	if !ok {
		return nil, net.ErrClosed
	}
	return t, nil
}

// raftAddr is the local address in Raft's words.
type raftAddr raft.ServerAddress

func (raftAddr) Network() string  { return "quorate" }
func (a raftAddr) String() string { return string(a) }
