package fsm

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits of virtual routers.
const (
	MaxRouters      = 1024
	MaxPeers        = 32 // of one
	MaxHMACKeys     = 16 // of one
	MaxPassword     = 8  // octets, of version 2
	MaxPreemptDelay = 1000 * time.Second

	centisecond   = 10 * time.Millisecond // the unit of intervals in version 3
	maxInterval3  = 4095 * centisecond
	maxInterval2  = 255 * time.Second
	minHMACKey    = 32 // bytes
	maxHMACKey    = 64
	maxAdvertised = 255 // addresses: an octet counts them
	// maxAdvertised6 is how many addresses of IPv6 have room in a packet of 1500 bytes, beside a signature; IPv4's maxAdvertised have.
	maxAdvertised6 = 89
)

// maxGroups bounds the IPv4 groups besides the usual one.
const maxGroups = 16

// routerObject is how problems call the virtual router.
func (c Config) routerObject(name string) string {
	if _, ok := c.Routers[name]; ok {
		return "virtual_router." + name
	}
	return "vip." + name + ".vrrp"
}

// validateRouters judges the virtual routers, and what VIPs say of them.
func (c Config) validateRouters(ps *Problems) {
	for _, name := range slices.Sorted(maps.Keys(c.Routers)) {
		object := "virtual_router." + name
		validateName(ps, object, name, name)
		c.Routers[name].validate(ps, object)
		if c.VIPs[name].VRRP != nil {
			ps.add(object, "name", name, fmt.Sprintf("the virtual router of vip %q, which has a vrrp block, has that name", name), "choose another name")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		v := c.VIPs[name]
		object := "vip." + name
		oneOf(ps, object, "mode", v.Mode.String(), LiveMode.String(), string(ShadowMode))
		if v.VRRP != nil {
			v.VRRP.validate(ps, object+".vrrp")
		}
		_, known := c.Routers[v.Router]
		switch {
		case v.Router != "" && v.VRRP != nil:
			ps.add(object, "virtual_router", v.Router, "the VIP has a virtual router of its own, in its vrrp block", "leave one of them out")
		case v.Router != "" && !known:
			ps.add(object, "virtual_router", v.Router, "there is no such virtual router", fmt.Sprintf("add virtual_router %q {}, or correct the name", v.Router))
		case v.QuorumLost == VRRPVIP && v.RouterName() == "":
			ps.add(object, "quorum_lost", string(VRRPVIP), "the VIP belongs to no virtual router", "add virtual_router, or a vrrp block, or use release or hold")
		}
	}
	routers := c.VirtualRouters()
	if len(routers) > MaxRouters {
		ps.add("cluster", "", "", fmt.Sprintf("%d virtual routers are more than the limit of %d", len(routers), MaxRouters), "use fewer, or several clusters")
	}
	groups := map[netip.Addr]struct{}{}
	for _, r := range routers {
		if g := r.Group; g.IsValid() && g.Is4() {
			groups[g] = struct{}{}
		}
		if len(groups) > maxGroups {
			ps.add(c.routerObject(r.Name), "group", r.Group.String(), fmt.Sprintf("more than %d different IPv4 groups: a socket of Linux is in at most 20 (net.ipv4.igmp_max_memberships)", maxGroups), "use fewer groups")
			break
		}
	}
	if len(routers) == 0 {
		return
	}
	vips := map[netip.Addr]string{}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(c.VIPs))) { // the first by name is named
		if a := c.VIPs[name].Address.Addr(); a.IsValid() {
			vips[a] = name
		}
	}
	for _, r := range routers {
		c.validateMembers(ps, r)
		r.validateSenders(ps, c.routerObject(r.Name), vips)
	}
	c.validateVRIDs(ps, routers)
}

