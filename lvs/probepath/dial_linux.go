package probepath

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// hops is the time to live of packets by direct routing. IPVS takes one, as a router does (ip_vs_xmit.c, decrement_ttl), which leaves one: enough for
// the server, which is on the same link, and too little for it to hand the packet on if it is a router and does not have the VIP. It would come to the
// owner then, and back from a server that is well.
const hops = 2

// Dial opens a TCP connection to the VIP through the path with that mark, in the network namespace of the calling thread. It needs NET_ADMIN.
//
// Closing the connection resets it. A connection that ends in the ordinary way would be remembered for a minute by this host's TCP and for two by IPVS, which
// does not see the server's side of it (ip_vs_proto_tcp.c, FIN_WAIT); one that was reset for ten seconds by IPVS alone.
//
// Who calls gives each of its questions a port of its own, see [Ports]: while IPVS remembers a connection, what comes from the same port goes to
// the same server, whatever its mark.
func Dial(ctx context.Context, p Path, mark uint32, port uint16, vip netip.AddrPort) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if cerr := raw.Control(func(fd uintptr) { err = prepare(int(fd), p, mark, port, vip.Addr().Is4()) }); cerr != nil {
			return cerr
		}
		return err
	}}
	return d.DialContext(ctx, "tcp", vip.String())
}

func prepare(fd int, p Path, mark uint32, port uint16, is4 bool) error {
	set := func(level, opt, value int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, opt, value))
	}
	err := errors.Join(
		set(unix.SOL_SOCKET, unix.SO_MARK, int(mark)),
		set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		os.NewSyscallError("setsockopt", unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})),
	)
	if p.Forward == lvs.DirectRouting {
		if is4 {
			err = errors.Join(err, set(unix.IPPROTO_IP, unix.IP_TTL, hops))
		} else {
			err = errors.Join(err, set(unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops))
		}
	}
	if err != nil {
		return err
	}
	return os.NewSyscallError("bind", bind(fd, is4, port))
}

func bind(fd int, is4 bool, port uint16) error {
	if is4 {
		return unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)})
	}
	return unix.Bind(fd, &unix.SockaddrInet6{Port: int(port)})
}

// ErrLocal is what Check says of a VIP that this host has.
var ErrLocal = errors.New("this host has the VIP itself: the answer would come from one of its own addresses")

// ErrNoRoute is what Check says where no packet can be sent to the VIP.
var ErrNoRoute = errors.New("this host has no route to the VIP")

// Check says why this host cannot probe servers at the VIP now; nil when it can. It sends nothing.
func Check(vip netip.Addr) error {
	c, err := net.Dial("udp", netip.AddrPortFrom(vip, 9).String()) // connecting looks the route up, and the address to send from
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoRoute, err)
	}
	defer c.Close()
	if from, err := netip.ParseAddrPort(c.LocalAddr().String()); err == nil && from.Addr().Unmap() == vip {
		return ErrLocal
	}
	return nil
}

// freePort asks the kernel for a port that no TCP socket of this host has.
func freePort() (uint16, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	family := "IPv6"
	if err != nil { // a host without IPv6
		family = "IPv4"
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	}
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := bind(fd, family == "IPv4", 0); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	at, err := unix.Getsockname(fd)
	switch a := at.(type) {
	case *unix.SockaddrInet4:
		return uint16(a.Port), err
	case *unix.SockaddrInet6:
		return uint16(a.Port), err
	}
	return 0, os.NewSyscallError("getsockname", err)
}
