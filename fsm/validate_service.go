package fsm

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Schedulers are the names that a service may use: those of the kernel's IPVS (net/netfilter/ipvs/Kconfig). Which of them
// a node can do is in its Facts.
func Schedulers() []string {
	return []string{"rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos"}
}

// listenKey is what only one service can have.
type listenKey struct {
	vip      string
	port     uint16
	protocol Protocol
	mark     uint32
	is4      bool // of the mark
}

// SchedulerFlags are the flags that the scheduler has (ip_vs_sh.c, ip_vs_mh.c), sorted.
func SchedulerFlags(scheduler string) []string {
	if scheduler != "sh" && scheduler != "mh" {
		return nil
	}
	return []string{scheduler + "-fallback", scheduler + "-port"}
}

func (c Config) validateService(ps *Problems, name string, ports map[listenKey]string, around surroundings) {
	s := c.Services[name]
	object := "service." + name
	validateName(ps, object, name, s.Name)
	vips := c.validateVIPs(ps, object, s)
	var vip VIP // what is the same for all of them: the address family
	ok := len(vips) > 0
	if ok {
		vip = vips[0]
	}
	s.validateListener(ps, object, vips, around)
	s.validateScheduling(ps, object, vip)
	oneOf(ps, object, "forward", string(s.Forward), string(NAT), string(DirectRouting), string(Tunnel))
	s.Encap.validate(ps, object, s.Forward)
	if s.Masquerade && s.Forward != NAT {
		ps.add(object, "masquerade", "true", fmt.Sprintf("forward = %q leaves the packets' source as it is", s.Forward), `use forward = "nat", or leave masquerade out`)
	}
	s.validateAvailability(ps, object)
	*ps = append(*ps, around.clashes[name]...)
	k := listenKey{s.VIP, s.Port, s.Protocol, 0, false}
	if s.Mark != 0 {
		k = listenKey{mark: s.Mark, is4: vip.Address.Addr().Is4()}
	}
	if other, taken := ports[k]; taken && ok && !s.Compound() {
		if s.Mark != 0 {
			ps.add(object, "fwmark", strconv.FormatUint(uint64(s.Mark), 10), fmt.Sprintf("service %q has the same firewall mark", other), "use another mark, or put the servers into one service")
		} else {
			ps.add(object, "port", itoa(s.Port), fmt.Sprintf("service %q has the same vip, port and protocol", other), "use another port, or put the servers into one service")
		}
	}
	if !s.Compound() {
		ports[k] = name
	}
	for i, check := range s.Checks {
		check.validate(ps, object+".check."+strconv.Itoa(i))
		check.validateOnServer(ps, object+".check."+strconv.Itoa(i))
		s.validateCheckPort(ps, object+".check."+strconv.Itoa(i), check)
		check.validateWay(ps, object+".check."+strconv.Itoa(i), s.Servers, around)
	}
	s.validateThrough(ps, object, c.Settings.Sync.By())
	s.validateHealth(ps, object)
	for _, server := range s.all() {
		crosses := ok && server.Address.IsValid() && vip.Address.IsValid() && server.Address.Addr().Is4() != vip.Address.Addr().Is4()
		if forward, _ := s.Method(server); crosses && forward == Tunnel && c.Settings.Sync.By() != SyncOff {
			ps.add(serverObject(object, server), "address", server.Address.String(),
				"the kernel has no servers of another address family than the VIP's while it synchronises connections (ip_vs_ctl.c, ip_vs_genl_set_cmd)",
				`use a server address of the VIP's family, or cluster { sync { transport = "off" } }`)
		}
	}
	seen := map[netip.AddrPort]bool{}
	for _, server := range s.Servers {
		s.validateServer(ps, serverObject(object, server), vips, server)
		if seen[server.Address] {
			ps.add(serverObject(object, server), "address", server.Address.String(), "the server is listed twice", "list it once, with the sum of the weights")
		}
		seen[server.Address] = true
	}
	if s.Sorry != nil {
		s.validateServer(ps, sorryObject(object, *s.Sorry), vips, *s.Sorry)
		if seen[s.Sorry.Address] {
			ps.add(sorryObject(object, *s.Sorry), "address", s.Sorry.Address.String(), "it is one of the servers that it is to stand in for", "use another server, or leave it out")
		}
	}
}

