package keepalived

import (
	"fmt"
	"net/netip"
	"time"

	"quorate/fsm"
)

// sessionCheck makes a check of a bfd_instance that is tracked.
func sessionCheck(_ *box, d *directive, _ int, turned bool) (c fsm.Check, wrong string) {
	if turned {
		return c, "reverse: a session that is up cannot make a node worse"
	}
	c, wrong = sessionOf(d)
	if wrong == "" {
		d.mapped("node_check")
	}
	return c, wrong
}

// sessionOf makes a check of type bfd of a bfd_instance.
func sessionOf(d *directive) (c fsm.Check, wrong string) {
	neighbour := d.one("neighbor_ip")
	if neighbour == nil {
		d.leave(Mistake, "it has no neighbor_ip", "add it, then import again")
		return c, "it has no neighbor_ip"
	}
	c = fsm.NewCheck(fsm.CheckBFD)
	c.Interval, c.Timeout, c.Rise, c.Fall = 2*time.Second, time.Second, 1, 1 // nothing else is allowed: a session does not probe
	a, _ := addressOf(neighbour.arg(0))
	c.Address = a.Addr()
	neighbour.mapped(`check "bfd": address`)
	if s := d.one("source_ip"); s != nil {
		source, _ := addressOf(s.arg(0))
		c.Source = source.Addr()
		s.mapped("check: source")
	}
	s := c.BFD
	s.Transmit, s.Receive, s.Multiplier = packetInterval(d, "min_tx", "transmit"), packetInterval(d, "min_rx", "receive"), 5
	if m := d.one("multiplier"); m != nil {
		s.Multiplier = int(m.number(0))
		m.mapped("check: multiplier")
	}
	if m := d.one("multihop"); m != nil {
		s.Multihop = m.yes()
		m.mapped("check: multihop")
	}
	if p := d.one("passive"); p != nil {
		s.Passive = true
		p.mapped("check: passive = true")
	}
	hops(d, c.Address, s)
	if x := d.one("idle_tx"); x != nil {
		x.settle(Ignored, "a session that is not up sends once a second", "")
	}
	for _, word := range []string{"vrrp", "checker"} {
		if x := d.one(word); x != nil {
			x.settle(Ignored, "a session is for the checks that name it", "")
		}
	}
	return c, ""
}

// packetInterval reads milliseconds between two packets.
func packetInterval(d *directive, word, key string) time.Duration {
	x := d.one(word)
	if x == nil {
		return 10 * time.Millisecond // as keepalived
	}
	x.mapped("check: " + key)
	return clamp(x, key, x.duration(0)/1000, 10*time.Millisecond, time.Minute).Round(time.Microsecond)
}

// hops reads what TTL packets have, and may have.
func hops(d *directive, neighbour netip.Addr, s *fsm.BFDCheck) {
	for _, word := range []string{"ttl", "hoplimit"} {
		x := d.one(word)
		switch {
		case x == nil:
		case x.number(0) == 255:
			x.settle(Ignored, "all packets leave with 255", "")
		default:
			x.settle(Changed, "all packets leave with 255", "look whether the neighbour wants another number")
		}
	}
	most := d.one("max_hops")
	switch {
	case s.Multihop && most != nil && most.number(0) < 255:
		s.MinTTL = 255 - int(most.number(0))
		most.mapped(fmt.Sprintf("check: min_ttl = %d", s.MinTTL))
	case s.Multihop && most != nil:
		most.mapped("check: no min_ttl, as any will do")
	case s.Multihop: // keepalived wants as much as it sends itself
		s.MinTTL = 255
	case most != nil && most.number(0) > 0:
		most.settle(Changed, "over one hop packets are heard with a TTL of 255 alone, so that nobody beyond the link can forge them", "have the neighbour send with 255, or use multihop at both ends")
	case most != nil:
		most.settle(Ignored, "it is the default", "")
	}
	if neighbour.Is6() && !s.Multihop && d.one("hoplimit") == nil {
		d.settle(Changed, "a keepalived at the other end sends IPv6 packets with a hop limit of 64 unless it is told otherwise, and over one hop they are heard with 255 alone", "set hoplimit 255 at the neighbour, if it is a keepalived")
	}
}
