package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Plane makes one kernel facility match a wanted set of services.
type Plane interface {
	// Name of the plane: "ipvs", "nft".
	Name() string
	// Capabilities are what the plane and this kernel can do. They do not change while the plane is open.
	Capabilities() Capabilities
	// Reconcile lists the kernel, applies the difference to want and reports what is there afterwards. It carries on
	// after an error, joins the errors, and the Status is valid besides them. scope says which services of the kernel are
	// ours: one of those that is not wanted is removed, whatever else the kernel holds is not touched. want is kept: nobody changes it from then on.
	// Safe for concurrent use; calls run one after the other.
	Reconcile(scope Scope, want []Service) (Status, error)
	// Update is Reconcile without a look at the kernel where that can be: it takes it to be as the last call has left it, and carries out what has
	// changed since, which is quick in a large table too. It returns how many changes it made. What other programs did is for the next Reconcile.
	Update(scope Scope, want []Service) (changed int, err error)
	// Close releases the plane's sockets and leaves the kernel as it is.
	Close() error
}

// Capabilities are what a plane can do on this kernel.
type Capabilities struct {
	Plane      string   `json:"plane"`
	Detail     string   `json:"detail,omitempty"` // version and the like, for people
	Forwards   []string `json:"forwards"`
	Schedulers []string `json:"schedulers"` // done exactly
	Protocols  []string `json:"protocols"`
	Masquerade bool     `json:"masquerade"`
	Tunnels    []string `json:"tunnels,omitempty"`     // kinds of tunnel
	Marks      bool     `json:"fwmarks,omitempty"`     // services by firewall mark
	AnyPort    bool     `json:"any_port,omitempty"`    // services that take all ports
	Ports      bool     `json:"ports,omitempty"`       // services of several ports, port ranges or addresses: what has [Match]es
	Addresses  bool     `json:"addresses,omitempty"`   // addresses that the network routes to a VIP: matches that are Routed
	OnePacket  bool     `json:"one_packet,omitempty"`  // each datagram for itself
	Engines    bool     `json:"engines,omitempty"`     // persistence by what is said, not by who says it
	Thresholds bool     `json:"thresholds,omitempty"`  // limits on a server's connections
	Paths      bool     `json:"paths,omitempty"`       // connections to a VIP that reach one server by its own method: see lvs/probepath
	Ends       bool     `json:"ends,omitempty"`        // the connections of a server that is taken out, at their next packet
	EndsMarked bool     `json:"ends_marked,omitempty"` // those of a service by firewall mark, too, whose packets others mark
	// Persistence sends the connections of a client to one server.
	Persistence bool     `json:"persistence,omitempty"`
	Flags       []string `json:"flags,omitempty"` // of schedulers
	// Approximates maps schedulers that the plane cannot do exactly to the one it uses instead.
	Approximates map[string]string `json:"approximates,omitempty"`
	// Cures maps a refused method ("dr", "masquerade", a scheduler) to what to do about it.
	Cures map[string]string `json:"-"`
}

// FeatureThrough is the feature of a plane by which probes come to servers as clients do.
const FeatureThrough = "through=forwarding"

// EndOfConnections is what Capabilities.Check calls the connections that end with their server, and what Cures has under this name.
const EndOfConnections = "the end of connections to servers that are gone"

