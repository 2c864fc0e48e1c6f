package lvs

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The protocols, forwarding methods (ipvsadm's -m, -g, -i) and the highest weight.
const (
	TCP  = "tcp"
	UDP  = "udp"
	SCTP = "sctp"

	NAT           = "nat"
	DirectRouting = "dr"
	Tunnel        = "tun"

	// MaxWeight is the highest weight of a destination (ipvsadm(8), --weight).
	MaxWeight = 65535
)

// Service is one virtual service with its real servers.
type Service struct {
	Addr     netip.Addr `json:"addr"`     // with a Mark only its family counts
	Port     uint16     `json:"port"`     // 0 = all ports of the protocol, for a client whose connections go to one server (Persistence)
	Protocol string     `json:"protocol"` // tcp, udp, sctp; "" with a Mark
	// Mark takes the packets that carry this firewall mark, whatever they are addressed to; 0 = by address.
	Mark uint32 `json:"fwmark,omitempty"`
	// Matches are the packets that we give the Mark to: several addresses and ports in one service. Sorted; empty = others mark them.
	Matches   []Match `json:"matches,omitempty"`
	Scheduler string  `json:"scheduler"` // rr, wrr, lc, wlc, sh …
	// Flags are those of the scheduler, by the names that ipvsadm gives them: sh-port, sh-fallback, mh-port, mh-fallback. Sorted.
	Flags []string `json:"flags,omitempty"`
	// OnePacket schedules each datagram for itself (ipvsadm's -o). udp only.
	OnePacket   bool        `json:"one_packet,omitempty"`
	Persistence Persistence `json:"persistence,omitzero"`
	Forward     string      `json:"forward"` // nat, dr, tun: of the destinations that do not say otherwise
	Encap       Encap       `json:"encap,omitzero"`
	// Masquerade rewrites the source of balanced connections to the director's address, for servers whose way back
	// does not lead through the director.
	Masquerade bool `json:"masquerade,omitempty"`
	// Ends ends the connections to what is none of the destinations any more, at their next packet. The kernel keeps no note of it. IPVS does so anyway, where
	// net.ipv4.vs.expire_nodest_conn is 1.
	Ends         bool          `json:"ends,omitempty"`
	Destinations []Destination `json:"destinations,omitempty"`
}

// Destination is one real server of a service.
type Destination struct {
	Addr   netip.AddrPort `json:"addr"`
	Weight int            `json:"weight"` // 0–65535; 0 = no new connections, established ones go on
	// Forward is the forwarding method of this destination; "" = the service's, and Encap with it.
	Forward string `json:"forward,omitempty"`
	Encap   Encap  `json:"encap,omitzero"`
	// Upper is the number of connections at which it gets no new ones, until there are fewer than Lower, or than three quarters of
	// Upper where that is 0 (ip_vs_conn.c, ip_vs_bind_dest and ip_vs_dest_update_overload). 0 = no limit.
	Upper uint32 `json:"upper_threshold,omitempty"`
	Lower uint32 `json:"lower_threshold,omitempty"`
}

// Key identifies a service in the kernel.
type Key struct {
	Protocol string // "" = by firewall mark: the address is 0.0.0.0 or ::, for the family, and there is no port
	Addr     netip.AddrPort
	Mark     uint32
}

// Key of the service.
func (s Service) Key() Key {
	if s.Mark != 0 {
		any := netip.IPv4Unspecified()
		if s.Addr.Unmap().Is6() {
			any = netip.IPv6Unspecified()
		}
		return Key{Mark: s.Mark, Addr: netip.AddrPortFrom(any, 0)}
	}
	return Key{Protocol: s.Protocol, Addr: netip.AddrPortFrom(s.Addr.Unmap(), s.Port)}
}

// String is the text form, e.g. "tcp 192.0.2.10:80", "fwmark 7" or "fwmark 7 ipv6".
func (k Key) String() string {
	switch {
	case k.Mark == 0:
		return k.Protocol + " " + k.Addr.String()
	case k.Addr.Addr().Is6():
		return fmt.Sprintf("fwmark %d ipv6", k.Mark)
	default:
		return fmt.Sprintf("fwmark %d", k.Mark)
	}
}

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(b []byte) error {
	proto, addr, ok := strings.Cut(string(b), " ")
	if !ok {
		return fmt.Errorf("service key %q: want PROTOCOL ADDRESS:PORT or fwmark NUMBER", b)
	}
	if proto == "fwmark" {
		number, six := strings.CutSuffix(addr, " ipv6")
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n == 0 {
			return fmt.Errorf("service key %q: want fwmark NUMBER, with a number from 1 to %d", b, uint32(math.MaxUint32))
		}
		s := Service{Mark: uint32(n), Addr: netip.IPv4Unspecified()}
		if six {
			s.Addr = netip.IPv6Unspecified()
		}
		*k = s.Key()
		return nil
	}
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("service key %q: %w", b, err)
	}
	*k = Key{Protocol: proto, Addr: a}
	return nil
}