// MaxDrainTimeout is the longest limit of a drain.
const MaxDrainTimeout = 24 * time.Hour

// maxPersistence is the longest persistence.
const maxPersistence = 31 * 24 * time.Hour

func (s Service) validateScheduling(ps *Problems, object string, vip VIP) {
	oneOf(ps, object, "scheduler", s.Scheduler, Schedulers()...)
	seen := map[string]bool{}
	for _, f := range s.Flags {
		if have := SchedulerFlags(s.Scheduler); !slices.Contains(have, f) {
			cure := "leave it out"
			if len(have) > 0 {
				cure = "use " + strings.Join(have, ", ")
			}
			ps.add(object, "scheduler_flags", f, fmt.Sprintf("the scheduler %s has no such flag", s.Scheduler), cure)
		} else if seen[f] {
			ps.add(object, "scheduler_flags", f, "it is there twice", "write it once")
		}
		seen[f] = true
	}
	if s.OnePacket && s.Mark == 0 && s.Protocol != UDP {
		ps.add(object, "one_packet", "true", fmt.Sprintf("only datagrams can be scheduled one by one, and protocol is %q", s.Protocol), `use protocol = "udp", or leave it out`)
	}
	p := s.Persistence
	if p.Timeout == 0 && (p.Prefix != 0 || p.Engine != "") {
		ps.add(object, "persistence", "", "persistence_prefix and persistence_engine say how, and not for how long", `set persistence = "6m", or leave them out`)
	}
	if p.Timeout != 0 {
		inRange(ps, object, "persistence", p.Timeout, time.Second, maxPersistence)
		if p.Timeout%time.Second != 0 {
			ps.add(object, "persistence", p.Timeout.String(), "the kernel counts whole seconds", "use "+p.Timeout.Round(time.Second).String())
		}
	}
	if p.Prefix != 0 && vip.Address.IsValid() {
		inRange(ps, object, "persistence_prefix", p.Prefix, 1, vip.Address.Addr().BitLen())
	}
	if p.Engine != "" {
		oneOf(ps, object, "persistence_engine", p.Engine, "sip")
		if s.Mark == 0 && s.Protocol != UDP {
			ps.add(object, "persistence_engine", p.Engine, fmt.Sprintf("it reads SIP over udp, and protocol is %q", s.Protocol), `use protocol = "udp", or leave it out`)
		}
	}
	if s.OnePacket && p.Timeout != 0 && p.Engine == "" {
		ps.add(object, "one_packet", "true", "each datagram for itself, and all of a client to one server, cannot both be", "leave persistence or one_packet out")
	}
}

func (e Encap) validate(ps *Problems, object string, forward Forward) {
	if e == (Encap{}) {
		return
	}
	if forward != Tunnel {
		key, value := "tunnel", e.Type
		if e.Type == "" {
			if key, value = "tunnel_port", itoa(e.Port); e.Port == 0 {
				key, value = "tunnel_checksum", e.Checksum
			}
		}
		ps.add(object, key, value, fmt.Sprintf("forward = %q has no tunnel", forward), `use forward = "tun", or leave it out`)
		return
	}
	oneOf(ps, object, "tunnel", e.Type, "", "ipip", "gue", "gre")
	oneOf(ps, object, "tunnel_checksum", e.Checksum, "", "none", "csum", "remcsum")
	switch {
	case e.Type == "gue" && e.Port == 0:
		ps.add(object, "tunnel_port", "0", "a gue tunnel goes to a port of the server", "set it, e.g. tunnel_port = 6080")
	case e.Type != "gue" && e.Port != 0:
		ps.add(object, "tunnel_port", itoa(e.Port), "only a gue tunnel goes to a port", `use tunnel = "gue", or leave it out`)
	}
	if e.Checksum == "csum" && e.Type != "gue" && e.Type != "gre" || e.Checksum == "remcsum" && e.Type != "gue" {
		ps.add(object, "tunnel_checksum", e.Checksum, "this kind of tunnel has no such checksum", "leave it out")
	}
}

