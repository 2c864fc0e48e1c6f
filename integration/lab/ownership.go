package lab

import (
	"net/netip"
	"slices"
	"time"

	"quorate/fsm"
)

// Ownership is a stretch of time in which one host went on claiming an address.
type Ownership struct {
	Host string
	Span Span
}

// Owners of an address over time: claims of one host that follow each other within five intervals, or 100 ms, are one
// Ownership. On a busy machine questions and answers come in bursts. Sorted by beginning.
func (w *Watch) Owners(a netip.Addr) []Ownership {
	return ownerships(w.Claims(a), max(5*w.Interval, 100*time.Millisecond))
}

// Dual is for how long, inside the window, more than one host claimed the address.
func (w *Watch) Dual(a netip.Addr, window Span) time.Duration {
	return overlap(w.Owners(a), window)
}

func ownerships(claims []Claim, patience time.Duration) []Ownership {
	var out []Ownership
	open := map[string]int{} // index in out by host
	for _, c := range claims {
		if i, ok := open[c.Host]; ok && c.At.Sub(out[i].Span.To) <= patience {
			out[i].Span.To = c.At
			continue
		}
		open[c.Host] = len(out)
		out = append(out, Ownership{c.Host, Span{c.At, c.At}})
	}
	return out
}

// overlap is the time within the window that at least two of the ownerships, of different hosts, cover.
func overlap(all []Ownership, window Span) time.Duration {
	type edge struct {
		at    Instant
		delta int
	}
	var edges []edge
	for _, o := range all {
		from, to := max(o.Span.From, window.From), min(o.Span.To, window.To)
		if from < to {
			edges = append(edges, edge{from, 1}, edge{to, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if a.at != b.at {
			return int(min(max(a.at-b.at, -1), 1))
		}
		return a.delta - b.delta // an end before a beginning
	})
	var sum time.Duration
	depth := 0
	for i, e := range edges {
		if depth >= 2 {
			sum += e.at.Sub(edges[i-1].at)
		}
		depth += e.delta
	}
	return sum
}

// Decided lists who the cluster said owns a VIP, in order; first is who did before the events.
func Decided(events []fsm.Event, vip, first string) []string {
	owners := []string{first}
	for _, e := range events {
		if e.Kind == fsm.EventAssign && e.VIP == vip && e.Node != "" && owners[len(owners)-1] != string(e.Node) {
			owners = append(owners, string(e.Node))
		}
	}
	return owners
}
