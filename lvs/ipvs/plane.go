package ipvs

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"quorate/lvs"
)

// Plane balances with the IPVS of one network namespace.
type Plane struct {
	mu   sync.Mutex // the socket is for one caller at a time
	conn *conn
	caps lvs.Capabilities
}

// New opens the IPVS of the network namespace of the calling thread and asks the kernel what it can do. It returns
// ErrNotLoaded, wrapped, when the kernel has no IPVS; it does not load it.
func New() (*Plane, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("ipvs: %w", err)
	}
	schedulers, err := probeSchedulers(c)
	if err != nil {
		c.close()
		return nil, fmt.Errorf("ipvs: %w", err)
	}
	return &Plane{conn: c, caps: lvs.Capabilities{
		Plane:      "ipvs",
		Forwards:   []string{lvs.NAT, lvs.DirectRouting, lvs.Tunnel},
		Schedulers: schedulers,
		Protocols:  []string{lvs.TCP, lvs.UDP},
		Cures: map[string]string{
			"masquerade": `use data_plane = "nft", or route the servers' replies through the director and leave masquerade out`,
		},
	}}, nil
}

// Name implements lvs.Plane.
func (p *Plane) Name() string { return "ipvs" }

// Capabilities implements lvs.Plane.
func (p *Plane) Capabilities() lvs.Capabilities { return p.caps }

// Close implements lvs.Plane.
func (p *Plane) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn.close()
}

// reconcileAttempts bounds how often the kernel is listed and changed again because another program changed it meanwhile.
const reconcileAttempts = 3

// Reconcile implements lvs.Plane.
func (p *Plane) Reconcile(managed []netip.Addr, want []lvs.Service) (lvs.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok, errs := p.caps.Accept(want)
	ours := make(map[netip.Addr]bool)
	for _, a := range managed {
		ours[a.Unmap()] = true
	}
	methods := make(map[lvs.Key]string, len(ok))
	for _, s := range ok {
		ours[s.Addr] = true
		methods[s.Key()] = s.Forward
	}

	changed, have, err := 0, []lvs.Observed(nil), error(nil)
	for attempt := range reconcileAttempts {
		if have, err = p.list(ours, methods); err != nil {
			break
		}
		changes := lvs.Diff(services(have), ok)
		if len(changes) == 0 || attempt == reconcileAttempts-1 {
			break
		}
		failed, aerr := p.apply(changes)
		if changed += len(changes); aerr != nil {
			err = aerr
			break
		}
		for k, e := range failed {
			errs[k] = e
		}
		if len(failed) > 0 { // what the kernel refuses it would refuse again
			have, err = p.list(ours, methods)
			break
		}
	}
	status := lvs.Compare(p.caps, want, have, errs)
	status.Changed = changed
	status.Problems = append(lvs.PreflightFor(ok), preflight(ok)...)
	return status, errors.Join(status.Err(), err)
}

func services(have []lvs.Observed) []lvs.Service {
	out := make([]lvs.Service, len(have))
	for i, o := range have {
		out[i] = o.Service
	}
	return out
}

// list reads the services on the given addresses with their destinations. wanted is the forwarding method to be shown
// for a service without destinations, which has none in the kernel.
func (p *Plane) list(ours map[netip.Addr]bool, wanted map[lvs.Key]string) ([]lvs.Observed, error) {
	all, err := listServices(p.conn)
	if err != nil {
		return nil, err
	}
	var out []lvs.Observed
	for _, s := range all {
		a := s.key.Addr.Addr()
		if s.mark != 0 || !ours[a] {
			continue
		}
		o := lvs.Observed{
			Service:     lvs.Service{Addr: a, Port: s.key.Addr.Port(), Protocol: s.key.Protocol, Scheduler: s.scheduler},
			Connections: s.connections, Destinations: make(map[netip.AddrPort]lvs.Counters),
		}
		destinations, err := listDestinations(p.conn, s)
		if errors.Is(err, unix.ESRCH) {
			continue // removed by another program meanwhile
		}
		if err != nil {
			return nil, err
		}
		methods := make(map[string]bool)
		for _, d := range destinations {
			methods[d.forward] = true
			o.Service.Destinations = append(o.Service.Destinations, lvs.Destination{Addr: d.addr, Weight: d.weight})
			o.Destinations[d.addr] = lvs.Counters{Active: d.active, Inactive: d.inactive, Connections: d.connections}
		}
		// The method belongs to a destination in the kernel. Several in one service are somebody else's work: shown
		// together they differ from what is wanted, and all destinations are edited.
		if o.Service.Forward = joined(methods); len(destinations) == 0 {
			o.Service.Forward = wanted[s.key]
		}
		out = append(out, o)
	}
	return out, nil
}

