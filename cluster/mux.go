package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// maxPending bounds the streams whose opening is under way, so that strangers cannot fill the process.
const maxPending = 64

// A face is who a node is towards its peers while it is in a cluster.
type face struct {
	key  []byte // for streams
	self string // server id
	// joining says that it is no member yet: it answers the leader, which looks for it under its name, but nobody who looks for
	// any member.
	joining bool
	// accept takes over an admitted stream. It must not block for long.
	accept func(streamKind, net.Conn, hello)
}

// mux is the one listener and the one dialer of streams. The listener is there from the start, so that a node that is not
// in a cluster can say so.
type mux struct {
	network  Network
	log      *slog.Logger
	instance [16]byte
	pending  chan struct{}

	mu   sync.Mutex
	face *face
}

func newMux(network Network, log *slog.Logger) *mux {
	m := &mux{network: network, log: log, pending: make(chan struct{}, maxPending)}
	_, _ = rand.Read(m.instance[:])
	return m
}

// show makes the node answer as f; nil = not in a cluster.
func (m *mux) show(f *face) {
	m.mu.Lock()
	m.face = f
	m.mu.Unlock()
}

func (m *mux) current() *face {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.face
}

// serve accepts streams until ctx ends, and closes ln.
func (m *mux) serve(ctx context.Context, ln net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close()
			}
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("listen on %s: %w", ln.Addr(), err)
			}
			m.log.Warn("cannot accept a stream", "reason", err)
			if !pause(ctx, 100*time.Millisecond) { // out of file descriptors: do not spin
				return nil
			}
			continue
		}
		select {
		case m.pending <- struct{}{}:
		default:
			_ = conn.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-m.pending }()
			m.admit(ctx, conn)
		})
	}
}

func (m *mux) admit(ctx context.Context, conn net.Conn) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(handshakeTimeout))
	var f *face
	h, err := admitStream(conn, func(h hello) ([]byte, streamStatus) {
		f = m.current()
		switch {
		case h.instance == m.instance:
			return nil, statusSelf
		case f == nil, f.joining && h.to == "":
			return nil, statusNoCluster
		case h.to != "" && h.to != f.self:
			return nil, statusOtherServer
		default:
			return f.key, statusOK
		}
	})
	if !stop() || err != nil {
		if err != nil && errors.Is(err, ErrOtherKey) {
			m.log.Debug("stream refused", "peer", conn.RemoteAddr().String(), "reason", err)
		}
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	f.accept(h.kind, conn, h)
}

// dial opens a stream to the server named to ("" = whoever answers) at addr. f is who we are; its key must be the peer's.
func (m *mux) dial(ctx context.Context, f *face, kind streamKind, addr, to string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	conn, err := m.network.Dial(ctx, addr)
	if err != nil {
		return nil, fmt.Errorf("cannot reach %s: %w", addr, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(deadlineOf(ctx, handshakeTimeout))
	err = openStream(conn, f.key, hello{kind: kind, instance: m.instance, from: f.self, to: to})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	_ = conn.SetDeadline(time.Time{})
	return conn, nil
}

// pause waits for d; false = ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
