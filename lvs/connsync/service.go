package connsync

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// Service is a virtual service whose connections this host may have.
type Service struct {
	Protocol uint8      // of the IP header
	Addr     netip.Addr // invalid: by Mark
	Port     uint16     // 0 = all
	Mark     uint32
	// Matches are the packets that get the Mark from us; without them others mark what they will. None overlap.
	Matches []lvs.Match
	Forward string // lvs.NAT, lvs.DirectRouting, lvs.Tunnel
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

// protocolName is the inverse of IPProtocol.
func protocolName(protocol uint8) string {
	switch protocol {
	case unix.IPPROTO_TCP:
		return lvs.TCP
	case unix.IPPROTO_UDP:
		return lvs.UDP
	case unix.IPPROTO_SCTP:
		return lvs.SCTP
	}
	return ""
}

// catalogue finds the service of a connection.
type catalogue struct {
	byKey  map[serviceKey]*Service
	byMark map[uint32]*Service
	byAddr map[netip.Addr]*Service // any one of the address that is synced, else any one

	matches *lvs.MatchIndex
	matched []*Service // by the numbers that matches has
}

type serviceKey struct {
	protocol uint8
	addr     netip.Addr
	port     uint16
}

func newCatalogue(services []Service) *catalogue {
	c := &catalogue{byKey: make(map[serviceKey]*Service), byMark: make(map[uint32]*Service), byAddr: make(map[netip.Addr]*Service)}
	var matches []lvs.Match
	for i := range services {
		s := &services[i]
		for _, m := range s.Matches {
			matches, c.matched = append(matches, m), append(c.matched, s)
		}
		if !s.Addr.IsValid() {
			c.byMark[s.Mark] = s
			continue
		}
		c.byKey[serviceKey{s.Protocol, s.Addr, s.Port}] = s
		if had := c.byAddr[s.Addr]; had == nil || !had.Sync {
			c.byAddr[s.Addr] = s
		}
	}
	c.matches = lvs.NewMatchIndex(matches)
	return c
}

// service of the connection, or nil. What persistence remembers may be of all ports of an address, and then names none.
func (c *catalogue) service(x Conn) *Service {
	// Before the mark: a service may be here for some of its matches and on another host for others.
	if n, ok := c.matches.Find(protocolName(x.Protocol), x.Virtual); ok && !x.Template() {
		return c.matched[n]
	}
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
	return slices.ContainsFunc(c.matched, func(s *Service) bool { return s.Protocol != unix.IPPROTO_TCP && s.Sync })
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

// complete adds what the kernel's table does not say of a connection: the flags of its forwarding method, and the mark of its service, by which the
// kernel that is told of it finds the destination. It reports false where the service is not known.
func (c *catalogue) complete(x *Conn) bool {
	s := c.service(*x)
	if s == nil {
		return false
	}
	method := s.Forward
	for _, to := range []netip.AddrPort{x.Destination, netip.AddrPortFrom(x.Destination.Addr(), 0)} {
		if m, ok := s.Methods[to]; ok {
			method = m
			break
		}
	}
	switch method {
	case lvs.Tunnel:
		x.Flags |= flagTunnel | flagNoOutput
	case lvs.DirectRouting:
		x.Flags |= flagRoute | flagNoOutput
	}
	if len(s.Matches) > 0 {
		x.Mark = s.Mark
	}
	return true
}