func joined(methods map[string]bool) (out string) {
	for i, m := range slices.Sorted(maps.Keys(methods)) {
		if i > 0 {
			out += "+"
		}
		out += m
	}
	return out
}

func listServices(c *conn) ([]service, error) {
	out, err := dump(c, command{cmd: cmdGetService}, decodeService)
	if err != nil {
		return nil, fmt.Errorf("listing the kernel's services: %w", permission(err))
	}
	return out, nil
}

func listDestinations(c *conn, s service) ([]destination, error) {
	s.scheduler = "" // the identity alone
	payload, err := appendService(nil, s)
	if err != nil {
		return nil, err
	}
	out, err := dump(c, command{cmdGetDest, payload}, decodeDestination)
	if err != nil {
		return nil, fmt.Errorf("listing the destinations of %v: %w", s.key, err)
	}
	return out, nil
}

var commands = map[lvs.Op]uint8{
	lvs.AddService: cmdNewService, lvs.EditService: cmdSetService, lvs.RemoveService: cmdDelService,
	lvs.AddDestination: cmdNewDest, lvs.EditDestination: cmdSetDest, lvs.RemoveDestination: cmdDelDest,
}

// apply carries out the changes and returns the first error of each service.
func (p *Plane) apply(changes []lvs.Change) (map[lvs.Key]error, error) {
	batch := make([]command, len(changes))
	for i, c := range changes {
		payload, err := encodeChange(c)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", c, err)
		}
		batch[i] = command{commands[c.Op], payload}
	}
	errs, err := p.conn.batch(batch)
	failed := make(map[lvs.Key]error)
	for i, e := range errs {
		k := changes[i].Service.Key()
		if e != nil && failed[k] == nil && !gone(changes[i].Op, e) {
			failed[k] = fmt.Errorf("%v: %w", changes[i], cure(changes[i], e))
		}
	}
	if err != nil {
		err = fmt.Errorf("changing the kernel's services: %w", err)
	}
	return failed, err
}

func encodeChange(c lvs.Change) ([]byte, error) {
	s := service{key: c.Service.Key()}
	if c.Op == lvs.AddService || c.Op == lvs.EditService {
		s.scheduler = c.Service.Scheduler
	}
	b, err := appendService(make([]byte, 0, 160), s)
	switch c.Op {
	case lvs.AddDestination, lvs.EditDestination, lvs.RemoveDestination:
		b = appendDestination(b, c.Service.Forward, c.Destination)
	}
	return b, err
}

// gone reports whether a removal failed because somebody was faster.
func gone(op lvs.Op, err error) bool {
	return (op == lvs.RemoveService || op == lvs.RemoveDestination) && (errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT))
}

// cure adds to an error of the kernel what to do about it.
func cure(c lvs.Change, err error) error {
	if errors.Is(err, unix.ENOENT) && (c.Op == lvs.AddService || c.Op == lvs.EditService) {
		return fmt.Errorf("%w: the kernel has no scheduler %q: run modprobe ip_vs_%s", err, c.Service.Scheduler, c.Service.Scheduler)
	}
	return permission(err)
}

func permission(err error) error {
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%w: NET_ADMIN is missing: run as root or with AmbientCapabilities=CAP_NET_ADMIN", err)
	}
	return err
}
