package health

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// pingSocket is a datagram socket of ICMP that is connected to the target. The error is EACCES where this process may have none.
func pingSocket(t Target) (net.Conn, error) {
	addr := t.Addr.Addr().Unmap()
	family, proto, level, option := unix.AF_INET6, unix.IPPROTO_ICMPV6, unix.IPPROTO_IPV6, unix.IPV6_RECVERR
	if addr.Is4() {
		family, proto, level, option = unix.AF_INET, unix.IPPROTO_ICMP, unix.IPPROTO_IP, unix.IP_RECVERR
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "icmp")
	defer f.Close() // net has a copy
	if err := t.Egress.prepare(fd); err != nil {
		return nil, err
	}
	// Without it the kernel keeps to itself what routers say of hosts.
	if err := unix.SetsockoptInt(fd, level, option, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if t.Egress.Source.IsValid() {
		if err := unix.Bind(fd, pingAddr(t.Egress.Source.Unmap())); err != nil {
			return nil, os.NewSyscallError("bind", err)
		}
	}
	if err := unix.Connect(fd, pingAddr(addr)); err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	return net.FileConn(f)
}

// pingAddr is the address as the kernel has it, with its link and without a port.
func pingAddr(a netip.Addr) unix.Sockaddr {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4()}
	}
	s := &unix.SockaddrInet6{Addr: a.As16()}
	if link, err := net.InterfaceByName(a.Zone()); err == nil {
		s.ZoneId = uint32(link.Index)
	}
	return s
}