// validate is what can be said of the virtual router by itself.
func (r VirtualRouter) validate(ps *Problems, object string) {
	w := r.Whole()
	inRange(ps, object, "vrid", int(r.VRID), 1, 255)
	oneOf(ps, object, "version", strconv.Itoa(int(w.Version)), "2", "3")
	inRange(ps, object, "priority", int(w.Priority), 1, 254)
	w.validateInterval(ps, object)
	w.validateAuth(ps, object)
	oneOf(ps, object, "checksum", string(w.Checksum), string(ChecksumLearn), string(ChecksumPseudo), string(ChecksumMessage), string(ChecksumGroup))
	if w.Version == 2 && w.Checksum != ChecksumLearn {
		ps.add(object, "checksum", string(r.Checksum), "version 2 has but one form of the checksum", "leave it out")
	}
	inRange(ps, object, "preempt_delay", r.PreemptDelay, 0, MaxPreemptDelay)
	if r.NoPreempt && r.PreemptDelay > 0 {
		ps.add(object, "preempt_delay", r.PreemptDelay.String(), "preempt is off, so that there is nothing to delay", "leave one of them out")
	}
	r.validatePeers(ps, object)
	switch a := r.Group; {
	case !a.IsValid():
	case !a.IsMulticast() || a.Is4In6() || a.Zone() != "":
		ps.add(object, "group", a.String(), "this is no multicast group", `use that of the others, like "224.0.0.18"; leave it out for the usual one`)
	case r.Unicast:
		ps.add(object, "group", a.String(), "adverts go to each of the peers", "leave unicast or group out")
	}
	if a := r.Source; a.IsValid() && !unicastAddr(a) {
		ps.add(object, "source", a.String(), "this is not an address that a host can send from", "use a unicast address, without a zone")
	}
}

func (r VirtualRouter) validateInterval(ps *Problems, object string) {
	d := r.Interval
	switch {
	case r.Version == 2 && (d%time.Second != 0 || d < time.Second || d > maxInterval2):
		ps.add(object, "interval", d.String(), "version 2 cannot say this interval", "use whole seconds from 1s to 255s, or version = 3 on all routers")
	case r.Version != 2 && (d%centisecond != 0 || d < centisecond || d > maxInterval3):
		ps.add(object, "interval", d.String(), "version 3 cannot say this interval", "use steps of 10ms from 10ms to 40.95s")
	}
}

func (r VirtualRouter) validateAuth(ps *Problems, object string) {
	hidden := func(key string) {
		ps.add(object, key, NotShown, "it stands for what is not shown over TCP, and the cluster has none there", "write it out, or begin with what `quorate export` writes over the unix socket")
	}
	switch {
	case r.Password != "" && len(r.HMACKeys) > 0:
		ps.add(object, "password", "", "the adverts are signed already", "leave password or hmac_keys out")
	case r.Password != "" && r.Version != 2:
		ps.add(object, "password", "", "only version 2 has a password", "leave it out, or use version = 2; hmac_keys sign the adverts of version 3")
	case r.Password == NotShown:
		hidden("password")
	case len(r.Password) > MaxPassword:
		ps.add(object, "password", "", fmt.Sprintf("it has %d octets, and an advert has room for 8: others cut it off", len(r.Password)), "use its first 8 octets")
	}
	if strings.ContainsRune(r.Password, 0) {
		ps.add(object, "password", "", "there is a zero octet in it, which ends it", "use other characters")
	}
	if len(r.HMACKeys) > MaxHMACKeys {
		ps.add(object, "hmac_keys", "", fmt.Sprintf("%d keys are more than the limit of %d", len(r.HMACKeys), MaxHMACKeys), "take away those that nobody signs with any more")
	}
	seen := map[uint8]bool{}
	for i, text := range r.HMACKeys {
		id, _, err := ParseHMACKey(text)
		switch {
		case text == NotShown:
			hidden("hmac_keys")
			continue
		case err != nil:
			ps.add(object, "hmac_keys", "", fmt.Sprintf("key %d of the list: %v", i+1, err), `write KEYID:HEX, as in "1:" and 64 to 128 hexadecimal digits`)
		case seen[id]:
			ps.add(object, "hmac_keys", "", fmt.Sprintf("key id %d is there twice", id), "give each key its own id")
		}
		seen[id] = true
	}
	switch {
	case len(r.HMACKeys) == 0 && r.HMACMode != "":
		ps.add(object, "hmac_mode", string(r.HMACMode), "there are no keys", "add hmac_keys, or leave it out")
	case len(r.HMACKeys) > 0:
		oneOf(ps, object, "hmac_mode", string(r.HMACMode), string(HMACEnforce), string(HMACPermissive), string(HMACReceiveOnly))
	}
}

