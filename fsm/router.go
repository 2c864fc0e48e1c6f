package fsm

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// VirtualRouter is how the cluster takes part in VRRP as one router: beside others, like keepalived, that stand by for VIPs of ours, or have them
// until we may. Its VIPs are of one family, on one link, and always have the same owner, who alone speaks. Since schema 7.
//
// This package knows what is agreed of it. What is said and heard on the wire is for package vip/vrrp, and who outranks whom for the nodes to report.
type VirtualRouter struct {
	VRID     uint8         `json:"vrid"`
	Version  uint8         `json:"version,omitempty"`  // 2 or 3; 0 = 3
	Priority uint8         `json:"priority,omitempty"` // 1 to 254; 0 = DefaultPriority
	Interval time.Duration `json:"interval,omitempty"` // between adverts; 0 = DefaultAdverts
	// Password is version 2's: everybody on the link can read it there.
	Password string   `json:"password,omitempty"`
	HMACKeys []string `json:"hmac_keys,omitempty"` // KEYID:HEX; the first signs
	HMACMode HMACMode `json:"hmac_mode,omitempty"` // "" = enforce, where there are keys
	// Peers are the routers outside the cluster whose adverts count. Those of others raise an alarm, and move nothing.
	Peers        []netip.Addr  `json:"peers,omitempty"`
	Unicast      bool          `json:"unicast,omitempty"` // adverts go to the peers, in place of the multicast group
	Group        netip.Addr    `json:"group,omitzero"`    // multicast group; unset = the family's own, see DefaultVRRPGroup
	Source       netip.Addr    `json:"source,omitzero"`   // that adverts are sent from, whoever sends; unset = each node's own address
	VMAC         bool          `json:"vmac,omitempty"`
	NoPreempt    bool          `json:"no_preempt,omitempty"` // a peer of lower priority that is active keeps the VIPs
	PreemptDelay time.Duration `json:"preempt_delay,omitempty"`
	// NoYield: a peer of higher priority that is active does not get the VIPs; two claim them, and there is an alarm.
	NoYield  bool         `json:"no_yield,omitempty"`
	Checksum ChecksumForm `json:"checksum,omitempty"` // of version 3 over IPv4; "" = learn
}

// Defaults of a virtual router.
const (
	DefaultPriority = 254 // the highest that no owner of the addresses has
	DefaultAdverts  = time.Second
)

// DefaultVRRPGroup is the multicast group of VRRP (RFC 9568 sections 5.1.1.2 and 5.1.2.2).
func DefaultVRRPGroup(v4 bool) netip.Addr {
	if v4 {
		return netip.AddrFrom4([4]byte{224, 0, 0, 18})
	}
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 15: 0x12})
}

// HMACMode is what becomes of adverts by whether they are signed.
type HMACMode string

// The modes.
const (
	HMACEnforce     HMACMode = "enforce"      // only what is signed counts
	HMACPermissive  HMACMode = "permissive"   // what is not signed counts, too
	HMACReceiveOnly HMACMode = "receive-only" // the same, and we do not sign: for the time in which the keys are handed out
)

// ChecksumForm is what the checksum of version 3 over IPv4 is made of. The RFC was read in three ways; package vip/vrrp says which.
type ChecksumForm string

// The forms.
const (
	ChecksumLearn   ChecksumForm = "learn" // as the peers have it
	ChecksumPseudo  ChecksumForm = "pseudo-header"
	ChecksumMessage ChecksumForm = "message-only"
	ChecksumGroup   ChecksumForm = "multicast-header" // the pseudo header of the multicast group, by unicast too
)

// Whole is r with what was left out.
func (r VirtualRouter) Whole() VirtualRouter {
	r.Version = cmp.Or(r.Version, 3)
	r.Priority = cmp.Or(r.Priority, DefaultPriority)
	r.Interval = cmp.Or(r.Interval, DefaultAdverts)
	r.Checksum = cmp.Or(r.Checksum, ChecksumLearn)
	if len(r.HMACKeys) > 0 {
		r.HMACMode = cmp.Or(r.HMACMode, HMACEnforce)
	}
	return r
}

