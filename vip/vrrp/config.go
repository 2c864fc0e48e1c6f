package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Mode is who decides that a router becomes Active.
type Mode uint8

const (
	// Elected is VRRP as the RFCs have it: the routers elect the Active one by priority.
	Elected Mode = iota
	// Appointed is one router of a cluster that acts as one virtual router: the cluster says who is Active, adverts are its voice and its ear. What
	// others advertise makes it ask, or fall silent; never speak.
	Appointed
)

// String is "elected" or "appointed".
func (m Mode) String() string {
	switch m {
	case Elected:
		return "elected"
	case Appointed:
		return "appointed"
	}
	return fmt.Sprintf("mode %d", uint8(m))
}

// Config is one virtual router on one link, as this host takes part in it. [Config.Validate] says what cannot be.
type Config struct {
	VRID     VRID
	Version  Version
	Priority Priority // 1 to 254; Owner only where the addresses are this host's own, never when Appointed
	// Interval is Advertisement_Interval.
	Interval time.Duration
	// Addresses are advertised in this order, and compared as a set. Of IPv6 the first is link-local (RFC 9568 section 5.2.9); routers that do
	// without are found, so this is not insisted on.
	Addresses []netip.Addr
	Mode      Mode
	// Preempt is Preempt_Mode: a Backup Router of higher priority takes over from an Active Router of lower.
	Preempt bool
	// PreemptDelay is how long an Active Router of lower priority is left alone, counted from when it was first heard (keepalived). 0 is not at all.
	PreemptDelay time.Duration
	// DownAdverts is how many adverts may fail to come; 0 is DefaultDownAdverts.
	DownAdverts int
	// AcceptMode is Accept_Mode: an Active Router takes packets for the addresses though they are not its own.
	AcceptMode bool

	// Source is the address that adverts are sent from: the primary IPv4 address of the link, or its IPv6 link-local one (RFC 9568 section 7.2). It
	// decides between equal priorities.
	Source netip.Addr
	// SharedSource says that Source is one address that all nodes of the cluster send from in turn, so that old neighbours see one router for ever:
	// what comes from it is a fellow's.
	SharedSource bool
	// Fellows are the addresses that the other nodes of the cluster send from. In Elected mode they are the routers that take part.
	Fellows []netip.Addr
	// Listed are the routers outside the cluster whose adverts count. Those of others are reported, and move nothing.
	Listed []netip.Addr
	// Anyone makes everybody's adverts count, as the RFCs have it.
	Anyone bool
	// Peers are where adverts go by unicast, and whom they come from: without any, adverts are multicast, unless Alone is set.
	Peers []netip.Addr
	// Alone says that adverts would go by unicast, and that there is nobody whom they could go to.
	Alone bool
	// Group is the multicast group; the zero value is the family's own.
	Group netip.Addr
	// MinTTL is the least TTL or hop limit of what is heard. 0 is 255, but 64 for IPv6 unicast: keepalived sends that with the kernel's default.
	MinTTL uint8

	// Auth and Password are version 2's.
	Auth     AuthType
	Password Password
	// Keys sign adverts, if there are any; their state is this router's alone. Window is the age that is tolerated; 0 is three intervals, at least MinWindow.
	// Monotonic asks for growing sequences only, for hosts whose clocks differ.
	Keys      *Keyring
	Signing   Signing
	Window    time.Duration
	Monotonic bool

	// Form is the form of the checksum that is sent.
	Form Form
	// CheckAddresses drops adverts whose addresses differ from ours (RFC 3768, keepalived up to 2.3.2). Else they are taken, and the difference is reported.
	CheckAddresses bool
	// Contest keeps an Active Router that was appointed Active against a listed one with a better claim: the other way is to yield.
	Contest bool
	// LowerPriorityQuiet does not answer an Active Router with a worse claim at once (RFC 5798; keepalived's lower_prio_no_advert).
	LowerPriorityQuiet bool
	// LastWord sends one more advert before it yields to a better claim, so that the other announces itself anew (keepalived's higher_prio_send_advert).
	LastWord bool
}

// Family is the family of the virtual router.
func (c *Config) Family() Family { return FamilyOf(c.Source) }

// Unicast reports whether adverts go to peers, not to a group.
func (c *Config) Unicast() bool { return len(c.Peers) > 0 || c.Alone }

// From is the router of a host that sends from an address, and so is neither its own fellow nor its own peer. Another node's address may be this one's a moment later, and was known as
// the other's before.
func (c Config) From(source netip.Addr) Config {
	others := func(list []netip.Addr) []netip.Addr {
		return slices.DeleteFunc(slices.Clone(list), func(a netip.Addr) bool { return a == source })
	}
	unicast := c.Unicast()
	c.Source, c.Fellows, c.Peers = source, others(c.Fellows), others(c.Peers)
	c.Alone = unicast && len(c.Peers) == 0
	return c
}

