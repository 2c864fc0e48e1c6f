package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Limits of a configuration.
const (
	MaxVIPs     = 4096
	MaxServices = 8192
	MaxServers  = 65536 // of all services together
	MaxName     = 63    // characters of a name
	MaxWeight   = 65535 // of a node or a server
)

// Validate checks ranges and relations that can be judged from the configuration alone. What needs the nodes is in
// CheckNodes. Problems come in the order cluster, vips, groups, virtual routers, services, notifiers, each by name, and then the regular
// expressions that do not compile, and virtual routers that the profile is too slow for.
func (c Config) Validate() Problems {
	ps := c.agreed()
	c.eachCheck(func(object string, check Check) { check.unaskable(&ps, object) })
	c.validatePace(&ps)
	return ps
}

// eachCheck visits the checks of nodes and services, with the names that problems have for them.
func (c Config) eachCheck(visit func(object string, check Check)) {
	for _, name := range slices.Sorted(maps.Keys(c.NodeChecks)) {
		for i, check := range c.NodeChecks[name].Checks {
			visit("node_check."+name+".check."+strconv.Itoa(i), check)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		for i, check := range c.Services[name].Checks {
			visit("service."+name+".check."+strconv.Itoa(i), check)
		}
	}
}

// agreed is what Validate says by the rules by which Apply refuses a configuration. Replicas of different versions must agree on them: a change
// of a rule needs a new schema version, and none may depend on more than this package.
func (c Config) agreed() Problems {
	var ps Problems
	c.validateSettings(&ps)
	owner := map[AddressKey]string{}
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		c.validateVIP(&ps, name, owner)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Groups)) {
		g := c.Groups[name]
		object := "group." + name
		validateName(&ps, object, name, g.Name)
		validatePrefer(&ps, object, g.Prefer)
	}
	c.validateRouters(&ps)
	c.validateNodeChecks(&ps)
	ports, around := map[listenKey]string{}, c.surroundings()
	servers := 0
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		c.validateService(&ps, name, ports, around)
		servers += len(c.Services[name].Servers)
	}
	c.validateNotifiers(&ps)
	if servers > MaxServers {
		ps.add("cluster", "", "", fmt.Sprintf("%d servers are more than the limit of %d", servers, MaxServers), "use fewer servers")
	}
	return ps
}

func (c Config) validateSettings(ps *Problems) {
	s := c.Settings
	oneOf(ps, "cluster", "profile", string(s.Profile), "", string(LAN), string(Fast), string(WAN))
	oneOf(ps, "cluster", "data_plane", s.DataPlane, "", "auto", "ipvs", "nft")
	inRange(ps, "cluster", "observers", s.Observers, 0, 99)
	oneOf(ps, "cluster", "mode", s.Mode.String(), LiveMode.String(), string(ShadowMode))
	if s.MaxMoves != 0 {
		inRange(ps, "cluster", "max_moves_per_minute", s.MaxMoves, 1, MaxMaxMoves)
	}
	if s.HoldDown != 0 {
		inRange(ps, "cluster", "hold_down", s.HoldDown, MinHoldDown, MaxHoldDown)
	}
	if s.MarkBase != 0 {
		inRange(ps, "cluster", "fwmark_base", s.MarkBase, 1, maxMarkBase)
		if first, last := s.Marks(); s.MarkBase <= maxMarkBase && first <= LastProbeMark && last >= FirstProbeMark {
			ps.add("cluster", "fwmark_base", itoa(s.MarkBase), fmt.Sprintf("the 16384 marks from there on reach into those from %d to %d, which are for the probes of the directors", FirstProbeMark, LastProbeMark),
				fmt.Sprintf("use %d or less, or %d or more", FirstProbeMark-markRange, LastProbeMark+1))
		}
	}
	s.Sync.validate(ps)
	s.Timeouts.validate(ps)
	if len(c.VIPs) > MaxVIPs {
		ps.add("cluster", "", "", fmt.Sprintf("%d VIPs are more than the limit of %d", len(c.VIPs), MaxVIPs), "use fewer VIPs, or several clusters")
	}
	if len(c.Services) > MaxServices {
		ps.add("cluster", "", "", fmt.Sprintf("%d services are more than the limit of %d", len(c.Services), MaxServices), "use fewer services, or several clusters")
	}
}

func (c Config) validateVIP(ps *Problems, name string, owner map[AddressKey]string) {
	v := c.VIPs[name]
	object := "vip." + name
	validateName(ps, object, name, v.Name)
	validateVIPAddress(ps, object, v)
	if other, taken := owner[v.Key()]; taken && v.Address.IsValid() {
		ps.add(object, "address", v.Address.String(), fmt.Sprintf("vip %q has the same address", other),
			"give one of them another address, or another network if they are on different layer-2 networks")
	}
	owner[v.Key()] = name
	if v.Network != "" && !plainName(v.Network) {
		ps.add(object, "network", v.Network, nameRule, "choose another name")
	}
	if i := v.Interface; !linkName(i) {
		ps.add(object, "interface", i, "this is no name of a network interface", "use a name that `ip link` shows")
	}
	validatePrefer(ps, object, v.Prefer)
	oneOf(ps, object, "quorum_lost", v.QuorumLost.String(), "release", string(HoldVIP), string(VRRPVIP))
	if v.Group == "" {
		return
	}
	if _, ok := c.Groups[v.Group]; !ok {
		ps.add(object, "group", v.Group, "there is no such group", fmt.Sprintf("add group %q {}, or correct the name", v.Group))
	}
	if len(v.Prefer) > 0 || v.Preempt {
		key := "prefer"
		if len(v.Prefer) == 0 {
			key = "preempt"
		}
		ps.add(object, key, "", fmt.Sprintf("the VIPs of group %q move together, so one of them cannot have its own placement", v.Group),
			fmt.Sprintf("move prefer and preempt into group %q", v.Group))
	}
}

