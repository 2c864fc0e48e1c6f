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
//     that it has in both tables, and those that take new connections come before those that take none any more, so that it is never without
//     a usable one if it has one before and after;
//   - the forwarding method belongs to a destination in the kernel: a service whose method changes edits them all.
//
// Neither argument is changed; equal tables give no changes; the result depends on the arguments alone.
func Diff(have, want []Service) []Change { return DiffCanonical(Canonical(have), Canonical(want)) }

// DiffCanonical is Diff for what is in the form of Canonical already.
func DiffCanonical(have, want []Service) []Change {
	// Both are sorted, and walked side by side: a table of tens of thousands costs no map.
	var remove, out []Change
	for len(have) > 0 || len(want) > 0 {
		switch order := first(have, want, byKey); {
		case order < 0:
			remove = append(remove, Change{Op: RemoveService, Service: bare(have[0])})
			have = have[1:]
		case order > 0:
			out = append(out, Change{Op: AddService, Service: bare(want[0])})
			out = append(out, diffDestinations(Service{}, want[0])...)
			want = want[1:]
		default:
			if !have[0].like(want[0]) {
				out = append(out, Change{Op: EditService, Service: bare(want[0])})
			}
			out = append(out, diffDestinations(have[0], want[0])...)
			have, want = have[1:], want[1:]
		}
	}
	return append(remove, out...)
}

// first compares the first of two lists, of which one may be at its end: below 0 = that of a comes before.
func first[T any](a, b []T, compare func(T, T) int) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	default:
		return compare(a[0], b[0])
	}
}

// like reports whether the services are the same but for their destinations and how packets go to those.
func (s Service) like(o Service) bool {
	return s.Scheduler == o.Scheduler && s.Masquerade == o.Masquerade && s.OnePacket == o.OnePacket && s.Persistence == o.Persistence &&
		slices.Equal(s.Flags, o.Flags) && slices.Equal(s.Matches, o.Matches)
}

// resolved is the destination with its method spelled out.
func (s Service) resolved(d Destination) Destination {
	d.Forward, d.Encap = s.Method(d)
	return d
}

func diffDestinations(have, want Service) []Change {
	h, w := have.Destinations, want.Destinations
	if have.Forward == want.Forward && have.Encap == want.Encap && slices.Equal(h, w) {
		return nil
	}
	s := bare(want)
	var add, edit, stop, remove []Change
	for len(h) > 0 || len(w) > 0 {
		switch order := first(h, w, byAddr); {
		case order < 0:
			remove = append(remove, Change{Op: RemoveDestination, Service: s, Destination: h[0]})
			h = h[1:]
		case order > 0:
			add = append(add, Change{Op: AddDestination, Service: s, Destination: w[0]})
			w = w[1:]
		default:
			if have.resolved(h[0]) != want.resolved(w[0]) {
				c := Change{Op: EditDestination, Service: s, Destination: w[0]}
				if w[0].Weight > 0 {
					edit = append(edit, c)
				} else {
					stop = append(stop, c)
				}
			}
			h, w = h[1:], w[1:]
		}
	}
	return slices.Concat(add, edit, stop, remove)
}

func bare(s Service) Service {
	s.Destinations = nil
	return s
}
