package lvs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// flagsOf are the flags that a scheduler has (ip_vs_sh.c, ip_vs_mh.c).
var flagsOf = map[string][]string{
	"sh": {"sh-fallback", "sh-port"},
	"mh": {"mh-fallback", "mh-port"},
}

// SchedulerFlags are the flags that the scheduler has, sorted; nil when it has none.
func SchedulerFlags(scheduler string) []string { return slices.Clone(flagsOf[scheduler]) }

// MaxPersistence is the longest persistence: what keepalived and the kernel's 31 bits of seconds leave room for in every unit.
const MaxPersistence = 31 * 24 * time.Hour

// faults collects what is wrong with a service.
type faults []error

func (f *faults) add(format string, a ...any) { *f = append(*f, fmt.Errorf(format, a...)) }

// validate reports what no plane can do. The service is in canonical form.
func (s Service) validate() error {
	var f faults
	s.validateKey(&f)
	s.validateMatches(&f)
	for _, flag := range s.Flags {
		if have := flagsOf[s.Scheduler]; !slices.Contains(have, flag) {
			f.add("scheduler %s has no flag %q: %s", s.Scheduler, flag, leaveOrUse(have))
		}
	}
	s.validatePersistence(&f)
	if s.OnePacket && s.Mark == 0 && s.Protocol != UDP {
		f.add("one-packet scheduling is for udp, not %s: leave it out", s.Protocol)
	}
	s.Encap.validate(&f, s.Forward)
	s.validateDestinations(&f)
	return errors.Join(f...)
}

func leaveOrUse(have []string) string {
	if len(have) == 0 {
		return "leave it out"
	}
	return "use " + strings.Join(have, " or ")
}

func (s Service) validateKey(f *faults) {
	switch {
	case s.Mark != 0 && (s.Port != 0 || s.Protocol != ""):
		f.add("firewall mark %d: it stands for whatever carries it: leave port and protocol out", s.Mark)
	case s.Mark != 0:
		if !s.Addr.IsValid() {
			f.add("firewall mark %d: want an address of the family that it is for", s.Mark)
		}
		return
	case !s.Addr.IsValid() || s.Addr.IsUnspecified():
		f.add("address %v is not an address that clients can reach", s.Addr)
	case s.Addr.Zone() != "":
		f.add("address %v has a zone: use an address without one", s.Addr)
	}
	if s.Port == 0 && s.Persistence.Timeout == 0 {
		f.add("port 0 means all ports, which needs persistence, so that the connections of a client come together: use 1 to 65535, or set persistence")
	}
}

func (s Service) validatePersistence(f *faults) {
	p, bits := s.Persistence, 128
	if s.Addr.Unmap().Is4() {
		bits = 32
	}
	switch {
	case p.Timeout == 0 && (p.Prefix != 0 || p.Engine != ""):
		f.add("persistence has a prefix or an engine, but no timeout: set it")
	case p.Timeout < 0 || p.Timeout > MaxPersistence || p.Timeout%time.Second != 0:
		f.add("persistence of %v: use whole seconds, at most %v", p.Timeout, MaxPersistence)
	case p.Prefix < 0 || p.Prefix > bits:
		f.add("persistence by %d bits of the client's address: use 1 to %d", p.Prefix, bits)
	}
	switch {
	case p.Engine == "":
	case p.Engine != SIP:
		f.add("persistence engine %q: use sip, or leave it out", p.Engine)
	case s.Mark == 0 && s.Protocol != UDP:
		f.add("persistence engine sip reads SIP over udp, not %s: leave it out", s.Protocol)
	}
	if s.OnePacket && p.Timeout != 0 && p.Engine == "" {
		f.add("one-packet scheduling and persistence contradict each other: leave one of them out")
	}
}

func (e Encap) validate(f *faults, forward string) {
	switch {
	case e == Encap{}:
	case forward != Tunnel:
		f.add("a tunnel of type %q, port %d, checksum %q: forwarding method %s has none: leave it out, or use forward = \"tun\"", e.Type, e.Port, e.Checksum, forward)
	case !slices.Contains([]string{"", IPIP, GUE, GRE}, e.Type):
		f.add("tunnel type %q: use ipip, gue or gre", e.Type)
	case e.Type == GUE && e.Port == 0:
		f.add("a gue tunnel needs a port: use 1 to 65535")
	case e.Type != GUE && e.Port != 0:
		f.add("tunnel port %d: only gue has one: leave it out", e.Port)
	case !slices.Contains([]string{"", NoChecksum, Checksum, RemoteChecksum}, e.Checksum):
		f.add("tunnel checksum %q: use none, csum or remcsum", e.Checksum)
	case e.Checksum == RemoteChecksum && e.Type != GUE, e.Checksum == Checksum && e.Type != GUE && e.Type != GRE:
		f.add("tunnel checksum %q is not for type %q: leave it out", e.Checksum, e.Type)
	}
}

func (s Service) validateDestinations(f *faults) {
	for i, d := range s.Destinations { // sorted by address
		forward, encap := s.Method(d)
		anyPort := s.Port == 0 // of a service that takes all ports; the kernel leaves the port alone then
		switch a := canonical(d.Addr); {
		case !a.IsValid() || a.Port() == 0 && !anyPort || a.Addr().IsUnspecified() || a.Addr().Zone() != "":
			f.add("server %v: want ADDRESS:PORT with a port from 1 to 65535 and no zone", d.Addr)
		case i > 0 && canonical(s.Destinations[i-1].Addr) == a:
			f.add("server %v is there twice: list it once, with the sum of the weights", d.Addr)
		case s.Addr.IsValid() && a.Addr().Is4() != s.Addr.Unmap().Is4() && forward != Tunnel:
			f.add("server %v is of another address family than %v, which forwarding method %s cannot cross: use servers of the same family, or forward = \"tun\"",
				d.Addr, s.Addr, forward)
		case forward != NAT && a.Port() != s.Port && s.Mark == 0: // by mark it is a name, as nobody but its author knows which port is marked
			f.add("server %v: forwarding method %s cannot change the port: use port %d or forward = \"nat\"", d.Addr, forward, s.Port)
		case d.Weight < 0 || d.Weight > MaxWeight:
			f.add("server %v: weight %d: use 0 to %d", d.Addr, d.Weight, MaxWeight)
		case d.Lower > 0 && d.Lower >= d.Upper:
			f.add("server %v: the lower threshold %d is not below the upper %d: set lower below upper, or leave lower out", d.Addr, d.Lower, d.Upper)
		}
		if d.Forward != "" {
			encap.validate(f, forward)
		} else if !d.Encap.none() {
			f.add("server %v: a tunnel without forward = \"tun\": set both", d.Addr)
		}
	}
}
