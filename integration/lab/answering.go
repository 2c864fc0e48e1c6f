package lab

import (
	"net/netip"
	"slices"
	"time"
)

// patience is for how long a host that answers for an address may say nothing and still counts as one that does: somebody must ask for it
// at least a few times in it (see [Host.StartWatch]). On a busy machine questions and answers come in bursts.
const patience = 150 * time.Millisecond

// Answering are the stretches of the window in which hosts answered for an address, by beginning: those in which a host said on the wire,
// asked or not, that packets for the address are to be sent to it (ARP with the address as sender, neighbour advertisements). VRRP
// advertisements are not among them: nobody sends packets where they come from.
func (c *Capture) Answering(a netip.Addr, window Span, hosts ...string) []Ownership {
	return answering(c.Frames(a, window, hosts...))
}

func answering(frames []Frame) []Ownership {
	var claims []Claim
	for _, f := range frames {
		if f.Kind == FrameARP || f.Kind == FrameNDP {
			claims = append(claims, Claim{At: f.At, Host: f.Host})
		}
	}
	return ownerships(claims, patience)
}

// Together is for how long, inside the window, two hosts or more answered for an address: from the first answer of the later one to
// the last answer of the one before, if that came after it. What was under way when the later one began counts for nothing. The rest is the
// sum: two that answer in turn do so for the whole time.
func (c *Capture) Together(a netip.Addr, window Span, hosts ...string) time.Duration {
	return together(c.Answering(a, window, hosts...), window)
}

func together(all []Ownership, window Span) time.Duration {
	if d := overlap(all, window); d > inFlight {
		return d
	}
	return 0
}

// Began is when a host first answered for the address in the window, and false if it did not.
func (c *Capture) Began(a netip.Addr, window Span, host string) (Instant, bool) {
	all := c.Answering(a, window, host)
	if len(all) == 0 {
		return 0, false
	}
	return all[0].Span.From, true
}

// Ended is when a host last answered for the address in the window, and false if it did not.
func (c *Capture) Ended(a netip.Addr, window Span, host string) (Instant, bool) {
	all := c.Answering(a, window, host)
	if len(all) == 0 {
		return 0, false
	}
	return slices.MaxFunc(all, func(x, y Ownership) int { return int(x.Span.To.Sub(y.Span.To)) }).Span.To, true
}
