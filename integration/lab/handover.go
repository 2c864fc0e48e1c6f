package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// inFlight is how long a frame that was sent before a node fell silent may take to the switch.
const inFlight = time.Millisecond

// Overlap is what an earlier owner of an address said after a later one had begun to.
type Overlap struct {
	Frames  int           // beyond those in flight
	Lasted  time.Duration // from the later owner's first frame to the earlier one's last; 0 = none
	Worst   Frame         // that last one
	Against Frame         // the later owner's first
}

// String is for a person.
func (o Overlap) String() string {
	if o.Frames == 0 {
		return "one owner at a time"
	}
	return fmt.Sprintf("%d frames of an earlier owner, the last (%s from %s) %s after the first of %s",
		o.Frames, o.Worst.Kind, o.Worst.Host, Millis(o.Lasted), o.Against.Host)
}

// Overlap compares what was captured in the window with the owners that the cluster agreed upon in that time, the one at
// its beginning first: with the first frame of an owner every earlier one has fallen silent. In a planned move (linger > 0)
// the one before it may for that long still send IP packets, but claim nothing. A host that was never an owner must not be
// heard of at all. hosts are those that could be owners.
func (c *Capture) Overlap(a netip.Addr, window Span, owners []string, linger time.Duration, hosts ...string) Overlap {
	return overlapOf(c.Frames(a, window, hosts...), owners, linger)
}

// overlapOf is the rule of [Capture.Overlap]. frames are sorted.
func overlapOf(frames []Frame, owners []string, linger time.Duration) Overlap {
	var out Overlap
	var first Frame // of the current owner
	at := 0         // its place among the owners
	for _, f := range frames {
		next := -1
		if at < len(owners) {
			next = slices.Index(owners[at:], f.Host)
		}
		if next > 0 || next == 0 && first == (Frame{}) {
			at, first = at+next, f
			continue
		}
		if next == 0 {
			continue
		}
		if first == (Frame{}) {
			first = f // a stranger before any owner
		}
		late := f.At.Sub(first.At)
		if slices.Contains(owners[:min(at, len(owners))], f.Host) && (late <= inFlight || !f.Kind.Claims() && late <= linger) {
			continue
		}
		out.Frames++
		if late >= out.Lasted {
			out.Lasted, out.Worst, out.Against = late, f, first
		}
	}
	return out
}

// Handover is the change of an address from one host to another, as captured.
type Handover struct{ Last, First Frame } // claims of the old and the new one

// Handovers lists the changes of claimant in the window. While two hosts claim the address, there is one at every turn.
func (c *Capture) Handovers(a netip.Addr, window Span, hosts ...string) []Handover {
	return handovers(c.Frames(a, window, hosts...))
}

func handovers(frames []Frame) []Handover {
	var out []Handover
	var last Frame
	for _, f := range frames {
		if !f.Kind.Claims() {
			continue
		}
		if last != (Frame{}) && last.Host != f.Host {
			out = append(out, Handover{last, f})
		}
		last = f
	}
	return out
}
