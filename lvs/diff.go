package lvs

import (
	"fmt"
	"net/netip"
	"strings"
)

// Op is one kind of change of a kernel's table.
type Op int

// The operations.
const (
	AddService Op = iota + 1
	EditService
	RemoveService // with its destinations
	AddDestination
	EditDestination
	RemoveDestination
)

// String names the operation.
func (o Op) String() string {
	switch o {
	case AddService:
		return "add service"
	case EditService:
		return "edit service"
	case RemoveService:
		return "remove service"
	case AddDestination:
		return "add destination"
	case EditDestination:
		return "edit destination"
	case RemoveDestination:
		return "remove destination"
	default:
		return fmt.Sprintf("op %d", int(o))
	}
}

// Change is one step from one table to another.
type Change struct {
	Op Op
	// Service as it shall be; as it is for RemoveService. Its Destinations are to be ignored.
	Service     Service
	Destination Destination // of the three destination operations
}

// String renders the change on one line, e.g. "edit destination tcp 192.0.2.10:80 10.0.0.11:8080 weight 0".
func (c Change) String() string {
	switch c.Op {
	case AddDestination, EditDestination:
		return fmt.Sprintf("%v %v %v weight %d", c.Op, c.Service.Key(), c.Destination.Addr, c.Destination.Weight)
	case RemoveDestination:
		return fmt.Sprintf("%v %v %v", c.Op, c.Service.Key(), c.Destination.Addr)
	case RemoveService:
		return fmt.Sprintf("%v %v", c.Op, c.Service.Key())
	default:
		return strings.TrimSuffix(fmt.Sprintf("%v %s", c.Op, Text([]Service{{
			Addr: c.Service.Addr, Port: c.Service.Port, Protocol: c.Service.Protocol,
			Scheduler: c.Service.Scheduler, Forward: c.Service.Forward, Masquerade: c.Service.Masquerade,
		}})), "\n")
	}
}

// Diff returns the changes that lead from have to want, in an order that is safe to carry out one by one:
//
//   - services that nobody wants go first, so that their addresses and ports are free;
//   - an existing service is edited in place, so that its connections and its scheduler's state stay;
//   - inside a service destinations are added and edited before others are removed, so that it is never without one
//     that it has in both tables;
//   - the forwarding method belongs to a destination in the kernel: a service whose method changes edits them all.
//
// Neither argument is changed; equal tables give no changes; the result depends on the arguments alone.
func Diff(have, want []Service) []Change {
	have, want = Canonical(have), Canonical(want)
	wanted := make(map[Key]bool, len(want))
	for _, s := range want {
		wanted[s.Key()] = true
	}
	var out []Change
	old := make(map[Key]Service, len(have))
	for _, s := range have {
		old[s.Key()] = s
		if !wanted[s.Key()] {
			out = append(out, Change{Op: RemoveService, Service: bare(s)})
		}
	}
	for _, w := range want {
		h, ok := old[w.Key()]
		switch {
		case !ok:
			out = append(out, Change{Op: AddService, Service: bare(w)})
		case h.Scheduler != w.Scheduler || h.Masquerade != w.Masquerade:
			out = append(out, Change{Op: EditService, Service: bare(w)})
		}
		out = append(out, diffDestinations(h, w)...)
	}
	return out
}

func diffDestinations(have, want Service) []Change {
	s := bare(want)
	old := make(map[netip.AddrPort]int, len(have.Destinations))
	for _, d := range have.Destinations {
		old[d.Addr] = d.Weight
	}
	var add, edit, remove []Change
	for _, d := range want.Destinations {
		weight, ok := old[d.Addr]
		delete(old, d.Addr)
		switch {
		case !ok:
			add = append(add, Change{Op: AddDestination, Service: s, Destination: d})
		case weight != d.Weight || have.Forward != want.Forward:
			edit = append(edit, Change{Op: EditDestination, Service: s, Destination: d})
		}
	}
	for _, d := range have.Destinations {
		if _, left := old[d.Addr]; left {
			delete(old, d.Addr)
			remove = append(remove, Change{Op: RemoveDestination, Service: s, Destination: d})
		}
	}
	return append(append(add, edit...), remove...)
}

func bare(s Service) Service {
	s.Destinations = nil
	return s
}
