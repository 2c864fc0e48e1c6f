package lvs

import (
	"net/netip"
	"slices"
)

// Scope is what is ours in the kernel, beside what is wanted: nothing in the kernel itself says so. The lists are sorted, each thing once.
type Scope struct {
	// Addrs are addresses whose services are ours. So are those of the wanted services.
	Addrs []netip.Addr `json:"addresses,omitempty"`
	// Marks are firewall marks whose services are ours. A wanted mark is not ours for that: a service by it that is there already, and neither in
	// Marks nor made by this plane, is another program's, and the wanted one is refused.
	Marks []uint32 `json:"fwmarks,omitempty"`
}

// ScopeOf is the scope of the services.
func ScopeOf(services []Service) Scope {
	var s Scope
	for _, x := range services {
		if x.Mark != 0 {
			s.Marks = append(s.Marks, x.Mark)
		} else {
			s.Addrs = append(s.Addrs, x.Addr.Unmap())
		}
	}
	return s.Union()
}

// Union is what is in s or in one of the others.
func (s Scope) Union(others ...Scope) Scope {
	out := Scope{slices.Clone(s.Addrs), slices.Clone(s.Marks)}
	for _, o := range others {
		out.Addrs, out.Marks = append(out.Addrs, o.Addrs...), append(out.Marks, o.Marks...)
	}
	slices.SortFunc(out.Addrs, netip.Addr.Compare)
	slices.Sort(out.Marks)
	return Scope{slices.Compact(out.Addrs), slices.Compact(out.Marks)}
}

// WithoutMarks is s without the firewall marks.
func (s Scope) WithoutMarks(marks []uint32) Scope {
	s.Marks = slices.DeleteFunc(slices.Clone(s.Marks), func(m uint32) bool { return slices.Contains(marks, m) })
	return s
}

// Equal reports whether both hold the same.
func (s Scope) Equal(o Scope) bool {
	return slices.Equal(s.Addrs, o.Addrs) && slices.Equal(s.Marks, o.Marks)
}

// Empty reports whether nothing is in it.
func (s Scope) Empty() bool { return len(s.Addrs) == 0 && len(s.Marks) == 0 }
