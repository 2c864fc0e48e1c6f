package fsm

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// localChecks are the types that ask this machine and send nothing.
var localChecks = []CheckType{CheckScript, CheckFile, CheckProcess, CheckInterface}

// NetworkChecks are the types of checks that ask over the network.
func NetworkChecks() []CheckType {
	var out []CheckType
	for _, k := range checkKinds {
		if !slices.Contains(localChecks, k.Type) {
			out = append(out, k.Type)
		}
	}
	return out
}

// way is what the check says of how its packets travel, as text.
func (c Check) way() fields {
	f := fields{}
	for key, a := range map[string]netip.Addr{"address": c.Address, "source": c.Source} {
		if a.IsValid() {
			f.set(key, a.String())
		}
	}
	f.set("interface", c.Interface)
	f.count("fwmark", int(c.FwMark))
	return f
}

// validateRhythm checks how often the check asks.
func (c Check) validateRhythm(ps *Problems, object string) {
	inRange(ps, object, "interval", c.Interval, 50*time.Millisecond, time.Hour)
	if inRange(ps, object, "timeout", c.Timeout, time.Millisecond, time.Hour); c.Timeout > c.Interval {
		ps.add(object, "timeout", c.Timeout.String(), fmt.Sprintf("it is longer than the interval of %v", c.Interval), "use a shorter timeout or a longer interval")
	}
	if c.FastInterval == 0 {
		return
	}
	inRange(ps, object, "fast_interval", c.FastInterval, 50*time.Millisecond, time.Hour)
	bad := func(what, cure string) { ps.add(object, "fast_interval", c.FastInterval.String(), what, cure) }
	switch {
	case c.FastInterval > c.Interval:
		bad(fmt.Sprintf("it is longer than the interval of %v", c.Interval), "use a shorter one, or leave it out")
	case c.FastInterval < c.Timeout:
		bad(fmt.Sprintf("it is shorter than the timeout of %v", c.Timeout), "use a shorter timeout or a longer fast_interval")
	}
}

// validateWay checks how the check's packets travel to the servers.
func (c Check) validateWay(ps *Problems, object string, servers []Server, around surroundings) {
	way := c.way()
	bad := func(key, what, cure string) { ps.add(object, key, way[key], what, cure) }
	for _, key := range []string{"address", "source", "interface", "fwmark"} {
		switch {
		case way[key] == "":
		case slices.Contains(localChecks, c.Type):
			bad(key, "a check of type "+string(c.Type)+" sends nothing", "leave it out")
		case c.Through != "":
			bad(key, fmt.Sprintf("through = %q says how the probe travels", c.Through), "leave one of the two out")
		}
	}
	hostAddress(ps, object, "address", c.Address)
	hostAddress(ps, object, "source", c.Source)
	for _, server := range servers {
		asked := server.Address.Addr()
		if c.Address.IsValid() {
			asked = c.Address
		}
		if c.Source.IsValid() && asked.IsValid() && c.Source.Is4() != asked.Is4() {
			bad("source", fmt.Sprintf("no packet to %v can come from it: they are of different address families", asked), "use an address of the same family, or leave it out")
			break
		}
	}
	if c.Interface != "" && !interfaceName(c.Interface) {
		bad("interface", "this is no name of a network interface", "use a name that `ip link` shows")
	}
	if c.FwMark == 0 {
		return
	}
	if service, taken := around.marks[c.FwMark]; taken {
		bad("fwmark", fmt.Sprintf("service %q takes packets with this mark, and the probe would go to any of its servers", service), "use another mark")
	}
	for _, x := range []struct {
		first, last uint32
		whose       string
	}{
		{FirstProbeMark, LastProbeMark, "are for the probes through the forwarding path"},
		{around.firstMark, around.lastMark, "are those that quorate gives by itself to services with vips, ports or addresses"},
	} {
		if x.first <= c.FwMark && c.FwMark <= x.last {
			bad("fwmark", fmt.Sprintf("the marks from %#x to %#x %s", x.first, x.last, x.whose), "use another mark")
		}
	}
}

// hostAddress checks an address that may be left out.
func hostAddress(ps *Problems, object, key string, a netip.Addr) {
	switch {
	case !a.IsValid():
	case a.IsUnspecified(), a.IsMulticast():
		ps.add(object, key, a.String(), "this is not the address of a host", "use a unicast address")
	case a.Zone() != "":
		ps.add(object, key, a.String(), "a zone means something on one machine alone", "leave the zone out, and name the interface: interface = \"NAME\"")
	case a.Is4In6():
		ps.add(object, key, a.String(), "this is an IPv4 address in IPv6 form", "write "+a.Unmap().String())
	}
}

// interfaceName reports whether a network interface may have the name.
func interfaceName(s string) bool {
	return s != "" && len(s) <= 15 && !strings.ContainsAny(s, "/: \t\n\x00") && plainText(s)
}