// NotShown stands in a configuration for a password, or for the keys, of a virtual router where they are not shown. In one that comes back it stands for what the cluster
// has there. It can be neither itself: it is too long for a password, and a key has an id.
const NotShown = "(not shown)"

// ParseHMACKey reads KEYID:HEX. The error says nothing of the key.
func ParseHMACKey(text string) (id uint8, secret []byte, err error) {
	number, digits, ok := strings.Cut(text, ":")
	n, err := strconv.ParseUint(number, 10, 8)
	switch {
	case !ok:
		return 0, nil, fmt.Errorf("it has no colon between its id and its digits")
	case err != nil || n == 0:
		return 0, nil, fmt.Errorf("its id is no number from 1 to 255")
	}
	secret, err = hex.DecodeString(digits)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("key %d is not an even number of hexadecimal digits", n)
	case len(secret) < minHMACKey || len(secret) > maxHMACKey:
		return 0, nil, fmt.Errorf("key %d has %d bytes, and needs %d to %d", n, len(secret), minHMACKey, maxHMACKey)
	}
	return uint8(n), secret, nil
}

func (r VirtualRouter) validatePeers(ps *Problems, object string) {
	if r.Unicast && len(r.Peers) == 0 {
		ps.add(object, "unicast", "true", "there are no peers to send to", "add peers, or leave it out")
	}
	if len(r.Peers) > MaxPeers {
		ps.add(object, "peers", "", fmt.Sprintf("%d peers are more than the limit of %d", len(r.Peers), MaxPeers), "list the routers that may have the VIPs")
	}
	seen := map[netip.Addr]bool{}
	for _, a := range r.Peers {
		switch {
		case !unicastAddr(a):
			ps.add(object, "peers", a.String(), "this is not the address of a host", "use the address that the router sends its adverts from, without a zone")
		case seen[a]:
			ps.add(object, "peers", a.String(), "the router is listed twice", "list each once")
		case a == r.Source:
			ps.add(object, "peers", a.String(), "this is the source of our own adverts", "leave it out here, or use another source")
		}
		seen[a] = true
	}
}