// validateAvailability checks quorum, sorry server and the times of servers that come and go.
func (s Service) validateAvailability(ps *Problems, object string) {
	const most = MaxWeight * 1024
	if s.Quorum != 0 {
		inRange(ps, object, "quorum", s.Quorum, 1, most)
	}
	if s.Hysteresis != 0 {
		inRange(ps, object, "hysteresis", s.Hysteresis, 1, most)
		if quorum := max(1, s.Quorum); s.Hysteresis >= quorum {
			ps.add(object, "hysteresis", strconv.Itoa(s.Hysteresis), fmt.Sprintf("a quorum of %d would never be lost", quorum), fmt.Sprintf("use less than %d", quorum))
		}
	}
	if s.SlowStart != 0 {
		inRange(ps, object, "slow_start", s.SlowStart, time.Second, time.Hour)
	}
	if s.DrainTimeout != 0 {
		inRange(ps, object, "drain_timeout", s.DrainTimeout, time.Second, MaxDrainTimeout)
	}
}

func sorryObject(service string, s Server) string {
	return service + ".sorry_server." + s.Address.String()
}

func serverObject(service string, s Server) string { return service + ".server." + s.Address.String() }

func (s Service) validateServer(ps *Problems, object string, vips []VIP, server Server) {
	a := server.Address.Addr()
	forward, _ := s.Method(server)
	port := s.OnlyPort()
	anyPort := port == 0
	var vip VIP
	if len(vips) > 0 {
		vip = vips[0]
	}
	bad := func(what, cure string) { ps.add(object, "address", server.Address.String(), what, cure) }
	switch {
	case !server.Address.IsValid():
		ps.add(object, "address", "", "this is no address with a port", `write it like "10.0.0.11:8080"`)
	case server.Address.Port() == 0 && !anyPort:
		bad("the port is out of range", "use 1 to 65535")
	case a.Zone() != "":
		bad("an address with a zone cannot be a server", "use a routable address")
	case a.Is4In6():
		bad("this is an IPv4 address written as IPv6", fmt.Sprintf("write %s", netip.AddrPortFrom(a.Unmap(), server.Address.Port())))
	case a.IsUnspecified(), a.IsMulticast():
		bad("this is not the address of a host", "use a unicast address")
	case slices.ContainsFunc(vips, func(v VIP) bool { return v.Address.IsValid() && a == v.Address.Addr() }):
		bad("this is the VIP itself, so traffic would go round in circles", "use the server's own address")
	case vip.Address.IsValid() && a.Is4() != vip.Address.Addr().Is4() && forward != Tunnel:
		bad("the server and the VIP are of different address families", `use a server address of the VIP's family, or forward = "tun"`)
	case forward != NAT && server.Address.Port() != port && anyPort:
		bad(fmt.Sprintf("forward = %q cannot change the port, and the service is for more than one", forward), "use port 0")
	case forward != NAT && server.Address.Port() != port:
		bad(fmt.Sprintf("forward = %q cannot change the port, so the server must listen on the service's port %d", forward, port),
			fmt.Sprintf(`use port %d, or forward = "nat"`, port))
	}
	inRange(ps, object, "weight", server.Weight, 0, MaxWeight)
	if server.Forward != "" {
		oneOf(ps, object, "forward", string(server.Forward), string(NAT), string(DirectRouting), string(Tunnel))
	}
	server.Encap.validate(ps, object, server.Forward)
	if server.Lower != 0 && server.Lower >= server.Upper {
		ps.add(object, "lower_threshold", strconv.FormatUint(uint64(server.Lower), 10), fmt.Sprintf("it is not below the upper threshold of %d", server.Upper),
			"set upper_threshold above it, or leave it out: three quarters of the upper one are meant then")
	}
}

// validateCheckPort demands a port to probe: a server that takes many has none of its own.
func (s Service) validateCheckPort(ps *Problems, object string, c Check) {
	if c.Port != 0 || !c.asksPort() || s.OnlyPort() != 0 || c.Through == ThroughForwarding { // that one is said in validateThrough
		return
	}
	for _, server := range s.Servers {
		if server.Address.IsValid() && server.Address.Port() == 0 {
			ps.add(object, "port", "0", fmt.Sprintf("server %s takes the port that the client asked for, so that there is none to probe", server.Address), "name one, as in port = 80")
			return
		}
	}
}
