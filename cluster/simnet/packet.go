package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// inbox bounds the datagrams that wait at a socket, as a kernel's receive buffer does.
const inbox = 512

type packetConn struct {
	host  *Host
	addr  netip.AddrPort
	queue chan datagram
	once  sync.Once
	done  chan struct{}
	rd    deadline
}

type datagram struct {
	data []byte
	from netip.AddrPort
}

// ListenPacket implements cluster.Network.
func (h *Host) ListenPacket(addr string) (net.PacketConn, error) {
	a, err := h.local(addr)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.packets[a.Port()] != nil {
		return nil, fmt.Errorf("bind %s: %w", addr, syscall.EADDRINUSE)
	}
	p := &packetConn{host: h, addr: a, queue: make(chan datagram, inbox), done: make(chan struct{})}
	h.packets[a.Port()] = p
	return p, nil
}

// ReadFrom implements net.PacketConn.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		select {
		case <-p.done:
			return 0, nil, &net.OpError{Op: "read", Net: "sim", Addr: p.LocalAddr(), Err: net.ErrClosed}
		default:
		}
		until, moved := p.rd.get()
		var timer <-chan time.Time
		if !until.IsZero() {
			d := time.Until(until)
			if d <= 0 {
				return 0, nil, os.ErrDeadlineExceeded
			}
			t := time.NewTimer(d)
			defer t.Stop()
			timer = t.C
		}
		select {
		case d := <-p.queue:
			return copy(b, d.data), net.UDPAddrFromAddrPort(d.from), nil
		case <-p.done:
			return 0, nil, &net.OpError{Op: "read", Net: "sim", Addr: p.LocalAddr(), Err: net.ErrClosed}
		case <-timer:
		case <-moved:
		}
	}
}

// WriteTo implements net.PacketConn.
func (p *packetConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	select {
	case <-p.done:
		return 0, &net.OpError{Op: "write", Net: "sim", Addr: p.LocalAddr(), Err: net.ErrClosed}
	default:
	}
	to, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return 0, err
	}
	n := p.host.net
	w := way{p.addr.Addr(), to.Addr()}
	delay, ok := n.datagramDelay(w)
	if !ok {
		if w.from != w.to {
			return len(b), nil // lost
		}
		delay = 0 // a host always reaches itself
	}
	d := datagram{append([]byte(nil), b...), p.addr}
	if w.from == w.to {
		delay = 0
	}
	time.AfterFunc(delay, func() {
		n.mu.Lock()
		host, arrives := n.hosts[w.to], w.from == w.to || !n.cuts[w] && n.alive(w.to)
		n.mu.Unlock()
		if host == nil || !arrives {
			return
		}
		host.mu.Lock()
		q := host.packets[to.Port()]
		host.mu.Unlock()
		if q == nil {
			return
		}
		select {
		case q.queue <- d:
		default: // full
		}
	})
	return len(b), nil
}

// Close implements net.PacketConn.
func (p *packetConn) Close() error {
	p.once.Do(func() {
		p.host.mu.Lock()
		if p.host.packets[p.addr.Port()] == p {
			delete(p.host.packets, p.addr.Port())
		}
		p.host.mu.Unlock()
		close(p.done)
	})
	return nil
}

// LocalAddr implements net.PacketConn.
func (p *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.addr) }

// SetDeadline implements net.PacketConn.
func (p *packetConn) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (p *packetConn) SetReadDeadline(t time.Time) error { p.rd.set(t); return nil }

// SetWriteDeadline implements net.PacketConn; writing never waits.
func (p *packetConn) SetWriteDeadline(time.Time) error { return nil }
