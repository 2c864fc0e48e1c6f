package lvstest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"quorate/lvs"
)

// RandomServices are up to eight services on the managed addresses, and by firewall marks where they can be, that a plane with these
// capabilities can do. None is on port 80.
func RandomServices(r *rand.Rand, c lvs.Capabilities) (out []lvs.Service) {
	for port := range uint16(r.IntN(8)) {
		out = append(out, randomService(r, c, 8000+port))
	}
	return out
}

// Mutate changes a table in one or two places, or not at all.
func Mutate(r *rand.Rand, c lvs.Capabilities, services []lvs.Service) []lvs.Service {
	out := Clone(lvs.Canonical(services))
	for range r.IntN(3) {
		if len(out) == 0 {
			return RandomServices(r, c)
		}
		i := r.IntN(len(out))
		s := &out[i]
		if s.Mark != 0 && r.IntN(2) == 0 {
			randomMatches(r, c, s)
		}
		switch r.IntN(7) {
		case 0:
			out = slices.Delete(out, i, i+1)
		case 1:
			s.Scheduler, s.Flags = pick(r, c.AllSchedulers()), nil
			randomKind(r, c, s)
		case 2:
			s.Masquerade = c.Masquerade && s.Forward == lvs.NAT && !s.Masquerade
		case 3:
			randomKind(r, c, s)
		case 4:
			randomDestinations(r, c, s)
		default:
			for j := range s.Destinations {
				s.Destinations[j].Weight = r.IntN(4)
			}
		}
	}
	return out
}

// Clone copies the services with their lists.
func Clone(services []lvs.Service) []lvs.Service {
	out := slices.Clone(services)
	for i := range out {
		s := &out[i]
		s.Destinations, s.Flags, s.Matches = slices.Clone(s.Destinations), slices.Clone(s.Flags), slices.Clone(s.Matches)
	}
	return out
}

func randomService(r *rand.Rand, c lvs.Capabilities, port uint16) lvs.Service {
	s := lvs.Service{
		Addr: pick(r, Managed), Port: port, Protocol: pick(r, c.Protocols),
		Scheduler: pick(r, c.AllSchedulers()), Forward: pick(r, c.Forwards),
	}
	if c.Marks && r.IntN(4) == 0 {
		s.Mark, s.Port, s.Protocol = uint32(port), 0, ""
		randomMatches(r, c, &s)
	}
	s.Masquerade = c.Masquerade && s.Forward == lvs.NAT && r.IntN(2) == 0
	if s.Forward == lvs.Tunnel {
		s.Encap = randomEncap(r, c)
	}
	randomKind(r, c, &s)
	randomDestinations(r, c, &s)
	return s
}

// randomMatches gives a service by firewall mark what it takes, where the plane can: none, or some in a block of ports and addresses that is its own.
func randomMatches(r *rand.Rand, c lvs.Capabilities, s *lvs.Service) {
	s.Matches = nil
	if !c.Ports {
		return
	}
	block := int(s.Mark % 64)
	for i := range r.IntN(4) {
		m := lvs.Match{Protocol: pick(r, c.Protocols), FromPort: uint16(10000 + 500*block + 100*i)}
		m.ToPort = m.FromPort + uint16(r.IntN(100))
		m.First, m.Last = Managed[0], Managed[r.IntN(2)]
		if s.Addr.Is6() {
			m.First, m.Last = Managed[2], Managed[2]
		}
		s.Matches = append(s.Matches, m)
	}
	if c.Addresses && r.IntN(2) == 0 {
		m := lvs.Match{Protocol: pick(r, c.Protocols), Routed: true}
		if m.First, m.Last = Routed4.Addr(), Routed4.Addr(); s.Addr.Is6() {
			m.First, m.Last = Routed6.Addr(), Routed6.Addr()
		}
		for range 16*(block%16) + r.IntN(8) {
			m.First = m.First.Next()
		}
		m.Last = m.First
		for range r.IntN(9) {
			m.Last = m.Last.Next()
		}
		s.Matches = append(s.Matches, m)
	}
}

// randomKind gives the service flags and persistence.
func randomKind(r *rand.Rand, c lvs.Capabilities, s *lvs.Service) {
	s.Flags, s.Persistence, s.OnePacket = nil, lvs.Persistence{}, false
	for _, f := range lvs.SchedulerFlags(s.Scheduler) {
		if slices.Contains(c.Flags, f) && r.IntN(2) == 0 {
			s.Flags = append(s.Flags, f)
		}
	}
	switch r.IntN(4) {
	case 0:
		if c.Persistence {
			s.Persistence.Timeout = time.Duration(1+r.IntN(600)) * time.Second
			s.Persistence.Prefix = pick(r, []int{0, 24, s.Addr.BitLen()})
		}
	case 1:
		s.OnePacket = c.OnePacket && s.Protocol == lvs.UDP
	}
}

func randomEncap(r *rand.Rand, c lvs.Capabilities) (e lvs.Encap) {
	e.Type = pick(r, c.Tunnels)
	switch e.Type {
	case lvs.GUE:
		e.Port, e.Checksum = uint16(6000+r.IntN(3)), pick(r, []string{"", lvs.NoChecksum, lvs.Checksum, lvs.RemoteChecksum})
	case lvs.GRE:
		e.Checksum = pick(r, []string{"", lvs.Checksum})
	}
	return e
}

// randomDestinations are up to four, some of which have a method or limits of their own.
func randomDestinations(r *rand.Rand, c lvs.Capabilities, s *lvs.Service) {
	s.Destinations = nil
	for i := range r.IntN(5) {
		d := lvs.Destination{Weight: r.IntN(5)}
		if r.IntN(4) == 0 {
			if d.Forward = pick(r, c.Forwards); d.Forward == lvs.Tunnel {
				d.Encap = randomEncap(r, c)
			}
		}
		if c.Thresholds && r.IntN(4) == 0 {
			d.Upper = uint32(10 + r.IntN(10))
			d.Lower = uint32(r.IntN(10))
		}
		text, to := fmt.Sprintf("10.9.0.%d", 11+i), uint16(8080)
		if s.Addr.Is6() {
			text = fmt.Sprintf("fd00:9::%d", 11+i)
		}
		if forward, _ := s.Method(d); forward != lvs.NAT || s.Mark != 0 {
			to = s.Port
		}
		d.Addr = netip.AddrPortFrom(netip.MustParseAddr(text), to)
		s.Destinations = append(s.Destinations, d)
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }
