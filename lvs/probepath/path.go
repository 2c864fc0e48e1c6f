package probepath

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"quorate/lvs"
)

// Path is how packets for a VIP come to one server. Ports do not matter: one path is for all services that a server has by the same method.
type Path struct {
	Server  netip.Addr
	IPv6    bool   // the VIP's family: a tunnel's ends may be of the other one
	Forward string // lvs.DirectRouting, lvs.Tunnel
	Encap   lvs.Encap
}

// String is the method as people know it: "dr", "tun", "tun gue".
func (p Path) String() string { return strings.TrimSpace(p.Forward + " " + p.Encap.Type) }

// Compare orders paths.
func (p Path) Compare(o Path) int {
	family := func(six bool) int {
		if six {
			return 1
		}
		return 0
	}
	return cmp.Or(p.Server.Compare(o.Server), cmp.Compare(family(p.IPv6), family(o.IPv6)), strings.Compare(p.Forward, o.Forward),
		strings.Compare(p.Encap.Type, o.Encap.Type), cmp.Compare(p.Encap.Port, o.Encap.Port), strings.Compare(p.Encap.Checksum, o.Encap.Checksum))
}

// service is the path as a service by firewall mark. Port 0 leaves the port as it is.
func (p Path) service(mark uint32) lvs.Service {
	any := netip.IPv4Unspecified()
	if p.IPv6 {
		any = netip.IPv6Unspecified()
	}
	return lvs.Service{Mark: mark, Addr: any, Scheduler: "rr", Forward: p.Forward, Encap: p.Encap,
		Destinations: []lvs.Destination{{Addr: netip.AddrPortFrom(p.Server, 0), Weight: 1}}}
}

// Table gives each path a mark, which it keeps for as long as it is wanted. The zero value is empty. It is not safe for concurrent use.
type Table struct {
	marks   map[Path]uint32
	taken   map[uint32]bool // by a path
	foreign map[uint32]bool // another program has a service by it
}

// Set says which paths are wanted. It fails when there are more than marks; those that come first have one then.
func (t *Table) Set(paths []Path) error {
	paths = slices.Clone(paths)
	slices.SortFunc(paths, Path.Compare)
	paths = slices.Compact(paths)
	marks := make(map[Path]uint32, len(paths))
	taken := make(map[uint32]bool, len(paths))
	for _, p := range paths {
		if m, ok := t.marks[p]; ok {
			marks[p], taken[m] = m, true
		}
	}
	next := lvs.FirstProbeMark
	for _, p := range paths {
		if _, ok := marks[p]; ok {
			continue
		}
		for next <= lvs.LastProbeMark && (taken[next] || t.foreign[next]) {
			next++
		}
		if next > lvs.LastProbeMark {
			t.marks, t.taken = marks, taken
			return fmt.Errorf("no firewall mark is free for %d more paths of probes: %d are for them, from %#x on", len(paths)-len(marks), lvs.LastProbeMark-lvs.FirstProbeMark+1, lvs.FirstProbeMark)
		}
		marks[p], taken[next] = next, true
	}
	t.marks, t.taken = marks, taken
	return nil
}

// Avoid gives paths that have these marks other ones, now and for ever: another program has services by them.
func (t *Table) Avoid(foreign []uint32) error {
	paths := make([]Path, 0, len(t.marks))
	for p, m := range t.marks {
		paths = append(paths, p)
		if slices.Contains(foreign, m) {
			delete(t.marks, p)
		}
	}
	if t.foreign == nil {
		t.foreign = make(map[uint32]bool)
	}
	for _, m := range foreign {
		t.foreign[m] = true
	}
	return t.Set(paths)
}

// Mark of the path; 0 when it has none.
func (t *Table) Mark(p Path) uint32 { return t.marks[p] }

// Services are all paths as a kernel's table has them, in canonical form.
func (t *Table) Services() []lvs.Service {
	out := make([]lvs.Service, 0, len(t.marks))
	for p, m := range t.marks {
		out = append(out, p.service(m))
	}
	return lvs.Canonical(out)
}

// Led are the marks by which the kernel leads to the right server, by what a plane has found in it.
func (t *Table) Led(st lvs.Status) map[uint32]bool {
	have := make(map[lvs.Key]lvs.ServiceStatus, len(st.Services))
	for _, s := range st.Services {
		have[s.Key] = s
	}
	out := make(map[uint32]bool, len(t.marks))
	for p, m := range t.marks {
		want := p.service(m)
		s, ok := have[want.Key()]
		if ok && s.Err == "" && s.Have != nil && lvs.Equal(lvs.Canonical([]lvs.Service{*s.Have}), lvs.Canonical([]lvs.Service{want})) {
			out[m] = true
		}
	}
	return out
}
