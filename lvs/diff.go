package lvs

import (
	"fmt"
	"slices"
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
		return fmt.Sprintf("%v %v %v %s", c.Op, c.Service.Key(), c.Destination.Addr, c.Destination.words())
	case RemoveDestination:
		return fmt.Sprintf("%v %v %v", c.Op, c.Service.Key(), c.Destination.Addr)
	case RemoveService:
		return fmt.Sprintf("%v %v", c.Op, c.Service.Key())
	default:
		return fmt.Sprintf("%v %v %s", c.Op, c.Service.Key(), c.Service.words())
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
		case !h.like(w):
			out = append(out, Change{Op: EditService, Service: bare(w)})
		}
		out = append(out, diffDestinations(h, w)...)
	}
	return out
}

// like reports whether the services are the same but for their destinations and how packets go to those.
func (s Service) like(o Service) bool {
	return s.Scheduler == o.Scheduler && s.Masquerade == o.Masquerade && s.OnePacket == o.OnePacket && s.Persistence == o.Persistence &&
		slices.Equal(s.Flags, o.Flags)
}

// resolved is the destination with its method spelled out.
func (s Service) resolved(d Destination) Destination {
	d.Forward, d.Encap = s.Method(d)
	return d
}

// diffDestinations merges two lists that are sorted by address, so that a table of tens of thousands costs no map.
func diffDestinations(have, want Service) []Change {
	var s Service // made when it is first needed
	change := func(op Op, d Destination) Change {
		if s.Scheduler == "" {
			s = bare(want)
		}
		return Change{Op: op, Service: s, Destination: d}
	}
	var add, edit, remove []Change
	h, w := have.Destinations, want.Destinations
	for len(h) > 0 || len(w) > 0 {
		order := 0
		switch {
		case len(h) == 0:
			order = 1
		case len(w) == 0:
			order = -1
		default:
			order = h[0].Addr.Compare(w[0].Addr)
		}
		switch {
		case order < 0:
			remove = append(remove, change(RemoveDestination, h[0]))
		case order > 0:
			add = append(add, change(AddDestination, w[0]))
		case have.resolved(h[0]) != want.resolved(w[0]):
			edit = append(edit, change(EditDestination, w[0]))
		}
		if order <= 0 {
			h = h[1:]
		}
		if order >= 0 {
			w = w[1:]
		}
	}
	return append(append(add, edit...), remove...)
}

func bare(s Service) Service {
	s.Destinations = nil
	return s
}
