package nft

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"

	"github.com/google/nftables/expr"

	"quorate/lvs"
)

// approximates are the schedulers that count connections, and what stands for them.
var approximates = map[string]string{"lc": "rr", "nq": "wrr", "sed": "wrr", "twos": "wrr", "wlc": "wrr"}

func effective(scheduler string) string {
	if e, ok := approximates[scheduler]; ok {
		return e
	}
	return scheduler
}

const (
	noNetfilter = "use forward = \"nat\", or data_plane = \"ipvs\" on nodes whose kernel has IPVS"
	noCounting  = "use wrr, or data_plane = \"ipvs\" on nodes whose kernel has IPVS"
)

// capabilities of nftables, the same on every kernel that has it; Ends needs that connections can be listed and removed.
var capabilities = lvs.Capabilities{
	Plane:        "nft",
	Forwards:     []string{lvs.NAT},
	Schedulers:   []string{"dh", "fo", "mh", "rr", "sh", "wrr"},
	Protocols:    []string{lvs.TCP, lvs.UDP, lvs.SCTP},
	Masquerade:   true,
	Marks:        true,
	AnyPort:      true,
	Persistence:  true,
	Ends:         true,
	Flags:        []string{"mh-fallback", "mh-port", "sh-fallback", "sh-port"},
	Approximates: approximates,
	Cures: map[string]string{lvs.DirectRouting: noNetfilter, lvs.Tunnel: noNetfilter,
		lvs.IPIP: noNetfilter, lvs.GUE: noNetfilter, lvs.GRE: noNetfilter,
		"lblc": "use dh, or data_plane = \"ipvs\" on nodes whose kernel has IPVS", "lblcr": "use dh, or data_plane = \"ipvs\" on nodes whose kernel has IPVS",
		"ovf": noCounting},
}

// Plane balances through the table "inet quorate" of one network namespace.
type Plane struct {
	caps   lvs.Capabilities
	mu     sync.Mutex // Reconcile is serial
	tally  tally
	census census
	strays strays
}

// New checks that the kernel can do what the plane needs and that this process may change it. The plane works in the
// network namespace of the thread that calls New and Reconcile.
func New() (*Plane, error) {
	_, err := generation()
	if err == nil {
		err = probe()
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("nft: %w: NET_ADMIN is missing: run as root or with AmbientCapabilities=CAP_NET_ADMIN", err)
	case err != nil:
		return nil, fmt.Errorf("nft: %w", err)
	}
	caps := capabilities
	if err := probeEnds(); err != nil {
		caps.Ends, caps.Cures = false, maps.Clone(caps.Cures)
		caps.Cures[lvs.EndOfConnections] = err.Error() + ": run modprobe nf_conntrack_netlink"
	}
	return &Plane{caps: caps, tally: tally{}}, nil
}

// Name implements lvs.Plane.
func (p *Plane) Name() string { return "nft" }

// Capabilities implements lvs.Plane.
func (p *Plane) Capabilities() lvs.Capabilities { return p.caps }

// Close implements lvs.Plane. The table stays.
func (p *Plane) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.census.close()
	return nil
}

// Takes says what services by firewall mark take whose packets another one marks, by their matches: connections are counted by it. Safe for concurrent use.
func (p *Plane) Takes(services []lvs.Service) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.census.takes(services) {
		p.strays.left = nil
	}
}

// reconcileAttempts bounds how often the table is listed and changed again: a change of servers takes two steps, see bridge, and another program may have changed it in between.
const reconcileAttempts = 4

// Update implements lvs.Plane: nftables have a number that says whether the table is as it was, but what is to be changed in it has handles, which are
// listed. So it is Reconcile.
func (p *Plane) Update(scope lvs.Scope, want []lvs.Service) (int, error) {
	status, err := p.Reconcile(scope, want)
	return status.Changed, err
}

// Reconcile implements lvs.Plane. The scope is not needed: everything in our table is ours.
func (p *Plane) Reconcile(_ lvs.Scope, want []lvs.Service) (lvs.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ok, refused := p.caps.Accept(want)
	wanted := compile(ok)
	changed, have, err := converge(wanted, p.tally.see)
	p.tally.keep(ok)
	var problems []string
	if changed == 0 { // else somebody waits for the change
		if cerr := p.census.step(); cerr != nil {
			problems = append(problems, cerr.Error()+": the servers' connections are not counted: run modprobe nf_conntrack_netlink")
		}
	}
	if err == nil { // else a server that has left may get connections yet
		if eerr := p.endStrays(ok); eerr != nil {
			problems = append(problems, eerr.Error())
		}
	}
	status := lvs.Compare(p.caps, want, p.observe(have, wanted, ok), refused)
	status.Changed = changed
	status.Problems = problems
	status.Lacks(lvs.Preflight(ok)...)
	return status, errors.Join(status.Err(), err)
}

