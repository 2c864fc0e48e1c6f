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
}

func (c Config) validateService(ps *Problems, name string, ports map[listenKey]string) {
	s := c.Services[name]
	object := "service." + name
	validateName(ps, object, name, s.Name)
	vip, ok := c.VIPs[s.VIP]
	if !ok {
		ps.add(object, "vip", s.VIP, "there is no such vip", fmt.Sprintf("add vip %q, or correct the name", s.VIP))
	}
	if s.Port == 0 {
		ps.add(object, "port", "0", "it is out of range", "use 1 to 65535")
	}
	oneOf(ps, object, "protocol", string(s.Protocol), string(TCP), string(UDP))
	oneOf(ps, object, "scheduler", s.Scheduler, Schedulers()...)
	oneOf(ps, object, "forward", string(s.Forward), string(NAT), string(DirectRouting), string(Tunnel))
	if s.Masquerade && s.Forward != NAT {
		ps.add(object, "masquerade", "true", fmt.Sprintf("forward = %q leaves the packets' source as it is", s.Forward), `use forward = "nat", or leave masquerade out`)
	}
	k := listenKey{s.VIP, s.Port, s.Protocol}
	if other, taken := ports[k]; taken && ok {
		ps.add(object, "port", itoa(s.Port), fmt.Sprintf("service %q has the same vip, port and protocol", other), "use another port, or put the servers into one service")
	}
	ports[k] = name
	for i, check := range s.Checks {
		validateCheck(ps, object+".check."+strconv.Itoa(i), check)
	}
	seen := map[netip.AddrPort]bool{}
	for _, server := range s.Servers {
		validateServer(ps, object, s, vip, server)
		if seen[server.Address] {
			ps.add(serverObject(object, server), "address", server.Address.String(), "the server is listed twice", "list it once, with the sum of the weights")
		}
		seen[server.Address] = true
	}
}

func serverObject(service string, s Server) string { return service + ".server." + s.Address.String() }

func validateServer(ps *Problems, service string, s Service, vip VIP, server Server) {
	object := serverObject(service, server)
	a := server.Address.Addr()
	bad := func(what, cure string) { ps.add(object, "address", server.Address.String(), what, cure) }
	switch {
	case !server.Address.IsValid():
		ps.add(object, "address", "", "this is no address with a port", `write it like "10.0.0.11:8080"`)
	case server.Address.Port() == 0:
		bad("the port is out of range", "use 1 to 65535")
	case a.Zone() != "":
		bad("an address with a zone cannot be a server", "use a routable address")
	case a.Is4In6():
		bad("this is an IPv4 address written as IPv6", fmt.Sprintf("write %s", netip.AddrPortFrom(a.Unmap(), server.Address.Port())))
	case a.IsUnspecified(), a.IsMulticast():
		bad("this is not the address of a host", "use a unicast address")
	case vip.Address.IsValid() && a == vip.Address.Addr():
		bad("this is the VIP itself, so traffic would go round in circles", "use the server's own address")
	case vip.Address.IsValid() && a.Is4() != vip.Address.Addr().Is4():
		bad("the server and the VIP are of different address families", "use a server address of the VIP's family")
	case s.Forward != NAT && server.Address.Port() != s.Port:
		bad(fmt.Sprintf("forward = %q cannot change the port, so the server must listen on the service's port %d", s.Forward, s.Port),
			fmt.Sprintf(`use port %d, or forward = "nat"`, s.Port))
	}
	inRange(ps, object, "weight", server.Weight, 0, MaxWeight)
}

func validateCheck(ps *Problems, object string, c Check) {
	oneOf(ps, object, "type", string(c.Type), string(CheckTCP), string(CheckHTTP))
	inRange(ps, object, "interval", c.Interval, 50*time.Millisecond, time.Hour)
	if inRange(ps, object, "timeout", c.Timeout, time.Millisecond, time.Hour); c.Timeout > c.Interval {
		ps.add(object, "timeout", c.Timeout.String(), fmt.Sprintf("it is longer than the interval of %v", c.Interval), "use a shorter timeout or a longer interval")
	}
	inRange(ps, object, "rise", c.Rise, 1, 100)
	inRange(ps, object, "fall", c.Fall, 1, 100)
	switch {
	case c.Type == CheckHTTP && c.HTTP == nil:
		ps.add(object, "path", "", "an http check needs a path", `add path = "/"`)
	case c.Type != CheckHTTP && c.HTTP != nil:
		ps.add(object, "path", c.HTTP.Path, "only an http check has a path", `use check "http", or leave path, host and status out`)
	case c.HTTP != nil:
		validateHTTP(ps, object, *c.HTTP)
	}
}

func validateHTTP(ps *Problems, object string, h HTTPCheck) {
	if !strings.HasPrefix(h.Path, "/") || !plainText(h.Path) || strings.Contains(h.Path, " ") || len(h.Path) > 2048 {
		ps.add(object, "path", h.Path, "this is no path of a URL", `begin it with "/" and escape blanks as %20`)
	}
	if !plainText(h.Host) || strings.ContainsAny(h.Host, "/ ") || len(h.Host) > 255 {
		ps.add(object, "host", h.Host, "this is no host name", `write it like "www.example.org"`)
	}
	if len(h.Status) == 0 {
		ps.add(object, "status", "", "it is empty", `add status = ["200-299"]`)
	}
	for _, r := range h.Status {
		if r.From < 100 || r.To > 599 || r.From > r.To {
			ps.add(object, "status", fmt.Sprintf("%d-%d", r.From, r.To), "this is no range of HTTP status codes", `use codes of 100 to 599, like "200-299"`)
		}
	}
}

// plainText reports whether s is printable ASCII.
func plainText(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < 0x20 || b > 0x7e })
}
