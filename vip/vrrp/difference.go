package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Difference is something in which another router's adverts are not as ours. Each makes one of the two deaf to the other, or will when one changes, and
// routers that are deaf to each other are both Active.
type Difference uint8

const (
	// VersionDiffers: each drops the other's adverts.
	VersionDiffers Difference = iota
	// AuthDiffers: another type of authentication, or another password.
	AuthDiffers
	// SignatureDiffers: one signs and the other does not, or with another key.
	SignatureDiffers
	// IntervalDiffers: version 2 demands the same; in version 3 the Backup Router learns it.
	IntervalDiffers
	// DestinationDiffers: one sends to a group and the other to peers, or to another group.
	DestinationDiffers
	// AddressesDiffer: the lists share some addresses. Old implementations drop such adverts.
	AddressesDiffer
	// VRIDCollision: the lists share none: it is another virtual router that has our VRID.
	VRIDCollision
	// PriorityEqual: which of the two is Active is decided by their addresses.
	PriorityEqual
	// OwnerElsewhere: it claims that the addresses are its own, and cannot be preempted.
	OwnerElsewhere

	differences
)

var differenceNames = [differences]string{
	"version", "authentication", "signature", "interval", "destination", "addresses", "vrid-collision", "equal-priority", "address-owner",
}

// String is the difference's name in counters, logs and pages.
func (d Difference) String() string {
	if d < differences {
		return differenceNames[d]
	}
	return fmt.Sprintf("difference %d", uint8(d))
}

// Differences is a set.
type Differences uint16

// Has reports whether d is in the set.
func (s Differences) Has(d Difference) bool { return s&(1<<d) != 0 }

func (s *Differences) add(d Difference, is bool) {
	if is {
		*s |= 1 << d
	}
}

// All lists the set in the order of the constants.
func (s Differences) All() []Difference {
	var all []Difference
	for d := range differences {
		if s.Has(d) {
			all = append(all, d)
		}
	}
	return all
}

// differences compares a sound advert with our configuration.
func (k *Checker) differences(d Datagram, h Heard) (s Differences) {
	c, a := &k.config, &k.advert
	s.add(VersionDiffers, a.Version != c.Version)
	v2 := a.Version == V2 && c.Version == V2
	s.add(AuthDiffers, v2 && a.Auth != c.Auth || h.Reason == BadPassword || h.Reason == InAH)
	s.add(SignatureDiffers, a.Signed != (c.Keys != nil) || h.Reason == UnknownKey || h.Reason == BadSignature || h.Reason == Stale)
	s.add(IntervalDiffers, a.Interval != c.Interval)
	s.add(DestinationDiffers, !k.meant(d.Destination))
	same := k.same()
	s.add(AddressesDiffer, !same && k.shares())
	s.add(VRIDCollision, !same && !k.shares())
	if h.Role != Fellow {
		s.add(PriorityEqual, a.Priority == c.Priority)
		s.add(OwnerElsewhere, a.Priority == Owner)
	}
	return s
}

// Explain says in one sentence what a difference between a router and our configuration leads to, and its cure.
func (c *Config) Explain(d Difference, n Neighbour) string {
	who := fmt.Sprintf("vrid %d: router %s", c.VRID, n.Source)
	switch d {
	case VersionDiffers:
		return fmt.Sprintf("%s speaks version %d and we %d: each is deaf to the other, and both would be active; set the same version", who, n.Version, c.Version)
	case AuthDiffers:
		if n.Reason == InAH {
			return fmt.Sprintf("%s wraps its adverts in the IP authentication header, which we do not speak: each is deaf to the other, and both would be active; set auth_type PASS there, or none, and the same here", who)
		}
		return fmt.Sprintf("%s authenticates with %s and we with %s, or the passwords differ: each drops the other's adverts, and both would be active; set the same", who, n.Auth, c.Auth)
	case SignatureDiffers:
		return fmt.Sprintf("%s and we do not sign alike (it signs: %t, we: %t; or the keys or clocks differ): set the same keys, and permissive until all sign", who, n.Signed, c.Keys != nil && c.Signing != ReceiveOnly)
	case IntervalDiffers:
		if c.Version == V2 || n.Version == V2 {
			return fmt.Sprintf("%s advertises every %s and we every %s: version 2 drops adverts of another interval, and both would be active; set the same interval", who, n.Interval, c.Interval)
		}
		return fmt.Sprintf("%s advertises every %s and we every %s: a backup learns the active router's interval, so the time to take over changes with the owner", who, n.Interval, c.Interval)
	case DestinationDiffers:
		return fmt.Sprintf("%s sends by %s, and we by %s (or to another group): neither hears the other where it listens; set the same group or list each other as peers", who, DestinationKind(n.Destination), kindOf(c))
	case AddressesDiffer:
		return fmt.Sprintf("%s has other addresses than we (only it: %s; only we: %s): keepalived before 2.3.3 drops our adverts, and both would be active; set the same list on all", who, list(missing(n.Addresses, c.Addresses)), list(missing(c.Addresses, n.Addresses)))
	case VRIDCollision:
		return fmt.Sprintf("%s uses this VRID for %s, none of which is ours: two virtual routers have the same VRID on this link; give one of them another", who, list(n.Addresses))
	case PriorityEqual:
		return fmt.Sprintf("%s has our priority %d: the higher address wins; give each its own priority", who, n.Priority)
	case OwnerElsewhere:
		return fmt.Sprintf("%s advertises priority 255, as the owner of the addresses: nobody can take them over while it runs; set it to 254 or less", who)
	}
	return who + ": " + d.String()
}

func kindOf(c *Config) string {
	if c.Unicast() {
		return DestinationKind(c.Source) // they go to such addresses
	}
	return DestinationKind(c.group())
}

// missing is what from has and in has not.
func missing(from, in []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(from), func(a netip.Addr) bool { return slices.Contains(in, a) })
}

func list(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "none"
	}
	const most = 5 // an advert may carry 255
	var b strings.Builder
	for i, a := range addrs[:min(len(addrs), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.String())
	}
	if n := len(addrs) - most; n > 0 {
		fmt.Fprintf(&b, " and %d more", n)
	}
	return b.String()
}
