package bfd

import "net/netip"

// Path is that whose life a session tells. There is one session for each.
type Path struct {
	Peer      netip.Addr // without a zone
	Source    netip.Addr // of what is sent; invalid = the kernel chooses
	Interface string     // by which it leaves; "" = as the routes say. An address of a link needs it
	Multihop  bool       // the peer is not on a network of this machine
}

// Want is what is wanted of the session of a path.
type Want struct {
	Params
	MinTTL uint8 // of what is heard over several hops; over one it is always 255 (RFC 5881 §5)
}

// Both is what two wishes for one path come to: the shorter intervals, the smaller multiplier, the stricter limit.
func (w Want) Both(o Want) Want {
	return Want{Params{
		Transmit: min(w.Transmit, o.Transmit), Receive: min(w.Receive, o.Receive), Multiplier: min(w.Multiplier, o.Multiplier), Passive: w.Passive && o.Passive,
	}, max(w.MinTTL, o.MinTTL)}
}

// Datagram is a packet as it has come.
type Datagram struct {
	Payload   []byte
	From, To  netip.Addr // without zones
	Interface string     // by which it has come; only of peers whose address is of a link
	TTL       int        // or hop limit
	Multihop  bool       // it came to the port for that
}

// singleHopTTL is what a packet is sent with, so that one which still has it has crossed no router (RFC 5082).
const singleHopTTL = 255

// admits reports whether a datagram that names no discriminator, or that of the path's session, may be the peer's.
func (p Path) admits(d Datagram, w Want) bool {
	least := singleHopTTL
	if p.Multihop {
		least = int(w.MinTTL)
	}
	return d.From == p.Peer && d.Multihop == p.Multihop && d.TTL >= least &&
		(!p.Source.IsValid() || p.Source == d.To) && (!p.Peer.IsLinkLocalUnicast() || p.Peer.Is4() && p.Interface == "" || p.Interface == d.Interface)
}
