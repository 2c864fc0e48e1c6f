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

// loop is the piece of local network between the kernel's daemons and us: a multicast group on the interface lo. What is sent there never
// leaves the host.
//
// The kernel's master sends to port and the following, one for each of its threads (the sysctl sync_ports); its backup listens on the ports
// after those. Were they the same, a host's backup would take in what its own master says.
type loop struct {
	group   netip.Addr
	name    string // of the interface: lo, or the one that carries the kernels' multicast, where nothing is heard by us
	index   int
	port    uint16
	threads int
}

const loopback = "lo"

// sysctl of how many threads a sync daemon gets, each with a port of its own (IPVS_SYNC_PORTS_MAX).
const maxThreads = 64

func newLoop(group netip.Addr, name string, port uint16, threads int) (*loop, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("interface %q for connection sync: %w", name, err)
	}
	if i.Flags&net.FlagUp == 0 {
		return nil, fmt.Errorf("interface %s, which connection sync uses, is down: run ip link set %s up", name, name)
	}
	return &loop{group: group, name: name, index: i.Index, port: port, threads: max(1, min(threads, maxThreads))}, nil
}

// listen opens the sockets that hear the kernel's master, one for each of its threads. They must be there before the master is started: the
// kernel finds its way to them when it connects.
func (l *loop) listen() (out []*net.UDPConn, err error) {
	for i := range l.threads {
		c, err := l.hear(l.port + uint16(i))
		if err != nil {
			for _, o := range out {
				o.Close()
			}
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// captureBuffer is the receive buffer of a socket that hears the kernel, in bytes: the kernel drops what does not fit.
const captureBuffer = 4 << 20

func (l *loop) hear(port uint16) (*net.UDPConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, loopback)
			if e := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer); err == nil && !errors.Is(e, unix.EPERM) {
				err = e
			}
			if err == nil {
				err = l.join(int(fd))
			}
		})
		return errors.Join(cerr, err)
	}}
	c, err := lc.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(l.group, port).String())
	if err != nil {
		return nil, fmt.Errorf("hear the kernel's sync daemon on lo, group %v port %d: %w", l.group, port, err)
	}
	return c.(*net.UDPConn), nil
}

func (l *loop) join(fd int) error {
	return unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreqn{Multiaddr: l.group.As4(), Ifindex: int32(l.index)})
}

// speak opens the socket that speaks to the kernel's backup on a port, and to nobody beyond this host: the packets' TTL is 0.
func (l *loop) speak(port uint16) (*net.UDPConn, error) {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		cerr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptIPMreqn(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(l.index)})
			err = errors.Join(err, unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 0))
		})
		return errors.Join(cerr, err)
	}}
	c, err := d.Dial("udp4", netip.AddrPortFrom(l.group, port).String())
	if err != nil {
		return nil, fmt.Errorf("speak to the kernel's sync daemon group %v port %d: %w", l.group, port, err)
	}
	return c.(*net.UDPConn), nil
}