// Spared is r without what says the same as its absence.
func (r VirtualRouter) Spared() VirtualRouter {
	spare(&r.Version, 3)
	spare(&r.Priority, DefaultPriority)
	spare(&r.Interval, DefaultAdverts)
	spare(&r.Checksum, ChecksumLearn)
	spare(&r.HMACMode, HMACEnforce)
	if r.Group == DefaultVRRPGroup(r.Group.Is4()) {
		r.Group = netip.Addr{}
	}
	return r
}

func spare[T comparable](v *T, left T) {
	if *v == left {
		*v = *new(T)
	}
}

// ResolvedRouter is a virtual router with its VIPs, whichever way it is written.
type ResolvedRouter struct {
	Name          string // of its own, or of the VIP that it is written in
	VirtualRouter        // whole
	VIPs          []VIP  // in the order of the addresses in adverts: by name, but of IPv6 the link-local ones first
}

// Addrs are the addresses of its VIPs, in the order in which adverts have them.
func (r ResolvedRouter) Addrs() []netip.Addr {
	out := make([]netip.Addr, len(r.VIPs))
	for i, v := range r.VIPs {
		out[i] = v.Address.Addr()
	}
	return out
}

// RouterName is the name of the VIP's virtual router, or "".
func (v VIP) RouterName() string {
	if v.VRRP != nil {
		return v.Name
	}
	return v.Router
}

// VirtualRouters are all virtual routers of the configuration, by name; also one that has no VIP.
func (c Config) VirtualRouters() []ResolvedRouter {
	if !c.HasRouters() {
		return nil
	}
	byName := map[string]*ResolvedRouter{}
	for name, r := range c.Routers {
		byName[name] = &ResolvedRouter{Name: name, VirtualRouter: r.Whole()}
	}
	for _, name := range slices.Sorted(maps.Keys(c.VIPs)) {
		v := c.VIPs[name]
		if _, taken := byName[name]; v.VRRP != nil && !taken {
			byName[name] = &ResolvedRouter{Name: name, VirtualRouter: v.VRRP.Whole()}
		}
		if r := byName[v.RouterName()]; r != nil {
			r.VIPs = append(r.VIPs, v)
		}
	}
	out := make([]ResolvedRouter, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		r := *byName[name]
		slices.SortStableFunc(r.VIPs, func(a, b VIP) int { return cmp.Compare(adverted(a), adverted(b)) })
		out = append(out, r)
	}
	return out
}

// HasRouters reports whether there is any virtual router: nearly nobody has one, and it is asked often.
func (c Config) HasRouters() bool {
	if len(c.Routers) > 0 {
		return true
	}
	for _, v := range c.VIPs {
		if v.VRRP != nil {
			return true
		}
	}
	return false
}

// adverted is 0 for what comes first in an advert.
func adverted(v VIP) int {
	if a := v.Address.Addr(); a.Is6() && a.IsLinkLocalUnicast() {
		return 0
	}
	return 1
}

func (r VirtualRouter) fields(f fields) {
	f.count("vrid", int(r.VRID))
	f.count("version", int(r.Version))
	f.count("priority", int(r.Priority))
	f.span("interval", r.Interval)
	f.set("password", r.Password)
	f.set("hmac_keys", strings.Join(r.HMACKeys, ", "))
	f.set("hmac_mode", string(r.HMACMode))
	var peers []string
	for _, a := range r.Peers {
		peers = append(peers, a.String())
	}
	f.set("peers", strings.Join(peers, ", "))
	f.flag("unicast", r.Unicast)
	if r.Group.IsValid() {
		f.set("group", r.Group.String())
	}
	if r.Source.IsValid() {
		f.set("source", r.Source.String())
	}
	f.flag("vmac", r.VMAC)
	if r.NoPreempt {
		f.set("preempt", "false")
	}
	f.span("preempt_delay", r.PreemptDelay)
	if r.NoYield {
		f.set("yield", "false")
	}
	f.set("checksum", string(r.Checksum))
}
