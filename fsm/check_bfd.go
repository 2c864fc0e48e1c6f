package fsm

import (
	"net/netip"
	"strconv"
	"time"
)

// BFDCheck is the part of a Check that only bfd has: a session of BFD (RFC 5880) in place of probes.
type BFDCheck struct {
	Transmit   time.Duration `json:"transmit"`           // between two packets to the neighbour
	Receive    time.Duration `json:"receive"`            // between two of the neighbour's, at least
	Multiplier int           `json:"multiplier"`         // packets that may be missing
	Multihop   bool          `json:"multihop,omitempty"` // the neighbour is behind routers (RFC 5883)
	MinTTL     int           `json:"min_ttl,omitempty"`  // of what comes over several hops; 0 = any
	Passive    bool          `json:"passive,omitempty"`  // the neighbour speaks first
}

// What a check of type bfd has of the keys of all types; they have no meaning there, and other values are refused.
const (
	bfdInterval = 2 * time.Second
	bfdTimeout  = time.Second
)

func (b *BFDCheck) validate(ps *Problems, object string) {
	inRange(ps, object, "transmit", b.Transmit, 10*time.Millisecond, time.Minute)
	inRange(ps, object, "receive", b.Receive, 10*time.Millisecond, time.Minute)
	for _, x := range []struct {
		key string
		is  time.Duration
	}{{"transmit", b.Transmit}, {"receive", b.Receive}} {
		if x.is%time.Microsecond != 0 {
			ps.add(object, x.key, x.is.String(), "BFD counts whole microseconds", "use "+x.is.Round(time.Microsecond).String())
		}
	}
	inRange(ps, object, "multiplier", b.Multiplier, 1, 255)
	inRange(ps, object, "min_ttl", b.MinTTL, 0, 255)
	if b.MinTTL != 0 && !b.Multihop {
		ps.add(object, "min_ttl", strconv.Itoa(b.MinTTL), "over one hop it is always 255", "leave it out, or add multihop = true if there are routers between")
	}
}

func (b *BFDCheck) fields(f fields) {
	f.set("transmit", b.Transmit.String())
	f.set("receive", b.Receive.String())
	f.set("multiplier", strconv.Itoa(b.Multiplier))
	f.flag("multihop", b.Multihop)
	f.count("min_ttl", b.MinTTL)
	f.flag("passive", b.Passive)
}

// validateSession refuses what a session does not have that probes do.
func (c Check) validateSession(ps *Problems, object string) {
	if c.Type != CheckBFD {
		return
	}
	bad := func(key, value, cure string) {
		ps.add(object, key, value, "a check of type bfd is a session and does not probe", cure)
	}
	for _, x := range []struct {
		key      string
		is, left time.Duration
	}{{"interval", c.Interval, bfdInterval}, {"fast_interval", c.FastInterval, 0}, {"timeout", c.Timeout, bfdTimeout}} {
		if x.is != x.left {
			bad(x.key, x.is.String(), "leave it out, and set transmit, receive and multiplier")
		}
	}
	for _, x := range []struct {
		key string
		is  int
	}{{"rise", c.Rise}, {"fall", c.Fall}} {
		if x.is != 1 {
			bad(x.key, strconv.Itoa(x.is), "leave it out, and set multiplier: so many packets may be missing")
		}
	}
	if c.FwMark != 0 {
		ps.add(object, "fwmark", strconv.FormatUint(uint64(c.FwMark), 10), "neighbours tell sessions apart by their addresses alone", "leave it out, or set source or interface")
	}
	if c.Address.Is6() && c.Address.IsLinkLocalUnicast() && c.Interface == "" {
		ps.add(object, "address", c.Address.String(), "a link-local address is on every interface", `name the one that is meant: interface = "eth0"`)
	}
}

// validateNeighbour demands one from a check of a node, where there is no server.
func (c Check) validateNeighbour(ps *Problems, object string) {
	if c.Type == CheckBFD && c.Address == (netip.Addr{}) {
		ps.add(object, "address", "", "it is missing, and there is no server that the session could be with", `add the neighbour's, like address = "192.0.2.1"`)
	}
}
