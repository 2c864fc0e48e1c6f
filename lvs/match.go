package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
)

// Match is packets that belong to a service by firewall mark: those that we mark for it. Of a service without one others mark the packets.
type Match struct {
	First    netip.Addr `json:"first"` // of the addresses that they are sent to, First = Last for a single one
	Last     netip.Addr `json:"last"`
	Protocol string     `json:"protocol"`            // tcp, udp, sctp
	FromPort uint16     `json:"from_port,omitempty"` // to ToPort; both 0 = all ports
	ToPort   uint16     `json:"to_port,omitempty"`
	// Routed addresses are nobody's on this network: the network routes them to a VIP, and the director takes them in as its own.
	Routed bool `json:"routed,omitempty"`
}

// String renders the match as in "tcp 192.0.2.10-192.0.2.19 ports 80-89".
func (m Match) String() string {
	s := m.Protocol + " " + m.First.String()
	if m.First != m.Last {
		s += "-" + m.Last.String()
	}
	switch {
	case m.FromPort == 0:
		s += " all ports"
	case m.FromPort == m.ToPort:
		s += " port " + strconv.Itoa(int(m.FromPort))
	default:
		s += fmt.Sprintf(" ports %d-%d", m.FromPort, m.ToPort)
	}
	if m.Routed {
		s += " routed"
	}
	return s
}

// Compare orders matches by protocol, address and port.
func (m Match) Compare(o Match) int {
	return cmp.Or(cmp.Compare(m.Protocol, o.Protocol), m.First.Compare(o.First), m.Last.Compare(o.Last),
		cmp.Compare(m.FromPort, o.FromPort), cmp.Compare(m.ToPort, o.ToPort))
}

// Overlaps reports whether a packet can belong to both.
func (m Match) Overlaps(o Match) bool {
	return m.Protocol == o.Protocol && m.First.Compare(o.Last) <= 0 && o.First.Compare(m.Last) <= 0 &&
		(m.FromPort == 0 || o.FromPort == 0 || m.FromPort <= o.ToPort && o.FromPort <= m.ToPort)
}

// canonical has the addresses unmapped.
func (m Match) canonical() Match {
	m.First, m.Last = m.First.Unmap(), m.Last.Unmap()
	return m
}

func canonicalMatches(list []Match) []Match {
	if len(list) == 0 {
		return nil
	}
	out := make([]Match, len(list))
	for i, m := range list {
		out[i] = m.canonical()
	}
	slices.SortFunc(out, Match.Compare)
	return slices.Compact(out)
}

func (s Service) validateMatches(f *faults) {
	if s.Mark == 0 && len(s.Matches) > 0 {
		f.add("what is to be marked, without a firewall mark: set one")
	}
	valid := len(*f)
	for _, m := range s.Matches {
		switch {
		case !m.First.IsValid() || m.First.IsUnspecified() || m.First.Zone() != "" || m.First.BitLen() != m.Last.BitLen() || m.Last.Less(m.First):
			f.add("match %v: want addresses of one family, the first not after the last", m)
		case m.First.Is4() != s.Addr.Unmap().Is4():
			f.add("match %v is of another family than the service: make a second one", m)
		case m.Protocol != TCP && m.Protocol != UDP && m.Protocol != SCTP:
			f.add("match %v: protocol %q: use tcp, udp or sctp", m, m.Protocol)
		case m.FromPort > m.ToPort || m.FromPort == 0 && m.ToPort != 0:
			f.add("match %v: want the first port not after the last, or none of them", m)
		}
	}
	if len(*f) > valid {
		return
	}
	Overlapping(s.Matches, func(i, j int) {
		f.add("match %v: %v has some of its packets, too: give each packet to one", s.Matches[j], s.Matches[i])
	})
}