// Hosts are those whose adverts count, or are a fellow's; nil is everybody. Of the fellows of a router that multicasts from a link-local address it is their link-local addresses, as
// they do the same (RFC 9568 section 5.1.2.1): a filter has no room for all that they have.
func (c *Config) Hosts() []netip.Addr {
	if c.Anyone {
		return nil
	}
	all := append([]netip.Addr{}, slices.Concat(c.Listed, c.Peers)...) // never nil
	near := !c.Unicast() && c.Family() == IPv6 && c.Source.IsLinkLocalUnicast()
	for _, a := range c.Fellows {
		if !near || a.IsLinkLocalUnicast() {
			all = append(all, a)
		}
	}
	if c.SharedSource {
		all = append(all, c.Source)
	}
	return all
}

// group is where multicast adverts go.
func (c *Config) group() netip.Addr {
	if c.Group.IsValid() {
		return c.Group
	}
	return c.Family().Group()
}

func (c *Config) minTTL() uint8 {
	switch {
	case c.MinTTL != 0:
		return c.MinTTL
	case c.Unicast() && c.Family() == IPv6:
		return 64
	}
	return wireTTL
}

func (c *Config) downAdverts() int {
	if c.DownAdverts == 0 {
		return DefaultDownAdverts
	}
	return c.DownAdverts
}

// window is how old a signed advert may be; 0 where age is not asked.
func (c *Config) window() time.Duration {
	switch {
	case c.Monotonic:
		return 0
	case c.Window > 0:
		return c.Window
	}
	return min(max(3*c.Interval, MinWindow), MaxWindow)
}

// advert is what this router sends with a priority.
func (c *Config) advert(p Priority) Advert {
	return Advert{Version: c.Version, VRID: c.VRID, Priority: p, Interval: c.Interval, Addresses: c.Addresses, Auth: c.Auth, Password: c.Password}
}

// Validate says all that is wrong, each with its cure.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("vrid %d: "+format, append([]any{c.VRID}, args...)...))
	}
	family := c.Family()
	if family == 0 {
		bad("source %s is neither IPv4 nor IPv6: give the address that adverts are sent from", c.Source)
		return errors.Join(errs...)
	}
	a := c.advert(c.Priority)
	if err := a.writable(family); err != nil {
		bad("%w", err)
	}
	switch {
	case c.Priority == Releasing:
		bad("priority 0 means that a router stops: use 1 to 254")
	case c.Priority == Owner && c.Mode == Appointed:
		bad("priority 255 says that the addresses are one host's own, which they are not in a cluster: use 1 to 254")
	}
	if c.DownAdverts < 0 || c.DownAdverts > 100 {
		bad("%d adverts that may fail to come: use 1 to 100", c.DownAdverts)
	}
	if c.PreemptDelay < 0 || c.PreemptDelay > 1000*time.Second {
		bad("a preemption delay of %s: use 0s to 1000s", c.PreemptDelay)
	}
	if c.PreemptDelay > 0 && !c.Preempt {
		bad("a preemption delay without preemption: leave one of them out")
	}
	if c.Group.IsValid() && (!c.Group.IsMulticast() || FamilyOf(c.Group) != family) {
		bad("group %s is no %s multicast address", c.Group, family)
	}
	if c.Group.IsValid() && c.Unicast() {
		bad("a group and unicast peers: leave one of them out")
	}
	for _, a := range slices.Concat(c.Peers, c.Fellows, c.Listed) {
		if FamilyOf(a) != family || a.IsMulticast() || a.IsUnspecified() {
			bad("router %s has no %s address of a host", a, family)
		}
	}
	if slices.Contains(c.Peers, c.Source) {
		bad("peer %s is the source itself: leave it out", c.Source)
	}
	if c.Keys != nil && c.Auth != AuthNone {
		bad("both a password and signing keys: leave the password out")
	}
	if c.Signing > ReceiveOnly {
		bad("%s does not exist: use enforce, permissive or receive-only", c.Signing)
	}
	if c.Keys == nil && (c.Signing != Enforce || c.Window != 0 || c.Monotonic) {
		bad("settings of signatures without keys: add a key, or leave them out")
	}
	if c.Window < 0 || c.Window > MaxWindow || c.Window%time.Second != 0 {
		bad("a window of %s: use whole seconds, 1s to %s", c.Window, MaxWindow)
	}
	if c.Form > MulticastHeader {
		bad("%s does not exist: use learn, pseudo-header, message-only or multicast-header", c.Form)
	}
	return errors.Join(errs...)
}
