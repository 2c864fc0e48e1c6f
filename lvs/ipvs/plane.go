package ipvs

import (
	"errors"
	"fmt"
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
	// marks are those that were wanted and nobody else had: the services by them are ours, until they have gone.
	marks []lvs.Key
	// left is what the last call has left in the kernel, of the services in scope.
	left  []lvs.Service
	scope lvs.Scope
	known bool // left is
	// glance is at what Reconcile has left.
	glance glance
	// firewall is as it was when it was looked at last.
	firewall firewall
}

// New opens the IPVS of the network namespace of the calling thread and asks the kernel what it can do. It returns
// ErrNotLoaded, wrapped, when the kernel has no IPVS; it does not load it.
func New() (*Plane, error) {
	c, err := dial()
	if err != nil {
		return nil, fmt.Errorf("ipvs: %w", err)
	}
	p, err := newPlane(c)
	if err != nil {
		return nil, err
	}
	p.glance = openGlance()
	return p, nil
}

// newPlane takes c over.
func newPlane(c *conn) (*Plane, error) {
	schedulers, err := probeSchedulers(c)
	if err != nil {
		c.close()
		return nil, fmt.Errorf("ipvs: %w", err)
	}
	i, err := readInfo(c)
	if err != nil {
		c.close()
		return nil, fmt.Errorf("ipvs: %w", err)
	}
	return &Plane{conn: c, caps: lvs.Capabilities{
		Plane:      "ipvs",
		Detail:     i.String(),
		Forwards:   []string{lvs.NAT, lvs.DirectRouting, lvs.Tunnel},
		Schedulers: schedulers,
		Protocols:  []string{lvs.TCP, lvs.UDP, lvs.SCTP},
		Marks:      true, OnePacket: true, Engines: true, Thresholds: true, AnyPort: true, Persistence: true, Paths: true, Ends: true, EndsMarked: true,
		Flags:   []string{"mh-fallback", "mh-port", "sh-fallback", "sh-port"},
		Tunnels: []string{lvs.IPIP, lvs.GUE, lvs.GRE},
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
	return errors.Join(p.glance.close(), p.conn.close())
}

// reconcileAttempts bounds how often the kernel is listed and changed again because another program changed it meanwhile.
const reconcileAttempts = 3

// Reconcile implements lvs.Plane.
func (p *Plane) Reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reconcile(scope, want)
}

// Update implements lvs.Plane. What is not the everyday change of a service or a server goes the way of Reconcile.
func (p *Plane) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok, refused := p.caps.Accept(want)
	if len(refused) == 0 {
		left, err := p.left, error(nil)
		if !p.known || !scope.Equal(p.scope) || !p.mine(ok) {
			var have []lvs.Observed
			if have, ok, err = p.look(scope, ok, refused); err != nil {
				return 0, err
			}
			left = lvs.Canonical(services(have))
		}
		changes := lvs.DiffCanonical(left, ok)
		p.known, p.glance.known = false, p.glance.known && len(changes) == 0
		if _, asExpected, err := p.apply(changes); err == nil && asExpected && len(refused) == 0 {
			p.left, p.scope, p.known = ok, scope, true
			return len(changes), nil
		}
	}
	status, err := p.reconcile(scope, want)
	return status.Changed, err
}

// look lists the kernel, and leaves those services out of want that another program has.
func (p *Plane) look(scope lvs.Scope, want []lvs.Service, errs map[lvs.Key]error) (have []lvs.Observed, ok []lvs.Service, err error) {
	p.known = false
	have, foreign, err := p.list(p.owned(scope, want), want)
	if err != nil {
		return nil, want, err
	}
	return have, p.yield(want, foreign, have, errs), nil
}

// mine reports whether the services by firewall mark among these are ours already.
func (p *Plane) mine(services []lvs.Service) bool {
	return !slices.ContainsFunc(services, func(s lvs.Service) bool { return s.Mark != 0 && !slices.Contains(p.marks, s.Key()) })
}

