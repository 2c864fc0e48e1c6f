package lvs

import (
	"net/netip"
	"time"
)

// Where a director knows a connection from.
const (
	OriginLocal = "local" // it balanced it itself
	OriginSync  = "sync"  // another director told of it
)

// Connection is one connection that the kernel balances, as it remembers it.
type Connection struct {
	Protocol string         // tcp, udp, sctp, or what the kernel calls another one, in small letters; ip in what persistence remembers by a firewall mark
	Client   netip.AddrPort // port 0 in a Template; its address is then that of the client's network, by Persistence.Prefix
	Virtual  netip.AddrPort // what the client asked for
	Server   netip.AddrPort
	State    string        // by the kernel's name, e.g. ESTABLISHED
	Expires  time.Duration // until the kernel forgets it, if nothing comes
	Origin   string        // OriginLocal, OriginSync; "" where the kernel does not say
	Template bool          // no connection, but what persistence remembers of a client
	Mark     uint32        // firewall mark of the service, of a Template by mark; the kernel does not say it of connections
	Engine   string        // of persistence, e.g. sip; "" where the kernel does not say
	Data     string        // that the engine goes by
}

// ConnectionsOf tells which connections belong to service s among all services of the same table. Those of a service whose packets others mark cannot be told by
// what the client asked for: they are those to its servers that belong to no service by address and to none that has Matches.
func ConnectionsOf(s Service, all []Service) func(Connection) bool {
	k := s.Key()
	other := make(map[Key]bool, len(all))
	for _, o := range all {
		if key := o.Key(); key.Mark == 0 && key != k {
			other[key] = true
		}
	}
	if k.Mark == 0 {
		return func(c Connection) bool {
			switch {
			case c.Mark != 0 || c.Protocol != k.Protocol || c.Virtual.Addr() != k.Addr.Addr():
				return false
			case k.Addr.Port() == 0:
				return !other[Key{Protocol: c.Protocol, Addr: c.Virtual}]
			default:
				return c.Virtual.Port() == k.Addr.Port()
			}
		}
	}
	if len(s.Matches) > 0 {
		mine := NewMatchIndex(s.Matches)
		return func(c Connection) bool {
			if c.Mark != 0 {
				return c.Mark == k.Mark && c.Client.Addr().Is4() == k.Addr.Addr().Is4()
			}
			_, is := mine.Find(c.Protocol, c.Virtual)
			return is
		}
	}
	var marked []Match
	for _, o := range all {
		marked = append(marked, o.Matches...)
	}
	known := NewMatchIndex(marked)
	servers := make(map[netip.AddrPort]bool, len(s.Destinations))
	for _, d := range s.Destinations {
		servers[canonical(d.Addr)] = true
	}
	return func(c Connection) bool {
		if c.Mark != 0 {
			return c.Mark == k.Mark && c.Client.Addr().Is4() == k.Addr.Addr().Is4()
		}
		if !servers[c.Server] && !servers[netip.AddrPortFrom(c.Server.Addr(), 0)] {
			return false
		}
		if _, is := known.Find(c.Protocol, c.Virtual); is {
			return false
		}
		whole := netip.AddrPortFrom(c.Virtual.Addr(), 0)
		return c.Virtual.Addr().Is4() == k.Addr.Addr().Is4() &&
			!other[Key{Protocol: c.Protocol, Addr: c.Virtual}] && !other[Key{Protocol: c.Protocol, Addr: whole}]
	}
}
