package simnet

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Host is one machine; it is a cluster.Network.
type Host struct {
	net  *Net
	addr netip.Addr

	mu      sync.Mutex
	listens map[uint16]*listener
	packets map[uint16]*packetConn
	conns   map[*conn]struct{}
	port    uint16 // the last ephemeral one
	dark    bool   // guarded by net.mu: without power
}

// Host returns the machine with this address, made at the first call.
func (n *Net) Host(addr string) *Host {
	a := netip.MustParseAddr(addr)
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[a]
	if h == nil {
		h = &Host{net: n, addr: a, listens: make(map[uint16]*listener), packets: make(map[uint16]*packetConn),
			conns: make(map[*conn]struct{}), port: 40000}
		n.hosts[a] = h
	}
	return h
}

// PowerOff is the loss of the machine: nothing leaves or reaches it any more, and its peers are not told. What its process
// still does has no effect on others; its sockets fail.
func (h *Host) PowerOff() {
	h.setDark(true)
	h.shut(nil)
}

// PowerOn makes the host usable again. Its old sockets stay dead.
func (h *Host) PowerOn() { h.setDark(false) }

// Kill is the end of the process: its streams are reset.
func (h *Host) Kill() { h.shut(syscall.ECONNRESET) }

func (h *Host) setDark(dark bool) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.dark = dark
	h.net.ring()
}

// shut closes all sockets; tell is what the peers of streams get, nil = nothing.
func (h *Host) shut(tell error) {
	h.mu.Lock()
	var all []io.Closer
	for _, l := range h.listens {
		all = append(all, l)
	}
	for _, p := range h.packets {
		all = append(all, p)
	}
	var conns []*conn
	for c := range h.conns {
		conns = append(conns, c)
	}
	clear(h.conns)
	h.mu.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
	for _, c := range conns {
		c.out.fail(net.ErrClosed, tell)
		c.in.fail(tell, net.ErrClosed)
	}
}

func (h *Host) local(addr string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return a, err
	}
	if !a.Addr().IsUnspecified() && a.Addr() != h.addr {
		return a, fmt.Errorf("bind %s on %s: %w", addr, h.addr, syscall.EADDRNOTAVAIL)
	}
	return netip.AddrPortFrom(h.addr, a.Port()), nil
}

// Listen implements cluster.Network.
func (h *Host) Listen(addr string) (net.Listener, error) {
	a, err := h.local(addr)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listens[a.Port()] != nil {
		return nil, fmt.Errorf("bind %s: %w", addr, syscall.EADDRINUSE)
	}
	l := &listener{host: h, addr: a, queue: make(chan *conn, 128), done: make(chan struct{})}
	h.listens[a.Port()] = l
	return l, nil
}

// Dial implements cluster.Network. While the way there or back is cut, or the host is without power, it waits for ctx.
func (h *Host) Dial(ctx context.Context, addr string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	there, back := way{h.addr, to.Addr()}, way{to.Addr(), h.addr}
	for {
		changed := h.net.wake()
		_, ok1 := h.net.open(there)
		_, ok2 := h.net.open(back)
		if ok1 && ok2 {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("dial %s: %w", addr, context.Cause(ctx))
		}
	}
	t := time.NewTimer(h.net.streamDelay(there) + h.net.streamDelay(back))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return nil, fmt.Errorf("dial %s: %w", addr, context.Cause(ctx))
	}
	h.net.mu.Lock()
	peer := h.net.hosts[to.Addr()]
	h.net.mu.Unlock()
	peer.mu.Lock()
	l := peer.listens[to.Port()]
	peer.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
	}
	h.mu.Lock()
	h.port = 40000 + (h.port-39999)%20000
	from := netip.AddrPortFrom(h.addr, h.port)
	h.mu.Unlock()
	out, in := newPipe(h.net, there), newPipe(h.net, back)
	mine := &conn{host: h, local: from, remote: to, out: out, in: in}
	theirs := &conn{host: peer, local: to, remote: from, out: in, in: out}
	h.adopt(mine)
	peer.adopt(theirs)
	select {
	case l.queue <- theirs:
		return mine, nil
	case <-l.done:
	default:
	}
	_ = mine.Close()
	_ = theirs.Close()
	return nil, fmt.Errorf("dial %s: %w", addr, syscall.ECONNREFUSED)
}

func (h *Host) adopt(c *conn) {
	h.mu.Lock()
	h.conns[c] = struct{}{}
	h.mu.Unlock()
}

type listener struct {
	host  *Host
	addr  netip.AddrPort
	queue chan *conn
	once  sync.Once
	done  chan struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "sim", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.host.mu.Lock()
		delete(l.host.listens, l.addr.Port())
		l.host.mu.Unlock()
		close(l.done)
		for {
			select {
			case c := <-l.queue:
				_ = c.Close()
				continue
			default:
			}
			return
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.addr) }
