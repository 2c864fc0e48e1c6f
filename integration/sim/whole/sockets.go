package whole

import (
	"context"
	"fmt"
	"net"
	"slices"

	"quorate/cluster/simnet"
)

// sockets is the network as one process has it: when the process is dead it can open nothing any more, though it may take
// a while to notice and its machine goes on. While it is frozen it reads and writes nothing; its machine's queues fill.
type sockets struct {
	host *simnet.Host
	p    *process
}

func (s sockets) dead(what, addr string) error {
	if s.p.killed() {
		return fmt.Errorf("%s %s: the process is dead: %w", what, addr, net.ErrClosed)
	}
	return nil
}

// Listen implements cluster.Network.
func (s sockets) Listen(addr string) (net.Listener, error) {
	if err := s.dead("listen", addr); err != nil {
		return nil, err
	}
	ln, err := s.host.Listen(addr)
	return listener{ln, s.p}, err
}

// ListenPacket implements cluster.Network.
func (s sockets) ListenPacket(addr string) (net.PacketConn, error) {
	if err := s.dead("listen", addr); err != nil {
		return nil, err
	}
	c, err := s.host.ListenPacket(addr)
	return packets{c, s.p}, err
}

// Dial implements cluster.Network.
func (s sockets) Dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.p.gone:
			cancel()
		case <-ctx.Done():
		}
	}()
	s.p.wait()
	c, err := s.host.Dial(ctx, addr)
	s.p.wait()
	if err != nil {
		return nil, err
	}
	if err := s.dead("dial", addr); err != nil {
		_ = c.Close()
		return nil, err
	}
	return stream{c, s.p}, nil
}

// listener takes streams while its process runs.
type listener struct {
	net.Listener
	p *process
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	l.p.wait()
	if err != nil {
		return nil, err
	}
	return stream{c, l.p}, nil
}

// stream is one of a process's streams.
type stream struct {
	net.Conn
	p *process
}

// Read implements net.Conn.
func (s stream) Read(b []byte) (int, error) {
	s.p.wait()
	n, err := s.Conn.Read(b)
	s.p.wait()
	return n, err
}

// Write implements net.Conn.
func (s stream) Write(b []byte) (int, error) {
	s.p.wait()
	return s.Conn.Write(b)
}

// Close implements net.Conn.
func (s stream) Close() error {
	if s.p.later(false, func() { _ = s.Conn.Close() }) {
		return nil
	}
	return s.Conn.Close()
}

// packets is one of a process's datagram sockets.
type packets struct {
	net.PacketConn
	p *process
}

// ReadFrom implements net.PacketConn.
func (c packets) ReadFrom(b []byte) (int, net.Addr, error) {
	c.p.wait()
	n, from, err := c.PacketConn.ReadFrom(b)
	c.p.wait()
	return n, from, err
}

// WriteTo implements net.PacketConn. It never waits, because the lease holds a lock meanwhile.
func (c packets) WriteTo(b []byte, to net.Addr) (int, error) {
	if c.p.ice.solid.Load() != nil {
		kept := slices.Clone(b)
		if c.p.later(true, func() { _, _ = c.PacketConn.WriteTo(kept, to) }) {
			return len(b), nil
		}
	}
	return c.PacketConn.WriteTo(b, to)
}
