package cluster

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// Network is the one way to the network: everything that this package and the lease send goes through it. Addresses are
// "IP:PORT". A simulated one (see cluster/simnet) lets a whole cluster run in virtual time.
//
// Its methods are safe for concurrent use.
type Network interface {
	// Listen accepts streams at addr.
	Listen(addr string) (net.Listener, error)
	// Dial opens a stream to addr; it gives up when ctx ends.
	Dial(ctx context.Context, addr string) (net.Conn, error)
	// ListenPacket sends and receives datagrams at addr.
	ListenPacket(addr string) (net.PacketConn, error)
}

// HostNetwork is the network of the machine: TCP and UDP.
func HostNetwork() Network { return hostNetwork{} }

type hostNetwork struct{ source netip.Addr }

// sourced is a Network that can be told which address its streams come from.
type sourced interface {
	from(netip.Addr) Network
}

// from returns a network whose streams start at source. Without it the kernel may choose a VIP that the node happens to
// own as the source (for IPv6 by the longest common prefix, RFC 6724 rule 8), and the stream dies when the VIP moves.
func (hostNetwork) from(source netip.Addr) Network { return hostNetwork{source: source} }

// keepAlive notices a dead peer on an idle stream within about five seconds.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3}

func (hostNetwork) Listen(addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: keepAlive}
	return lc.Listen(context.Background(), "tcp", addr)
}

func (h hostNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive}
	if h.source.IsValid() && !h.source.IsUnspecified() {
		d.LocalAddr = &net.TCPAddr{IP: h.source.AsSlice(), Zone: h.source.Zone()}
	}
	return d.DialContext(ctx, "tcp", addr)
}

func (hostNetwork) ListenPacket(addr string) (net.PacketConn, error) {
	var lc net.ListenConfig
	return lc.ListenPacket(context.Background(), "udp", addr)
}

// addresses are where a node listens and where its peers reach it.
type addresses struct {
	bind      netip.AddrPort
	advertise netip.AddrPort
}

// parseAddresses checks --bind and --advertise; an empty advertise means bind.
func parseAddresses(bind, advertise string) (addresses, error) {
	var a addresses
	var err error
	if a.bind, err = netip.ParseAddrPort(bind); err != nil {
		return a, fmt.Errorf("bind address %q is not IP:PORT: use for example 10.0.0.1:7300", bind)
	}
	if advertise == "" {
		advertise = bind
	}
	if a.advertise, err = netip.ParseAddrPort(advertise); err != nil {
		return a, fmt.Errorf("advertise address %q is not IP:PORT: use for example 10.0.0.1:7300", advertise)
	}
	for _, x := range []netip.AddrPort{a.bind, a.advertise} {
		if x.Port() == 0 || x.Port() > 65533 {
			return a, fmt.Errorf("port of %s: want 1 to 65533, because the lease and connection sync use the next two", x)
		}
	}
	if a.advertise.Addr().IsUnspecified() {
		return a, fmt.Errorf("%s is no address that peers can reach: set an advertise address", a.advertise)
	}
	return a, nil
}

// usualPort is where a member is asked when nobody says otherwise.
const usualPort = 7300

// memberAddr reads the address of a member, with or without a port.
func memberAddr(s string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(a, usualPort), nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return a, fmt.Errorf("address %q of a member is not IP:PORT: use for example 10.0.0.1:%d", s, usualPort)
	}
	return a, nil
}

// leaseAddr is the address of the lease's datagrams: the port after that of a node.
func leaseAddr(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), a.Port()+1) }

// syncAddr is the address of connection sync's datagrams: the second port after that of a node.
func syncAddr(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr(), a.Port()+2) }
