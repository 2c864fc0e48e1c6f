package connsync

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerSocket carries the datagrams to and from peers. It is safe for concurrent use.
type peerSocket struct {
	*net.UDPConn
	raw syscall.RawConn
	six bool // its addresses are IPv6 ones, or mapped into such
}

// peerBuffer is its receive buffer, in bytes, where the host allows it.
const peerBuffer = 4 << 20

func listen(at netip.AddrPort) (*peerSocket, error) {
	s := &peerSocket{}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, peerBuffer) != nil {
				_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, peerBuffer)
			}
			family, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DOMAIN)
			s.six = err == nil && family == unix.AF_INET6
		})
	}}
	c, err := lc.ListenPacket(context.Background(), "udp", at.String())
	if err != nil {
		return nil, fmt.Errorf("connection sync on UDP %v, the second port after that of --bind: %w", at, err)
	}
	s.UDPConn = c.(*net.UDPConn)
	if s.raw, err = s.SyscallConn(); err != nil {
		return nil, fmt.Errorf("connection sync on UDP %v: %w", at, err)
	}
	return s, nil
}

// send sends a datagram, or fails: it never waits. What waits in the kernel for the MAC address of a peer that has gone fills the socket's send buffer for
// seconds, and the other peers shall not wait for that.
func (s *peerSocket) send(to netip.AddrPort, datagram []byte) error {
	at, err := s.sockaddr(to)
	if err == nil {
		werr := s.raw.Write(func(fd uintptr) bool {
			err = unix.Sendto(int(fd), datagram, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, at)
			return true
		})
		err = errors.Join(werr, err)
	}
	if err != nil {
		return fmt.Errorf("send to %v: %w", to, err)
	}
	return nil
}

func (s *peerSocket) sockaddr(to netip.AddrPort) (unix.Sockaddr, error) {
	a := to.Addr().Unmap()
	switch {
	case s.six:
		zone := uint32(0)
		if a.Zone() != "" {
			i, err := net.InterfaceByName(a.Zone())
			if err != nil {
				return nil, err
			}
			zone = uint32(i.Index)
		}
		return &unix.SockaddrInet6{Port: int(to.Port()), Addr: a.As16(), ZoneId: zone}, nil
	case a.Is4():
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}, nil
	}
	return nil, errors.New("connection sync listens on an IPv4 address: use --bind with an address of the peers' family")
}