func (p *Plane) reconcile(scope lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	ok, errs := p.caps.Accept(want)
	changed, have, err := []lvs.Change(nil), []lvs.Observed(nil), error(nil)
	for attempt := range reconcileAttempts {
		// Before the list is read: what another program changes meanwhile is seen by the list, or as a difference to this.
		print, printed := p.glance.read()
		p.glance.known = false
		if have, ok, err = p.look(scope, ok, errs); err != nil {
			break
		}
		changes := lvs.DiffCanonical(lvs.Canonical(services(have)), ok)
		if len(changes) == 0 && len(errs) == 0 {
			p.left, p.scope, p.known = ok, scope, true
			p.glance.print, p.glance.known = print, printed
		}
		if len(changes) == 0 {
			break
		}
		if attempt == reconcileAttempts-1 {
			for _, c := range changes {
				errs[c.Service.Key()] = fmt.Errorf("%v: it is not as it was left a moment ago: another program changes it, too; ipvsadm -Ln shows it", c)
			}
			break
		}
		failed, _, aerr := p.apply(changes)
		if changed = append(changed, changes...); aerr != nil {
			err = aerr
			break
		}
		for k, e := range failed {
			errs[k] = e
		}
		if len(failed) > 0 { // what the kernel refuses it would refuse again
			have, _, err = p.list(p.owned(scope, ok), ok)
			break
		}
	}
	status := lvs.Compare(p.caps, want, have, errs)
	status.Report(changed)
	status.Lacks(append(lvs.Preflight(ok), p.preflight(ok)...)...)
	return status, errors.Join(status.Err(), err)
}

// Taken are those of the firewall marks by which there is a service that this plane has not made.
func (p *Plane) Taken(marks []uint32) (out []uint32, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, err := listServices(p.conn)
	for _, s := range all {
		if s.Mark != 0 && slices.Contains(marks, s.Mark) && !slices.Contains(p.marks, s.Key()) {
			out = append(out, s.Mark)
		}
	}
	return out, err
}

// yield leaves services by firewall marks out that another program has taken, and remembers the other ones as ours.
// Those that are not wanted any more stay ours until they have gone.
func (p *Plane) yield(want []lvs.Service, foreign []lvs.Key, have []lvs.Observed, errs map[lvs.Key]error) []lvs.Service {
	for _, k := range foreign {
		errs[k] = fmt.Errorf("service %v: another program has a service by this firewall mark: use another mark, or remove that one: ipvsadm -D -f %d%s",
			k, k.Mark, map[bool]string{true: " -6"}[k.Addr.Addr().Is6()])
	}
	out := slices.DeleteFunc(slices.Clone(want), func(s lvs.Service) bool { return slices.Contains(foreign, s.Key()) })
	p.marks = slices.DeleteFunc(p.marks, func(k lvs.Key) bool {
		return !slices.ContainsFunc(have, func(o lvs.Observed) bool { return o.Service.Key() == k })
	})
	for _, s := range out {
		if k := s.Key(); k.Mark != 0 && !slices.Contains(p.marks, k) {
			p.marks = append(p.marks, k)
		}
	}
	return out
}

// ours says which services of the kernel are ours to change.
type ours struct {
	addrs map[netip.Addr]bool
	marks map[lvs.Key]bool
}

func (p *Plane) owned(scope lvs.Scope, want []lvs.Service) ours {
	o := ours{make(map[netip.Addr]bool, len(scope.Addrs)), map[lvs.Key]bool{}}
	for _, a := range scope.Addrs {
		o.addrs[a.Unmap()] = true
	}
	for _, s := range want {
		if s.Mark == 0 {
			o.addrs[s.Addr] = true
		}
	}
	for _, m := range scope.Marks {
		for _, family := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			o.marks[lvs.Service{Mark: m, Addr: family}.Key()] = true
		}
	}
	for _, k := range p.marks {
		o.marks[k] = true
	}
	return o
}

func (o ours) has(s lvs.Service) bool {
	if s.Mark != 0 {
		return o.marks[s.Key()]
	}
	return o.addrs[s.Addr]
}

func services(have []lvs.Observed) []lvs.Service {
	out := make([]lvs.Service, len(have))
	for i, o := range have {
		out[i] = o.Service
	}
	return out
}

// list reads those of our services with their destinations, and which of the wanted ones by firewall mark are another program's. Of want, which is canonical, the
// forwarding method is shown for a service without destinations, which has none in the kernel.
func (p *Plane) list(ours ours, want []lvs.Service) (out []lvs.Observed, foreign []lvs.Key, err error) {
	all, err := listServices(p.conn)
	if err != nil {
		return nil, nil, err
	}
	type pair struct {
		service
		wanted lvs.Service
	}
	have := make([]pair, 0, len(want))
	asked := make([]inquiry, 0, len(want))
	for _, s := range all {
		h := pair{service: s}
		i, named := slices.BinarySearchFunc(want, s.Key(), func(w lvs.Service, k lvs.Key) int { return w.Key().Compare(k) })
		if named {
			h.wanted = want[i]
		}
		if !ours.has(s.Service) {
			if named {
				foreign = append(foreign, s.Key())
			}
			continue
		}
		c, err := askDestinations(s.Service)
		if err != nil {
			return nil, nil, err
		}
		have, asked = append(have, h), append(asked, inquiry{c, len(h.wanted.Destinations)})
	}
	observed := make([]lvs.Observed, len(have))
	there := make([]bool, len(have))
	lists(p.conn, asked, decodeDestination, func(i int, destinations []destination, e error) {
		switch {
		case errors.Is(e, unix.ESRCH): // removed by another program meanwhile
		case e != nil:
			if err == nil {
				err = fmt.Errorf("listing the destinations of %v: %w", have[i].Key(), permission(e))
			}
		default:
			observed[i], there[i] = observe(have[i].service, destinations, have[i].wanted), true
		}
	})
	if err != nil {
		return nil, nil, err
	}
	out = observed[:0]
	for i, o := range observed {
		if there[i] {
			out = append(out, o)
		}
	}
	return out, foreign, nil
}