// AllSchedulers are the schedulers that the plane accepts, exact and approximated, sorted.
func (c Capabilities) AllSchedulers() []string {
	all := append(slices.Collect(maps.Keys(c.Approximates)), c.Schedulers...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Features are what the plane can do beyond its schedulers and forwarding methods, by the keys of a configuration file that ask for it,
// as in "persistence" and "tunnel=gue". Sorted.
func (c Capabilities) Features() (out []string) {
	for _, x := range []struct {
		feature string
		can     bool
	}{
		{"fwmark", c.Marks}, {"port=0", c.AnyPort}, {"ports", c.Ports}, {"addresses", c.Addresses}, {"one_packet", c.OnePacket}, {"persistence", c.Persistence},
		{"persistence_engine=sip", c.Engines}, {"upper_threshold", c.Thresholds}, {"protocol=sctp", slices.Contains(c.Protocols, SCTP)},
		{FeatureThrough, c.Paths}, {"on_down=shutdown", c.Ends}, {"on_down=shutdown with fwmark", c.Ends && c.EndsMarked},
	} {
		if x.can {
			out = append(out, x.feature)
		}
	}
	for _, x := range []struct {
		key    string
		values []string
	}{{"scheduler_flags=", c.Flags}, {"tunnel=", c.Tunnels}, {"forward=", c.Forwards}} {
		for _, v := range x.values {
			out = append(out, x.key+v)
		}
	}
	slices.Sort(out)
	return out
}

// What Capabilities.Check calls the services that have matches, and what Cures has under these names.
const (
	severalPorts    = "a service of several ports or addresses"
	routedAddresses = "a service of addresses that are routed to it"
)

// WithMatches are c with what is needed for services that have matches; without says why this host cannot have them, with the cure, and is nil where
// it can.
func (c Capabilities) WithMatches(without error) Capabilities {
	if without == nil {
		c.Ports, c.Addresses = c.Marks, c.Marks
		return c
	}
	c.Ports, c.Addresses = false, false
	c.Cures = maps.Clone(c.Cures)
	if c.Cures == nil {
		c.Cures = map[string]string{}
	}
	c.Cures[severalPorts] = without.Error() + "; or make a service of each port of each address"
	c.Cures[routedAddresses] = c.Cures[severalPorts]
	return c
}

// Effective is the scheduler that the plane really uses for the one that is asked for.
func (c Capabilities) Effective(scheduler string) string {
	if e, ok := c.Approximates[scheduler]; ok {
		return e
	}
	return scheduler
}

// Note says how a service is carried out otherwise than its words say; empty when it is done exactly.
func (c Capabilities) Note(s Service) string {
	if e, ok := c.Approximates[s.Scheduler]; ok {
		return fmt.Sprintf("%s on %s works as %s", s.Scheduler, c.Plane, e)
	}
	return ""
}

// Check reports why the plane cannot carry out a service: what is wrong, and what to do instead. nil when it can.
func (c Capabilities) Check(s Service) error { return c.check(s.canonical()) }

func (c Capabilities) check(s Service) error {
	errs := []error{s.validate()}
	refuse := func(what, value string, can []string) {
		if slices.Contains(can, value) {
			return
		}
		cure := c.Cures[value]
		if cure == "" {
			cure = "use one of " + strings.Join(can, ", ")
		}
		errs = append(errs, fmt.Errorf("%s %q is not possible on %s: %s", what, value, c.Plane, cure))
	}
	if s.Mark == 0 {
		refuse("protocol", s.Protocol, c.Protocols)
	}
	if _, approximated := c.Approximates[s.Scheduler]; !approximated && !slices.Contains(c.Schedulers, s.Scheduler) {
		refuse("scheduler", s.Scheduler, c.AllSchedulers())
	}
	unable := func(what string, asked, can bool) {
		if asked && !can {
			errs = append(errs, fmt.Errorf("%s is not possible on %s: %s", what, c.Plane, cmp.Or(c.Cures[what], "leave it out, or use data_plane = \"ipvs\" where the kernel has it")))
		}
	}
	unable("a firewall mark", s.Mark != 0, c.Marks)
	unable(severalPorts, len(s.Matches) > 0, c.Ports)
	unable(routedAddresses, slices.ContainsFunc(s.Matches, func(m Match) bool { return m.Routed }), c.Addresses)
	unable("port 0, for all ports,", s.Mark == 0 && s.Port == 0, c.AnyPort)
	unable("one-packet scheduling", s.OnePacket, c.OnePacket)
	unable("persistence engine "+s.Persistence.Engine, s.Persistence.Engine != "", c.Engines)
	unable(EndOfConnections, s.Ends, c.Ends)
	unable("persistence", s.Persistence.Timeout != 0, c.Persistence)
	for _, flag := range s.Flags {
		unable("flag "+flag, true, slices.Contains(c.Flags, flag))
	}
	method := func(forward string, e Encap) {
		if refuse("forwarding method", forward, c.Forwards); forward == Tunnel {
			refuse("tunnel", cmp.Or(e.Type, IPIP), c.Tunnels)
		}
	}
	method(s.Forward, s.Encap)
	for _, d := range s.Destinations {
		if d.Forward != "" {
			method(d.Forward, d.Encap)
		}
		if d.Upper > 0 && !c.Thresholds {
			unable("a connection threshold", true, false)
			break
		}
	}
	switch {
	case !s.Masquerade:
	case s.Forward != NAT:
		errs = append(errs, fmt.Errorf("masquerade needs forward = \"nat\", not %q: with it replies do not pass the director", s.Forward))
	case !c.Masquerade:
		errs = append(errs, fmt.Errorf("masquerade is not possible on %s in this version: %s", c.Plane, c.Cures["masquerade"]))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("service %v: %w", s.Key(), err)
	}
	return nil
}

// Accept splits want into the services that the plane can carry out, in canonical form, and the reasons why it cannot
// do the others. Of two services with one key the first is taken.
func (c Capabilities) Accept(want []Service) (ok []Service, refused map[Key]error) {
	refused = make(map[Key]error)
	want = Canonical(want)
	ok = make([]Service, 0, len(want))
	for i, s := range want {
		err := c.check(s)
		if i > 0 && want[i-1].Key() == s.Key() {
			err = fmt.Errorf("service %v is wanted twice: give one of them another port", s.Key())
		}
		if err != nil {
			refused[s.Key()] = err
			continue
		}
		ok = append(ok, s)
	}
	collided := map[Key]bool{}
	collisions(ok, func(later, earlier Service, a, b Match) {
		collided[later.Key()] = true
		refused[later.Key()] = fmt.Errorf("service %v: match %v: %v has some of its packets, too (%v): give each packet to one", later.Key(), a, earlier.Key(), b)
	})
	return slices.DeleteFunc(ok, func(s Service) bool { return collided[s.Key()] }), refused
}