func validateVIPAddress(ps *Problems, object string, v VIP) {
	a, text := v.Address.Addr(), v.Address.String()
	bad := func(what, cure string) { ps.add(object, "address", text, what, cure) }
	switch {
	case !v.Address.IsValid():
		ps.add(object, "address", "", "this is no address with a prefix length", `write it like "192.0.2.10/24"`)
	case a.Is4In6():
		bad("this is an IPv4 address written as IPv6", fmt.Sprintf("write %s", a.Unmap()))
	case a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		bad("this is not an address that a host can own on a network", "use a unicast address")
	case v.Address.Bits() == 0:
		bad("the prefix length is 0", "use the prefix length of the network, like /24")
	case a.Is4() && v.Address.Bits() < 31 && a == v.Address.Masked().Addr():
		bad("this is the address of the network itself", "use an address of a host in it")
	case a.Is4() && v.Address.Bits() < 31 && a == lastOf(v.Address):
		bad("this is the broadcast address of the network", "use an address of a host in it")
	case a.IsLinkLocalUnicast() && a.Is6() && v.Interface == "":
		bad("a link-local address is on every interface", `name the one that is meant: interface = "eth0"`)
	}
}

func validatePrefer(ps *Problems, object string, prefer []NodeID) {
	seen := map[NodeID]bool{}
	for _, n := range prefer {
		switch {
		case !validNodeID(n):
			ps.add(object, "prefer", string(n), nodeRule, "use the names that `quorate members` shows")
		case seen[n]:
			ps.add(object, "prefer", string(n), "the node is listed twice", "list each node once")
		}
		seen[n] = true
	}
}

const (
	nameRule = "a name has 1 to 63 characters of A-Z, a-z, 0-9, dot, dash and underscore"
	nodeRule = "a node's name has 1 to 63 characters of a-z, 0-9, dot, dash and underscore"
)

func validateName(ps *Problems, object, filed, name string) {
	switch {
	case !plainName(filed):
		ps.add(object, "name", filed, nameRule, "choose another name")
	case name != filed:
		ps.add(object, "name", name, fmt.Sprintf("it is filed under the name %q", filed), "use one name")
	}
}

// plainName reports whether s fits nameRule.
func plainName(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= MaxName
}

// validNodeID reports whether n fits nodeRule.
func validNodeID(n NodeID) bool {
	return plainName(string(n)) && strings.ToLower(string(n)) == string(n)
}

func oneOf(ps *Problems, object, key, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	shown := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	what := "this is not a known value"
	if value == "" {
		what = "it is missing"
	}
	ps.add(object, key, value, what, "use one of "+strings.Join(shown, ", "))
}

func inRange[T cmp.Ordered](ps *Problems, object, key string, v, low, high T) {
	if v < low || v > high {
		ps.add(object, key, fmt.Sprint(v), "it is out of range", fmt.Sprintf("use %v to %v", low, high))
	}
}

// withDefaults fills what may be left out, and sorts servers and what services take, so that equal configurations are equal values.
func (c Config) withDefaults() Config {
	d := DefaultSettings()
	c.Settings.Profile = cmp.Or(c.Settings.Profile, d.Profile)
	c.Settings.DataPlane = cmp.Or(c.Settings.DataPlane, d.DataPlane)
	c.Settings.Observers = cmp.Or(c.Settings.Observers, d.Observers)
	spare(&c.Settings.Mode, "live")
	if slices.ContainsFunc(slices.Collect(maps.Values(c.VIPs)), func(v VIP) bool { return v.QuorumLost == "release" || v.Mode == "live" || v.VRRP != nil }) {
		c.VIPs = maps.Clone(c.VIPs)
		for name, v := range c.VIPs {
			c.VIPs[name] = v.spared()
		}
	}
	c.Routers = maps.Clone(c.Routers)
	for name, r := range c.Routers {
		c.Routers[name] = r.Spared()
	}
	c.Services = maps.Clone(c.Services)
	byAddress := func(a, b Server) int { return a.Address.Compare(b.Address) }
	for name, s := range c.Services {
		sorted := slices.IsSortedFunc(s.Servers, byAddress)
		if !sorted {
			s.Servers = slices.SortedFunc(slices.Values(s.Servers), byAddress)
		}
		if s.Compound() {
			s.VIPs, s.Ports, s.Addresses = slices.Sorted(slices.Values(s.VIPs)), sortedPorts(s.Ports), sortedAddresses(s.Addresses)
		}
		if !sorted || s.Compound() {
			c.Services[name] = s
		}
	}
	return c
}

// spared is v without what says the same as its absence.
func (v VIP) spared() VIP {
	spare(&v.QuorumLost, "release")
	spare(&v.Mode, "live")
	if v.VRRP != nil {
		r := v.VRRP.Spared()
		v.VRRP = &r
	}
	return v
}

func itoa[T ~int | ~uint16 | ~uint32 | ~uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }
