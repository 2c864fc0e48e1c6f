package vrrp

import (
	"crypto/subtle"
	"net/netip"
	"slices"
	"time"
)

// Role is what the sender of an advert is to us.
type Role uint8

const (
	// Stranger is nobody whom we were told of. Its adverts move nothing.
	Stranger Role = iota
	// Fellow is another node of the cluster.
	Fellow
	// Listed is a router outside the cluster whose adverts count.
	Listed
)

// String is "stranger", "fellow" or "listed".
func (r Role) String() string { return [...]string{"stranger", "fellow", "listed"}[min(r, Listed)] }

// MarshalText implements encoding.TextMarshaler.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Heard is what became of a datagram.
type Heard struct {
	// Reason is Accepted, or why it was dropped.
	Reason Reason
	// Sound: it came from the link and is whole, so what Advert says was really said, whatever Reason thinks of it. Else Advert is not to be used.
	Sound  bool
	Source netip.Addr
	Role   Role
	Form   Form
	// Differs is in what a sound advert is not as ours would be.
	Differs Differences
	// Advert is the checker's own, and valid until its next Check.
	Advert *Advert
}

// Checker judges what is heard for one virtual router, in the order in which keepalived does (so that both name the same fault), and counts. It keeps
// the replay window. It is not safe for concurrent use.
type Checker struct {
	config    Config
	addresses []netip.Addr // sorted
	advert    Advert
	sorted    []netip.Addr // room to sort what was heard
	replay    *replay
	form      Form // learned last
	counts    [Reasons]uint64
}

// NewChecker makes a checker of a valid configuration.
func NewChecker(c Config) *Checker {
	k := &Checker{config: c, addresses: slices.Clone(c.Addresses)}
	slices.SortFunc(k.addresses, netip.Addr.Compare)
	if c.Keys != nil {
		k.replay = newReplay(c.window(), c.Peers)
	}
	return k
}

// inherit takes over what a checker of the same router knew before that got another configuration. With other keys, or peers, what was heard last orders nothing.
func (k *Checker) inherit(old *Checker) {
	k.form, k.counts = old.form, old.counts
	a, b := &k.config, &old.config
	if a.Keys != nil && b.Keys != nil && a.Keys.equal(b.Keys) && slices.Equal(a.Peers, b.Peers) && a.window() == b.window() {
		k.replay = old.replay
	}
}

// Counts is how many datagrams ended with each reason.
func (k *Checker) Counts() [Reasons]uint64 { return k.counts }

// Form is the form of the checksum to send: the configured one, else the one that was learned last.
func (k *Checker) Form() Form {
	switch {
	case k.config.Form != Learn:
		return k.config.Form
	case k.form != Learn:
		return k.form
	}
	return PseudoHeader
}

// Check judges one datagram. wall is the time of day, which signatures are compared with.
func (k *Checker) Check(d Datagram, wall time.Time) Heard {
	h := Heard{Source: d.Source, Role: k.role(d.Source), Advert: &k.advert}
	form, decoded := k.advert.Decode(d)
	h.Form = form
	h.Reason = k.judge(d, decoded, wall)
	k.counts[h.Reason]++
	// Of the cluster nobody speaks in authentication headers: who uses a node's address is not to be taken for the node.
	if k.advert.sound(decoded, d.TTL, k.config.minTTL()) && (decoded == Accepted || h.Role != Fellow) {
		h.Sound = k.advert.VRID == k.config.VRID && (d.Source != k.config.Source || k.config.SharedSource)
	}
	if h.Sound {
		h.Differs = k.differences(d, h)
	}
	if h.Reason == Accepted && k.advert.Version == V3 && d.Source.Is4() {
		k.learn(form, h.Role)
	}
	return h
}

// learn the form of a router whose adverts count, or of a fellow, which has learned it from such a one that may be silent by now. One that has learned nothing sends [PseudoHeader], which
// so says nothing of a fellow.
func (k *Checker) learn(f Form, from Role) {
	if from == Listed || from == Fellow && f != PseudoHeader {
		k.form = f
	}
}

// sound reports whether an advert that was decoded came from the link and is whole. What is in an authentication header was said as well, and is of version 2.
func (a *Advert) sound(decoded Reason, ttl, least uint8) bool {
	return ttl >= least && (decoded == Accepted || decoded == InAH && a.Version == V2 && len(a.Addresses) > 0)
}

func (k *Checker) role(a netip.Addr) Role {
	c := &k.config
	switch {
	case slices.Contains(c.Fellows, a), c.SharedSource && a == c.Source:
		return Fellow
	case c.Anyone || slices.Contains(c.Listed, a):
		return Listed
	}
	return Stranger
}

// judge is the receive order: the first check that fails names the reason.
func (k *Checker) judge(d Datagram, decoded Reason, wall time.Time) Reason {
	c, a := &k.config, &k.advert
	switch {
	case decoded == Truncated:
		return Truncated
	case a.VRID != c.VRID:
		return UnknownVRID
	case d.Source == c.Source && !c.SharedSource:
		return OwnSource
	case decoded == InAH || decoded == BadLength || decoded == NoAddresses:
		return decoded
	case d.TTL < c.minTTL():
		return BadTTL
	case a.Version != c.Version:
		return BadVersion
	}
	if r := k.signature(d, wall); r != Accepted {
		return r
	}
	if a.Version == V2 {
		switch {
		case a.Auth != c.Auth:
			return BadAuthType
		case a.Auth == AuthPassword && subtle.ConstantTimeCompare(a.Password[:], c.Password[:]) != 1:
			return BadPassword
		case a.Interval != c.Interval:
			return BadInterval
		}
	}
	switch {
	case decoded != Accepted: // BadType, ZeroInterval, BadChecksum
		return decoded
	case !k.meant(d.Destination):
		return BadDestination
	case c.CheckAddresses && !k.same():
		return BadAddresses
	case c.Unicast() && !slices.Contains(c.Peers, d.Source):
		return UnknownSource
	}
	return Accepted
}

// meant reports whether an advert went where ours go: to the group, or to this host alone.
func (k *Checker) meant(destination netip.Addr) bool {
	if k.config.Unicast() {
		return !destination.IsMulticast()
	}
	return destination == k.config.group()
}

// signature judges the trailer before any field of the advert is used.
func (k *Checker) signature(d Datagram, wall time.Time) Reason {
	c, a := &k.config, &k.advert
	switch {
	case c.Keys == nil && a.Signed:
		return UnexpectedTrailer
	case c.Keys == nil:
		return Accepted
	case !a.Signed && c.Signing == Enforce:
		return Unsigned
	case !a.Signed:
		return Accepted
	case c.Unicast() && !slices.Contains(c.Peers, d.Source):
		return UnknownSource
	case !k.replay.young(a.Trailer.Sequence, wall):
		return Stale
	}
	if r := c.Keys.verify(d.Payload, d.Source, &a.Trailer); r != Accepted {
		return r
	}
	if !k.replay.fresh(d.Source, a.Trailer.Sequence, wall) {
		return Replayed
	}
	return Accepted
}

// same reports whether the advert's addresses are ours, in whatever order.
func (k *Checker) same() bool {
	if len(k.advert.Addresses) != len(k.addresses) {
		return false
	}
	k.sorted = append(k.sorted[:0], k.advert.Addresses...)
	slices.SortFunc(k.sorted, netip.Addr.Compare)
	return slices.Equal(k.sorted, k.addresses)
}

// shares reports whether the advert has at least one of our addresses.
func (k *Checker) shares() bool {
	return slices.ContainsFunc(k.advert.Addresses, func(a netip.Addr) bool { return slices.Contains(k.config.Addresses, a) })
}