// Compare orders keys by address, port, protocol, and puts those by firewall mark first.
func (k Key) Compare(o Key) int {
	return cmp.Or(k.Addr.Compare(o.Addr), strings.Compare(k.Protocol, o.Protocol), cmp.Compare(k.Mark, o.Mark))
}

// Method is how packets go to a destination of the service, with what belongs to a tunnel.
func (s Service) Method(d Destination) (forward string, e Encap) {
	if d.Forward == "" {
		return s.Forward, s.Encap
	}
	return d.Forward, d.Encap
}

// Usable reports whether at least one destination takes new connections.
func (s Service) Usable() bool {
	return slices.ContainsFunc(s.Destinations, func(d Destination) bool { return d.Weight > 0 })
}

// Canonical returns the services in the form that Diff, Compare and the planes work on: IPv4-mapped addresses unmapped,
// sorted by key, destinations sorted by address; what says nothing is left out (a destination's method that is the service's, what a
// tunnel has where there is none). The argument is not changed; what is in that form already is shared with the result.
func Canonical(services []Service) []Service {
	out := slices.Clone(services)
	for i := range out {
		out[i] = out[i].canonical()
	}
	if !slices.IsSortedFunc(out, byKey) {
		slices.SortStableFunc(out, byKey)
	}
	return out
}

func byKey(a, b Service) int { return a.Key().Compare(b.Key()) }

func (s Service) canonical() Service {
	s.Addr = s.Addr.Unmap()
	if s.Mark != 0 {
		s.Addr, s.Port, s.Protocol = s.Key().Addr.Addr(), 0, ""
	}
	s.Matches = canonicalMatches(s.Matches)
	if s.Forward != Tunnel {
		s.Encap = Encap{}
	}
	s.Encap = s.Encap.canonical()
	if s.Persistence.Prefix == s.Addr.BitLen() {
		s.Persistence.Prefix = 0
	}
	if len(s.Flags) > 0 {
		s.Flags = slices.Compact(slices.Sorted(slices.Values(s.Flags)))
	}
	if s.destinationsCanonical() {
		return s
	}
	s.Destinations = slices.Clone(s.Destinations)
	for j, d := range s.Destinations {
		s.Destinations[j] = s.canonicalDestination(d)
	}
	slices.SortStableFunc(s.Destinations, byAddr)
	return s
}

func byAddr(a, b Destination) int { return a.Addr.Compare(b.Addr) }

func (s Service) destinationsCanonical() bool {
	for j := range s.Destinations {
		d := &s.Destinations[j]
		// The comparison of the whole is for the few that say more than an address and a weight: there may be tens of thousands.
		if short := d.Forward == "" && d.Encap.none() && !d.Addr.Addr().Is4In6(); !short && *d != s.canonicalDestination(*d) {
			return false
		}
		if j > 0 && s.Destinations[j-1].Addr.Compare(d.Addr) > 0 {
			return false
		}
	}
	return true
}

func (s Service) canonicalDestination(d Destination) Destination {
	d.Addr = canonical(d.Addr)
	if d.Forward == "" && d.Encap == (Encap{}) {
		return d
	}
	if d.Forward != Tunnel {
		d.Encap = Encap{}
	}
	if d.Encap = d.Encap.canonical(); d.Forward == s.Forward && d.Encap == s.Encap {
		d.Forward, d.Encap = "", Encap{}
	}
	return d
}

// Equal reports whether two lists are the same, in the same order.
func Equal(a, b []Service) bool { return slices.EqualFunc(a, b, Service.equal) }

func (s Service) equal(o Service) bool {
	return s.Key() == o.Key() && s.like(o) && s.Ends == o.Ends && s.Forward == o.Forward && s.Encap == o.Encap && slices.Equal(s.Destinations, o.Destinations)
}

func canonical(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Text renders services one per line with their destinations indented below, sorted, for tests and logs.
func Text(services []Service) string {
	var b strings.Builder
	for _, s := range Canonical(services) {
		fmt.Fprintf(&b, "%v %s\n", s.Key(), s.words())
		for _, m := range s.Matches {
			fmt.Fprintf(&b, "  takes %v\n", m)
		}
		for _, d := range s.Destinations {
			fmt.Fprintf(&b, "  %v %s\n", d.Addr, d.words())
		}
	}
	return b.String()
}

// words are what the service is like, without its key.
func (s Service) words() string {
	w := append([]string{s.Scheduler}, s.Flags...)
	w = append(w, s.Forward)
	w = append(w, s.Encap.words()...)
	if s.Masquerade {
		w = append(w, "masquerade")
	}
	if s.OnePacket {
		w = append(w, "one-packet")
	}
	return strings.Join(append(w, s.Persistence.words()...), " ")
}

// words are what the destination is like, without its address.
func (d Destination) words() string {
	w := []string{"weight", strconv.Itoa(d.Weight)}
	if d.Forward != "" {
		w = append(append(w, d.Forward), d.Encap.words()...)
	}
	if d.Upper > 0 {
		w = append(w, "upper", strconv.FormatUint(uint64(d.Upper), 10))
	}
	if d.Lower > 0 {
		w = append(w, "lower", strconv.FormatUint(uint64(d.Lower), 10))
	}
	return strings.Join(w, " ")
}
