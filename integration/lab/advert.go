package lab

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/mdlayher/ethernet"
)

// Advert is a VRRP advertisement that a host sent into the switch, as far as both versions agree.
type Advert struct {
	At                  Instant
	Host                string
	MAC                 string // from which the frame comes
	Source, Destination netip.Addr
	Version, VRID       uint8
	Priority            uint8 // 0 = it stops
	Addresses           []netip.Addr
}

// String is for a person.
func (a Advert) String() string {
	return fmt.Sprintf("%s (%s > %s) v%d vrid %d priority %d %v", a.Host, a.Source, a.Destination, a.Version, a.VRID, a.Priority, a.Addresses)
}

// parseAdvert reads an advertisement. At and Host are the caller's.
func parseAdvert(frame []byte) (Advert, bool) {
	if len(frame) < etherLen {
		return Advert{}, false
	}
	p := frame[etherLen:]
	a := Advert{MAC: net.HardwareAddr(frame[6:12]).String()}
	size := 0
	switch binary.BigEndian.Uint16(frame[etherLen-2:]) {
	case etherTypeIP:
		if len(p) < 20 || p[0]>>4 != 4 || p[9] != protoVRRP {
			return Advert{}, false
		}
		a.Source, a.Destination, size = netip.AddrFrom4([4]byte(p[12:16])), netip.AddrFrom4([4]byte(p[16:20])), 4
		p = p[min(int(p[0]&0xf)*4, len(p)):]
	case uint16(ethernet.EtherTypeIPv6):
		if len(p) < ipv6HeaderLen || p[0]>>4 != 6 || p[6] != protoVRRP {
			return Advert{}, false
		}
		a.Source, a.Destination, size = netip.AddrFrom16([16]byte(p[8:24])), netip.AddrFrom16([16]byte(p[24:40])), 16
		p = p[ipv6HeaderLen:]
	default:
		return Advert{}, false
	}
	if len(p) < vrrpHeader {
		return Advert{}, false
	}
	a.Version, a.VRID, a.Priority = p[0]>>4, p[1], p[2]
	for i, rest := 0, p[vrrpHeader:]; i < int(p[3]) && len(rest) >= size; i, rest = i+1, rest[size:] {
		x, _ := netip.AddrFromSlice(rest[:size])
		a.Addresses = append(a.Addresses, x)
	}
	return a, true
}

// Adverts are those of a virtual router, IPv6's (six) or IPv4's, in the window, by time. By unicast each peer gets its own.
func (c *Capture) Adverts(vrid uint8, six bool, window Span) []Advert {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drain()
	var out []Advert
	for _, a := range c.adverts {
		if a.VRID == vrid && a.Source.Is6() == six && a.At >= window.From && a.At < window.To {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b Advert) int { return cmp.Compare(a.At, b.At) })
	return out
}
