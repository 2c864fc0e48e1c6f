package connsync

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// Service is a virtual service whose connections this host may have.
type Service struct {
	Protocol uint8      // of the IP header
	Addr     netip.Addr // invalid: by Mark
	Port     uint16     // 0 = all
	Mark     uint32
	Forward  string // lvs.NAT, lvs.DirectRouting, lvs.Tunnel
	// Methods are of the servers whose forwarding method is another.
	Methods map[netip.AddrPort]string
	// Masquerade says that the source is rewritten too. Such a connection is bound to an address of the director's own.
	Masquerade bool
	Sync       bool
	Here       bool // it is served by this host now
}

// IPProtocol is the number of lvs.TCP, lvs.UDP or "sctp" in the IP header; 0 for what is none of them.
func IPProtocol(name string) uint8 {
	switch name {
	case lvs.TCP:
		return unix.IPPROTO_TCP
	case lvs.UDP:
		return unix.IPPROTO_UDP
	case "sctp":
		return unix.IPPROTO_SCTP
	}
	return 0
}

// catalogue finds the service of a connection.
type catalogue struct {
	byKey  map[serviceKey]*Service
	byMark map[uint32]*Service
	byAddr map[netip.Addr]*Service // any one of the address that is synced, else any one
}

type serviceKey struct {
	protocol uint8
	addr     netip.Addr
	port     uint16
}

func newCatalogue(services []Service) *catalogue {
	c := &catalogue{byKey: make(map[serviceKey]*Service), byMark: make(map[uint32]*Service), byAddr: make(map[netip.Addr]*Service)}
	for i := range services {
		s := &services[i]
		if !s.Addr.IsValid() {
			c.byMark[s.Mark] = s
			continue
		}
		c.byKey[serviceKey{s.Protocol, s.Addr, s.Port}] = s
		if had := c.byAddr[s.Addr]; had == nil || !had.Sync {
			c.byAddr[s.Addr] = s
		}
	}
	return c
}

// service of the connection, or nil. What persistence remembers may be of all ports of an address, and then names none.
func (c *catalogue) service(x Conn) *Service {
	if x.Mark != 0 {
		if s := c.byMark[x.Mark]; s != nil {
			return s
		}
	}
	a := x.Virtual.Addr()
	for _, port := range []uint16{x.Virtual.Port(), 0} {
		if s := c.byKey[serviceKey{x.Protocol, a, port}]; s != nil {
			return s
		}
	}
	if x.Template() {
		return c.byAddr[a]
	}
	return nil
}

// wanted reports whether the connection is of a service that is synced. A probe's is not, though it is to the same address and port: to the others it would
// be one more of the server's connections, and a drain would never end.
func (c *catalogue) wanted(x Conn) bool {
	if lvs.IsProbeMark(x.Mark) {
		return false
	}
	s := c.service(x)
	return s != nil && s.Sync && !s.Masquerade
}

// here reports whether the connection is wanted and of a service that is served here.
func (c *catalogue) here(x Conn) bool { return c.wanted(x) && c.service(x).Here }

// datagrams reports whether a service that is synced is not TCP.
func (c *catalogue) datagrams() bool {
	for k, s := range c.byKey {
		if k.protocol != unix.IPPROTO_TCP && s.Sync {
			return true
		}
	}
	return false
}

// String is for messages.
func (s Service) String() string {
	if !s.Addr.IsValid() {
		return fmt.Sprintf("the service by firewall mark %d", s.Mark)
	}
	return fmt.Sprintf("the service on %v, IP protocol %d", netip.AddrPortFrom(s.Addr, s.Port), s.Protocol)
}

// Flags of the forwarding methods (IP_VS_CONN_F_FWD_MASK), and of a connection whose answers do not pass the director.
const (
	flagTunnel   = 2
	flagRoute    = 3
	flagNoOutput = 0x0080
)

// flags of the forwarding method that the connection has.
func (c *catalogue) flags(x Conn) (uint32, bool) {
	s := c.service(x)
	if s == nil {
		return 0, false
	}
	method := s.Forward
	if m, ok := s.Methods[x.Destination]; ok {
		method = m
	}
	switch method {
	case lvs.Tunnel:
		return flagTunnel | flagNoOutput, true
	case lvs.DirectRouting:
		return flagRoute | flagNoOutput, true
	}
	return 0, true
}
