package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The protocols, forwarding methods (ipvsadm's -m, -g, -i) and the highest weight.
const (
	TCP = "tcp"
	UDP = "udp"

	NAT           = "nat"
	DirectRouting = "dr"
	Tunnel        = "tun"

	// MaxWeight is the highest weight of a destination (ipvsadm(8), --weight).
	MaxWeight = 65535
)

// Service is one virtual service with its real servers.
type Service struct {
	Addr      netip.Addr `json:"addr"`
	Port      uint16     `json:"port"`
	Protocol  string     `json:"protocol"`  // tcp, udp
	Scheduler string     `json:"scheduler"` // rr, wrr, lc, wlc, sh …
	Forward   string     `json:"forward"`   // nat, dr, tun
	// Masquerade rewrites the source of balanced connections to the director's address, for servers whose way back
	// does not lead through the director.
	Masquerade   bool          `json:"masquerade,omitempty"`
	Destinations []Destination `json:"destinations,omitempty"`
}

// Destination is one real server of a service.
type Destination struct {
	Addr   netip.AddrPort `json:"addr"`
	Weight int            `json:"weight"` // 0–65535; 0 = no new connections, established ones go on
}

// Key identifies a service in the kernel.
type Key struct {
	Protocol string
	Addr     netip.AddrPort
}

// Key of the service.
func (s Service) Key() Key {
	return Key{Protocol: s.Protocol, Addr: netip.AddrPortFrom(s.Addr.Unmap(), s.Port)}
}

// String is the text form, e.g. "tcp 192.0.2.10:80".
func (k Key) String() string { return k.Protocol + " " + k.Addr.String() }

// MarshalText implements encoding.TextMarshaler.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Key) UnmarshalText(b []byte) error {
	proto, addr, ok := strings.Cut(string(b), " ")
	if !ok {
		return fmt.Errorf("service key %q: want PROTOCOL ADDRESS:PORT", b)
	}
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("service key %q: %w", b, err)
	}
	k.Protocol, k.Addr = proto, a
	return nil
}

// Compare orders keys by address, port, protocol.
func (k Key) Compare(o Key) int {
	return cmp.Or(k.Addr.Compare(o.Addr), strings.Compare(k.Protocol, o.Protocol))
}

// Usable reports whether at least one destination takes new connections.
func (s Service) Usable() bool {
	return slices.ContainsFunc(s.Destinations, func(d Destination) bool { return d.Weight > 0 })
}

// validate reports what no plane can do.
func (s Service) validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !s.Addr.IsValid() || s.Addr.IsUnspecified() {
		bad("address %v is not an address that clients can reach", s.Addr)
	}
	if s.Addr.Zone() != "" {
		bad("address %v has a zone: use an address without one", s.Addr)
	}
	if s.Port == 0 {
		bad("port 0: use 1 to 65535")
	}
	seen := make(map[netip.AddrPort]bool, len(s.Destinations))
	for _, d := range s.Destinations {
		switch a := canonical(d.Addr); {
		case !a.IsValid() || a.Port() == 0 || a.Addr().IsUnspecified() || a.Addr().Zone() != "":
			bad("server %v: want ADDRESS:PORT with a port from 1 to 65535 and no zone", d.Addr)
		case seen[a]:
			bad("server %v is there twice: list it once, with the sum of the weights", d.Addr)
		case s.Addr.IsValid() && a.Addr().Is4() != s.Addr.Unmap().Is4():
			bad("server %v is of another address family than %v: use servers of the same family", d.Addr, s.Addr)
		case s.Forward != NAT && a.Port() != s.Port:
			bad("server %v: forwarding method %s cannot change the port: use port %d or forward = \"nat\"", d.Addr, s.Forward, s.Port)
		case d.Weight < 0 || d.Weight > MaxWeight:
			bad("server %v: weight %d: use 0 to %d", d.Addr, d.Weight, MaxWeight)
		default:
			seen[a] = true
		}
	}
	return errors.Join(errs...)
}

// Canonical returns the services in the form that Diff, Compare and the planes work on: IPv4-mapped addresses unmapped,
// sorted by key, destinations sorted by address. The argument is not changed.
func Canonical(services []Service) []Service {
	out := slices.Clone(services)
	for i := range out {
		s := &out[i]
		s.Addr = s.Addr.Unmap()
		s.Destinations = slices.Clone(s.Destinations)
		for j := range s.Destinations {
			s.Destinations[j].Addr = canonical(s.Destinations[j].Addr)
		}
		slices.SortStableFunc(s.Destinations, func(a, b Destination) int { return a.Addr.Compare(b.Addr) })
	}
	slices.SortStableFunc(out, func(a, b Service) int { return a.Key().Compare(b.Key()) })
	return out
}

func canonical(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Text renders services one per line with their destinations indented below, sorted, for tests and logs.
func Text(services []Service) string {
	var b strings.Builder
	for _, s := range Canonical(services) {
		fmt.Fprintf(&b, "%v %s %s", s.Key(), s.Scheduler, s.Forward)
		if s.Masquerade {
			b.WriteString(" masquerade")
		}
		b.WriteByte('\n')
		for _, d := range s.Destinations {
			fmt.Fprintf(&b, "  %v weight %d\n", d.Addr, d.Weight)
		}
	}
	return b.String()
}
