package bfd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Sockets is the Network of this machine.
type Sockets struct{}

// RFC 5881 §4: packets come from these ports, each session's always from the same.
const (
	firstSourcePort = 49152
	sourcePorts     = 16384
	sourceTries     = 64
)

// listening is an open port of one address family.
type listening struct {
	conn     *net.UDPConn
	raw      syscall.RawConn
	multihop bool
	hear     func(Datagram)
}

// Listen implements Network.
func (Sockets) Listen(v6, multihop bool, hear func(Datagram)) (Listener, error) {
	port, network := PortSingleHop, "udp4"
	if multihop {
		port = PortMultihop
	}
	if v6 {
		network = "udp6"
	}
	lc := net.ListenConfig{Control: controlled(func(fd int) error {
		if v6 {
			return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1), unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
		}
		return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_RECVTTL, 1), unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
	})}
	c, err := lc.ListenPacket(context.Background(), network, ":"+strconv.Itoa(port))
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return nil, fmt.Errorf("another program has UDP port %d: stop its BFD (bfdd of FRR, BIRD, keepalived, an agent with checks of type bfd), or see `ss -lunp sport = :%d`", port, port)
	case err != nil:
		return nil, err
	}
	conn := c.(*net.UDPConn)
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &listening{conn, raw, multihop, hear}, nil
}

// Run implements Listener.
func (l *listening) Run() {
	_ = l.raw.Read(func(fd uintptr) bool { // it ends when the socket is closed
		l.drain(int(fd))
		return false
	})
}

// Drain implements Listener.
func (l *listening) Drain() { _ = l.raw.Control(func(fd uintptr) { l.drain(int(fd)) }) }

// Close implements Listener.
func (l *listening) Close() error { return l.conn.Close() }

// maxDrained bounds what is heard at once; the rest is heard right after.
const maxDrained = 4096

func (l *listening) drain(fd int) {
	var payload, control [256]byte // a Control packet with the longest authentication has less
	for range maxDrained {
		n, cn, _, from, err := unix.Recvmsg(fd, payload[:], control[:], unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		d := Datagram{Payload: payload[:n], Multihop: l.multihop}
		switch a := from.(type) {
		case *unix.SockaddrInet4:
			d.From = netip.AddrFrom4(a.Addr)
		case *unix.SockaddrInet6:
			d.From = netip.AddrFrom16(a.Addr)
		}
		if d.read(control[:cn]) == nil {
			l.hear(d)
		}
	}
}

// read takes what the kernel says of the datagram besides.
func (d *Datagram) read(control []byte) error {
	var index int
	if d.From.Is4() {
		var m ipv4.ControlMessage
		if err := m.Parse(control); err != nil {
			return err
		}
		to, _ := netip.AddrFromSlice(m.Dst)
		d.To, d.TTL, index = to.Unmap(), m.TTL, m.IfIndex
	} else {
		var m ipv6.ControlMessage
		if err := m.Parse(control); err != nil {
			return err
		}
		to, _ := netip.AddrFromSlice(m.Dst)
		d.To, d.TTL, index = to, m.HopLimit, m.IfIndex
	}
	if !d.From.IsLinkLocalUnicast() {
		return nil
	}
	link, err := net.InterfaceByIndex(index)
	if err == nil {
		d.Interface = link.Name
	}
	return err
}

// Dial implements Network.
func (Sockets) Dial(p Path) (io.WriteCloser, error) {
	to := netip.AddrPortFrom(p.Peer, PortSingleHop)
	if p.Multihop {
		to = netip.AddrPortFrom(p.Peer, PortMultihop)
	}
	if p.Peer.IsLinkLocalUnicast() && p.Peer.Is6() {
		to = netip.AddrPortFrom(p.Peer.WithZone(p.Interface), to.Port())
	}
	source := p.Source
	if !source.IsValid() {
		source = netip.IPv4Unspecified()
		if p.Peer.Is6() {
			source = netip.IPv6Unspecified()
		}
	}
	dialer := net.Dialer{Control: controlled(func(fd int) error { return p.prepare(fd) })}
	start := rand.IntN(sourcePorts)
	var err error
	for i := range sourceTries {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, uint16(firstSourcePort+(start+i)%sourcePorts)))
		var c net.Conn
		if c, err = dialer.Dial("udp", to.String()); err == nil {
			return sender{c}, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return nil, err
}

// prepare sets up the socket of a path.
func (p Path) prepare(fd int) error {
	if p.Interface != "" {
		if err := unix.BindToDevice(fd, p.Interface); err != nil {
			return fmt.Errorf("interface %q: %w", p.Interface, err)
		}
	}
	level, hops := unix.IPPROTO_IP, unix.IP_TTL
	tos, class := unix.IP_TOS, 0xc0 // CS6, which routers keep for their own protocols
	if p.Peer.Is6() {
		level, hops, tos = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_TCLASS
	}
	return os.NewSyscallError("setsockopt", cmp.Or(unix.SetsockoptInt(fd, level, hops, singleHopTTL), unix.SetsockoptInt(fd, level, tos, class)))
}

// sender is the socket of a session.
type sender struct{ net.Conn }

// Write sends a packet. That the last one found nobody who listens is no reason not to have sent this one.
func (s sender) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if errors.Is(err, unix.ECONNREFUSED) {
		n, err = s.Conn.Write(b)
	}
	if errors.Is(err, unix.ECONNREFUSED) {
		return len(b), nil
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return n, err
}

// controlled is a Control of package net.
func controlled(prepare func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) { err = prepare(int(fd)) })
		return errors.Join(cerr, err)
	}
}