// observe puts together what the kernel has of a service. The method belongs to a destination there: that of the service is the wanted one.
func observe(s service, destinations []destination, wanted lvs.Service) lvs.Observed {
	o := lvs.Observed{Service: s.Service, Connections: s.connections, Traffic: s.traffic, Counters: make([]lvs.Counters, 0, len(destinations))}
	o.Service.Forward, o.Service.Encap, o.Service.Ends = wanted.Forward, wanted.Encap, wanted.Ends
	if o.Service.Forward == "" && len(destinations) > 0 {
		o.Service.Forward, o.Service.Encap = destinations[0].Forward, destinations[0].Encap
	}
	o.Service.Destinations = make([]lvs.Destination, 0, len(destinations))
	// The kernel lists the newest first, and we add in the order of addresses: backwards there is nothing to sort.
	for _, d := range slices.Backward(destinations) {
		if d.Forward == o.Service.Forward && d.Encap == o.Service.Encap {
			d.Forward, d.Encap = "", lvs.Encap{} // as in lvs.Canonical
		}
		o.Service.Destinations = append(o.Service.Destinations, d.Destination)
		o.Counters = append(o.Counters, lvs.Counters{Active: d.active, Inactive: d.inactive, Connections: d.connections, Persistent: d.persistent, Traffic: d.traffic})
	}
	return o
}

func listServices(c *conn) ([]service, error) {
	out, err := dump(c, command{cmd: cmdGetService}, nil, decodeService)
	if err != nil {
		return nil, fmt.Errorf("listing the kernel's services: %w", permission(err))
	}
	return out, nil
}

func askDestinations(s lvs.Service) (command, error) {
	s.Scheduler = "" // the identity alone
	payload, err := appendService(make([]byte, 0, 64), s)
	return command{cmdGetDest, payload}, err
}

var commands = map[lvs.Op]uint8{
	lvs.AddService: cmdNewService, lvs.EditService: cmdSetService, lvs.RemoveService: cmdDelService,
	lvs.AddDestination: cmdNewDest, lvs.EditDestination: cmdSetDest, lvs.RemoveDestination: cmdDelDest,
}

// apply carries out the changes and returns the first error of each service. The kernel was as expected when each of them was carried out; it was
// not when something that was to be removed had gone already, which is no error.
func (p *Plane) apply(changes []lvs.Change) (failed map[lvs.Key]error, asExpected bool, err error) {
	batch := make([]command, len(changes))
	for i, c := range changes {
		payload, err := encodeChange(c)
		if err != nil {
			return nil, false, fmt.Errorf("%v: %w", c, err)
		}
		batch[i] = command{commands[c.Op], payload}
	}
	errs, err := p.conn.batch(batch)
	failed = make(map[lvs.Key]error)
	for i, e := range errs {
		k := changes[i].Service.Key()
		if k.Mark != 0 && changes[i].Op == lvs.AddService && errors.Is(e, unix.EEXIST) { // another program was faster: it is not ours for that
			p.marks = slices.DeleteFunc(p.marks, func(m lvs.Key) bool { return m == k })
		}
		if e != nil && failed[k] == nil && !gone(changes[i].Op, e) {
			failed[k] = fmt.Errorf("%v: %w", changes[i], cure(changes[i], e))
		}
	}
	if err != nil {
		err = fmt.Errorf("changing the kernel's services: %w", err)
	}
	return failed, !slices.ContainsFunc(errs, func(e error) bool { return e != nil }), err
}

func encodeChange(c lvs.Change) ([]byte, error) {
	s := c.Service
	if c.Op != lvs.AddService && c.Op != lvs.EditService {
		s.Scheduler = ""
	}
	b, err := appendService(make([]byte, 0, 160), s)
	switch c.Op {
	case lvs.AddDestination, lvs.EditDestination, lvs.RemoveDestination:
		d := c.Destination
		d.Forward, d.Encap = c.Service.Method(d)
		b = appendDestination(b, d)
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