// unicastAddr reports whether a host may have the address.
func unicastAddr(a netip.Addr) bool {
	return a.IsValid() && !a.Is4In6() && a.Zone() == "" && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// validateMembers judges a virtual router with its VIPs: they make up one advert, on one link, and have one owner.
func (c Config) validateMembers(ps *Problems, r ResolvedRouter) {
	if len(r.VIPs) == 0 {
		return
	}
	object := c.routerObject(r.Name)
	first := r.VIPs[0]
	v4 := first.Address.Addr().Is4()
	for _, v := range r.VIPs[1:] {
		differ := func(key, value, what, cure string) {
			ps.add("vip."+v.Name, key, value, fmt.Sprintf("vip %s is of the same virtual router %s, %s", first.Name, r.Name, what), cure)
		}
		switch {
		case v.Address.Addr().Is4() != v4:
			differ("address", v.Address.String(), "and an advert has addresses of one family", "give each family its own virtual router, and one group")
		case v.Network != first.Network:
			differ("network", v.Network, "which is on one network", "give each network its own virtual router")
		case v.Interface != first.Interface:
			differ("interface", v.Interface, "which is on one interface", "give both the same interface, or virtual routers of their own")
		case v.Group != first.Group || v.Group == "":
			differ("group", v.Group, "whose VIPs have one owner", "put both into one group, or give them virtual routers of their own")
		case c.ModeOf(v) != c.ModeOf(first):
			differ("mode", v.Mode.String(), "which speaks for all of its VIPs or for none", "give all of them the same mode")
		case (v.QuorumLost == VRRPVIP) != (first.QuorumLost == VRRPVIP):
			differ("quorum_lost", v.QuorumLost.String(), "which falls back to VRRP as a whole or not at all", "give all of them the same")
		}
	}
	if most := r.room(); len(r.VIPs) > most {
		ps.add(object, "", "", fmt.Sprintf("it has %d VIPs, and an advert has room for %d addresses", len(r.VIPs), most), "use several virtual routers with VRIDs of their own, and one group")
	}
	r.validateFamily(ps, object, v4)
	r.validateFallback(ps, object)
}

// validateSenders refuses addresses of VIPs as those that somebody sends from. The VIPs are by address.
func (r ResolvedRouter) validateSenders(ps *Problems, object string, vips map[netip.Addr]string) {
	for _, a := range r.Peers {
		if vip, is := vips[a]; is {
			ps.add(object, "peers", a.String(), fmt.Sprintf("this is the address of vip %s, which no router sends from", vip), "use the router's own address")
		}
	}
	if vip, is := vips[r.Source]; is {
		ps.add(object, "source", r.Source.String(), fmt.Sprintf("this is the address of vip %s, so that two hosts would have it while it moves", vip), "use an address that nobody has")
	}
}

// room is how many addresses its adverts have room for.
func (r ResolvedRouter) room() int {
	if r.VIPs[0].Address.Addr().Is4() {
		return maxAdvertised
	}
	return maxAdvertised6
}

// validateFamily judges what depends on the family of the VIPs.
func (r ResolvedRouter) validateFamily(ps *Problems, object string, v4 bool) {
	family := map[bool]string{true: "IPv4", false: "IPv6"}
	for _, a := range r.Peers {
		if unicastAddr(a) && a.Is4() != v4 {
			ps.add(object, "peers", a.String(), fmt.Sprintf("its VIPs are of %s, and so are its adverts", family[v4]), "use the address of that family that the router sends its adverts from")
		}
	}
	if a := r.Group; a.IsMulticast() && a.Is4() != v4 {
		ps.add(object, "group", a.String(), fmt.Sprintf("its VIPs are of %s, and so are its adverts", family[v4]), "use the group of that family that the others send to")
	}
	switch a := r.Source; {
	case !a.IsValid() || !unicastAddr(a):
	case a.Is4() != v4:
		ps.add(object, "source", a.String(), fmt.Sprintf("its VIPs are of %s, and so are its adverts", family[v4]), "use an address of that family")
	case !v4 && !r.Unicast && !a.IsLinkLocalUnicast():
		ps.add(object, "source", a.String(), "by multicast, adverts of IPv6 come from a link-local address", `use one that nobody has, like "fe80::51"`)
	}
	if v4 {
		return
	}
	if r.Password != "" && r.Version == 2 {
		ps.add(object, "password", "", "adverts of IPv6 carry no password", "leave it out; hmac_keys sign the adverts")
	}
	if r.Checksum != ChecksumLearn && r.Version == 3 {
		ps.add(object, "checksum", string(r.Checksum), "of IPv6 there is but one form of the checksum", "leave it out")
	}
}

// validateVRIDs finds virtual routers that nobody on their link could tell apart.
func (c Config) validateVRIDs(ps *Problems, routers []ResolvedRouter) {
	for i, r := range routers {
		for _, o := range routers[:i] {
			if r.VRID == o.VRID && r.VRID != 0 && r.meets(o) {
				ps.add(c.routerObject(r.Name), "vrid", itoa(uint32(r.VRID)), fmt.Sprintf("virtual router %s has it too, on the same network and for the same family", o.Name),
					"give one of them another VRID; the addresses of one VRID are VIPs with the same virtual_router and group")
				break
			}
		}
	}
}

// meets reports whether the two are surely on one link. Where it takes the nodes to know, CheckNodes looks.
func (r ResolvedRouter) meets(o ResolvedRouter) bool {
	if len(r.VIPs) == 0 || len(o.VIPs) == 0 {
		return false
	}
	a, b := r.VIPs[0], o.VIPs[0]
	if a.Address.Addr().Is4() != b.Address.Addr().Is4() || a.Network != b.Network || !a.Address.IsValid() || !b.Address.IsValid() {
		return false
	}
	if a.Interface != "" && b.Interface != "" {
		return a.Interface == b.Interface
	}
	return slices.ContainsFunc(r.VIPs, func(v VIP) bool {
		return slices.ContainsFunc(o.VIPs, func(w VIP) bool {
			return v.Address.Overlaps(w.Address) && !v.Address.Addr().IsLinkLocalUnicast()
		})
	})
}