// converge lists, changes, and lists again until the kernel has what is wanted. What counts is the list: an error of the
// transaction is reported only when the list shows that it mattered. Each list is shown to see.
func converge(want *ruleset, see func(*ruleset)) (changed int, have *ruleset, err error) {
	have = newRuleset(want.table)
	for range reconcileAttempts {
		listed, lerr := list(want.table)
		if lerr != nil {
			return changed, have, errors.Join(err, lerr)
		}
		have = listed
		see(have)
		n, aerr := apply(have, want)
		if n == 0 {
			return changed, have, aerr
		}
		changed, err = changed+n, aerr
	}
	if err == nil {
		err = fmt.Errorf("table inet %s differs again after each change: another program writes to it: find it with \"nft monitor\"", want.table)
	}
	return changed, have, err
}

// observe reads services back from a listed ruleset. Where the kernel has exactly what was compiled, it is the service
// as it was wanted; where it has not, the weights are numbers of slots.
func (p *Plane) observe(have, compiled *ruleset, want []lvs.Service) []lvs.Observed {
	wanted := make(map[lvs.Key]lvs.Service, len(want))
	for _, s := range want {
		wanted[s.Key()] = s
	}
	var out []lvs.Observed
	connections := p.census.of(want)
	for _, f := range families {
		for _, r := range reaches {
			dispatch := have.sets[r.services+f.suffix]
			if dispatch == nil {
				continue
			}
			seen := make(map[lvs.Key]bool, len(dispatch.elems))
			for raw, name := range dispatch.elems {
				k, ok := r.parse(f, raw)
				c := have.chains[name]
				if !ok || c == nil || seen[k] {
					continue
				}
				seen[k] = true
				s, known := wanted[k]
				if same := compiled.chains[name]; !known || same == nil || !c.equal(same) {
					s = have.decode(c, k)
				}
				out = append(out, lvs.Observed{Service: s, Connections: c.connections(), Counters: p.counters(have, name, s, connections[k])})
			}
		}
	}
	return out
}

// counters of a service's servers; nil until the connections have been counted, because nobody may take a server for idle before.
func (p *Plane) counters(have *ruleset, name string, s lvs.Service, now map[netip.AddrPort]count) []lvs.Counters {
	if now == nil {
		return nil
	}
	out := make([]lvs.Counters, len(s.Destinations))
	for i, d := range s.Destinations {
		n := now[d.Addr]
		out[i] = lvs.Counters{Active: n.active, Inactive: n.inactive, Connections: p.tally.of(have, name, s, d.Addr)}
	}
	return out
}

// connections that the chain's counter has seen: NAT chains see one packet of each.
func (c *chain) connections() uint64 {
	for _, r := range c.rules {
		for _, e := range r.exprs {
			if n, ok := e.(*expr.Counter); ok {
				return n.Packets
			}
		}
	}
	return 0
}

// decode reads a service back from a chain that is not as compiled.
func (rs *ruleset) decode(c *chain, k lvs.Key) lvs.Service {
	s := lvs.Service{Addr: k.Addr.Addr(), Port: k.Addr.Port(), Protocol: k.Protocol, Mark: k.Mark, Forward: lvs.NAT}
	weights := make(map[netip.AddrPort]int)
	for _, r := range c.rules {
		for _, e := range r.exprs {
			switch e := e.(type) {
			case *expr.Ct:
				s.Masquerade = s.Masquerade || e.Key == expr.CtKeyLABELS && e.SourceRegister
			case *expr.Dynset:
				s.Persistence.Timeout = max(s.Persistence.Timeout, e.Timeout)
			case *expr.Bitwise:
				s.Persistence.Prefix, _ = net.IPMask(e.Mask).Size()
			}
		}
		if r.slots == nil {
			continue
		}
		if words := strings.Fields(r.comment); len(words) > 0 {
			s.Scheduler, s.Flags = words[0], words[1:]
		}
		clear(weights) // a persistent service has the slots twice
		for _, raw := range r.slots {
			if a, ok := rs.slotServer(raw); ok {
				weights[a]++
			}
		}
	}
	for a, w := range weights {
		s.Destinations = append(s.Destinations, lvs.Destination{Addr: a, Weight: w})
	}
	return s
}

// slotServer is the server that a slot leads to, by itself or in its chain.
func (rs *ruleset) slotServer(raw string) (netip.AddrPort, bool) {
	name, chained := strings.CutPrefix(raw, gotoPrefix)
	if !chained {
		return parseTarget(raw)
	}
	if c := rs.chains[name]; c != nil && len(c.rules) > 0 {
		var to string
		for _, e := range c.rules[len(c.rules)-1].exprs {
			if i, ok := e.(*expr.Immediate); ok {
				to += string(i.Data)
			}
		}
		return parseTarget(to + "\x00\x00")
	}
	return netip.AddrPort{}, false
}
