package realserver

import (
	"fmt"
	"net/netip"
	"slices"
)

// plan is how to get from a host to what VIPs need.
type plan struct {
	steps []Step
	// forget is what is in the record, is no longer needed, and is not there any more, or not as it was made.
	forget []Thing
	notes  []string // what was left to others, and why
}

// planSetup leads to what the VIPs need, and takes back what was made for others. It is pure.
func planSetup(h host, r record, vips []VIP) plan {
	var p plan
	all := needs(h, vips)
	for _, n := range all {
		if !n.met {
			p.steps = append(p.steps, Step{Thing: n.Thing, From: n.have, To: n.to, Why: n.why})
		}
	}
	for _, m := range r.Made {
		if !slices.ContainsFunc(all, func(n need) bool { return n.Thing == m.Thing }) {
			p.back(h, m)
		}
	}
	p.order(len(p.steps) - countBack(p.steps))
	return p
}

// planUndo is planSetup for the VIPs that stay, and takes back also what carries our mark without being in the record: of the VIPs
// that go, or for none of them everything.
func planUndo(h host, r record, stay []VIP, gone []netip.Addr) plan {
	for _, t := range marked(h) {
		if _, known := r.find(t); !known && (len(gone) == 0 || t.Kind == KindAddress && slices.Contains(gone, addrOf(t))) {
			r.Made = append(slices.Clone(r.Made), made{Thing: t})
		}
	}
	return planSetup(h, r, stay)
}

// marked are the things that show themselves that they are ours.
func marked(h host) (out []Thing) {
	for name := range kinds {
		if h.ourDevice(name) {
			out = append(out, Thing{Kind: KindLink, Name: name})
		}
	}
	for _, a := range h.addresses {
		if a.marked {
			out = append(out, Thing{KindAddress, a.prefix.String(), a.link})
		}
	}
	slices.SortFunc(out, compare)
	return out
}

// back takes one thing back, if it is still as it was made.
func (p *plan) back(h host, m made) {
	s := Step{Thing: m.Thing, Back: true}
	ours := false
	switch m.Kind {
	case KindSysctl:
		s.From, s.To = h.sysctls[m.Name], m.Was
		ours = s.From == m.Set && s.From != s.To
		if s.From != "" && s.From != m.Set && s.From != m.Was {
			p.notes = append(p.notes, fmt.Sprintf("%s is %s, not the %s that setup made of it: left to who changed it (it was %s before)", m.Thing, s.From, m.Set, m.Was))
		}
	case KindLink:
		s.From, ours = h.links[m.Name].kind, h.ourDevice(m.Name)
	case KindListener:
		s.From = h.listeners[m.Name]
		ours = s.From == GUE
	case KindAddress:
		a, there := h.find(m.Link, addrOf(m.Thing))
		s.From = "present"
		ours = there && a.prefix.String() == m.Name && (a.marked || a.shaped || h.ourDevice(m.Link))
		if there && !ours {
			p.notes = append(p.notes, fmt.Sprintf("%s does not carry the mark of setup: left to who put it there", m.Thing))
		}
	}
	if ours {
		p.steps = append(p.steps, s)
		return
	}
	p.forget = append(p.forget, m.Thing)
}

func countBack(steps []Step) (n int) {
	for _, s := range steps {
		if s.Back {
			n++
		}
	}
	return n
}

// backOrder is the reverse of the order of making: a sysctl is given back when no address needs it any more, and before it
// a device, whose own sysctls go with it.
var backOrder = []Kind{KindAddress, KindListener, KindLink, KindSysctl}

// order sorts what is taken back, which begins at index from.
func (p *plan) order(from int) {
	slices.SortStableFunc(p.steps[from:], func(a, b Step) int {
		return slices.Index(backOrder, a.Kind) - slices.Index(backOrder, b.Kind)
	})
}
