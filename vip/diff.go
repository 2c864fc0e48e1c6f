package vip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// why is the reason of a step.
type why uint8

const (
	_            why = iota
	whyMissing       // wanted, not there
	whyRenew         // wanted, there, its lifetime is due
	whyTakeOver      // wanted, there, foreign
	whyUnwanted      // ours, not wanted
	whyPrefix        // ours, wanted with another prefix length
	whyOtherLink     // ours, wanted on another link
	whyUngated       // ours, wanted, on a link that has lost its gate
)

func (w why) String() string {
	switch w {
	case whyMissing:
		return "missing"
	case whyRenew:
		return "renew"
	case whyTakeOver:
		return "take over"
	case whyUnwanted:
		return "unwanted"
	case whyPrefix:
		return "other prefix length"
	case whyOtherLink:
		return "other link"
	case whyUngated:
		return "no gate"
	}
	return fmt.Sprintf("why(%d)", uint8(w))
}

// step is one change to the kernel: a removal (Remove set) or a put (Put set).
type step struct {
	Why    why
	Put    *Wanted
	Remove *Address
}

func (s step) key() key {
	if s.Put != nil {
		return s.Put.key()
	}
	return s.Remove.key()
}

// view is all that a diff looks at.
type view struct {
	Want    []Wanted
	Managed map[netip.Addr]struct{} // the cluster's addresses, wanted here or not
	Have    []Address
	Links   map[string]Link // nil: not known, no link is doubted
	// Due says whether the lifetime of a wanted address that is there has to be renewed. nil: never.
	Due func(Wanted, Address) bool
	// Hold says why an address that is missing or foreign may not be put now. nil: it always may.
	Hold func(Wanted) error
	// Gate says why a link may carry no address of ours, for want of the gate. nil: every link may.
	Gate func(link string) error
	// Virtual says why a link with a virtual MAC is not there or not as it should be. nil: all are.
	Virtual func(link string) error
}

// blocked is a wanted address that cannot be carried out now.
type blocked struct {
	Wanted Wanted
	Err    error
}

// plan is what a diff finds.
type plan struct {
	Steps     []step // in the order in which to carry them out: removals first
	Conflicts []Address
	Blocked   []blocked
}

// diff compares what is wanted with what is there. It is pure, and the same view gives the same plan.
//
// Removals come first: what is given up must be silent soonest, and an address can change its link or its prefix length
// only by leaving first. An address on a link that is missing or down is not put, so that one broken link does not hide
// behind a kernel's error number; its removal elsewhere still happens.
//
// Removals go through the kernel's list backwards. It lists the first address of an IPv4 subnet before those that came
// later, its secondaries; when that one goes first, the kernel promotes a secondary and rebuilds the routes of all the
// others: clearing 500 addresses took 2.9 s that way, and 0.05 s this way.
func diff(v view) plan {
	var p plan
	want := make(map[netip.Addr]Wanted, len(v.Want))
	var order []Wanted
	for _, w := range v.Want {
		if err := w.check(); err != nil {
			p.Blocked = append(p.Blocked, blocked{w, err})
			continue
		}
		if first, ok := want[w.Prefix.Addr()]; ok {
			if first.key() != w.key() || first.Prefix != w.Prefix {
				p.Blocked = append(p.Blocked, blocked{w, fmt.Errorf("%w: %s is also wanted as %s; drop one of them", ErrTwice, w, first)})
			}
			continue
		}
		want[w.Prefix.Addr()] = w
		order = append(order, w)
	}

	have := make(map[key][]Address, len(v.Have))
	for _, a := range slices.Backward(v.Have) {
		w, wanted := want[a.Prefix.Addr()]
		_, managed := v.Managed[a.Prefix.Addr()]
		switch {
		case a.Ours && !wanted:
			p.Steps = append(p.Steps, step{Why: whyUnwanted, Remove: &a})
		case a.Ours && a.Link != w.Link:
			p.Steps = append(p.Steps, step{Why: whyOtherLink, Remove: &a})
		case a.Ours && a.Prefix != w.Prefix:
			p.Steps = append(p.Steps, step{Why: whyPrefix, Remove: &a})
		case a.Ours && v.gate(a.Link) != nil:
			p.Steps = append(p.Steps, step{Why: whyUngated, Remove: &a})
		case a.Ours:
			have[a.key()] = append(have[a.key()], a)
		case wanted && !w.lingers() && a.Link == w.Link && (a.Prefix == w.Prefix || a.Prefix.Addr().Is6()):
			// An IPv6 address exists once per link: a put changes the foreign entry whatever its prefix length, and the
			// next round corrects that as one of ours.
			have[a.key()] = append(have[a.key()], a)
		case wanted || managed:
			p.Conflicts = append(p.Conflicts, a)
		}
	}

	for _, w := range order {
		if w.lingers() {
			continue // what is there stays, what has gone is not put back
		}
		if err := linkError(v.Links, w); err != nil {
			if lacks := v.lacks(w); lacks != nil { // which says why it is not there
				err = lacks
			}
			p.Blocked = append(p.Blocked, blocked{w, err})
			continue
		}
		if err := v.gate(w.Link); err != nil {
			p.Blocked = append(p.Blocked, blocked{w, fmt.Errorf("%s: %w", w.Prefix, err)})
			continue
		}
		there := have[w.key()]
		if len(there) > 0 && there[0].Ours {
			if v.Due != nil && v.Due(w, there[0]) {
				p.Steps = append(p.Steps, step{Why: whyRenew, Put: &w})
			}
			continue
		}
		if err := v.lacks(w); err != nil {
			p.Blocked = append(p.Blocked, blocked{w, err})
			continue
		}
		if v.Hold != nil {
			if err := v.Hold(w); err != nil {
				p.Blocked = append(p.Blocked, blocked{w, err})
				continue
			}
		}
		reason := whyMissing
		if len(there) > 0 {
			reason = whyTakeOver
		}
		p.Steps = append(p.Steps, step{Why: reason, Put: &w})
	}
	return p
}

// gate says why nothing of ours may be on a link, for want of the gate.
func (v view) gate(link string) error {
	if v.Gate == nil {
		return nil
	}
	return v.Gate(link)
}

// lacks says what w's link with a virtual MAC lacks: nothing is put there then, but what is there stays.
func (v view) lacks(w Wanted) error {
	if v.Virtual == nil {
		return nil
	}
	if err := v.Virtual(w.Link); err != nil {
		return fmt.Errorf("%s: %w", w.Prefix, err)
	}
	return nil
}

// linkError says why nothing can be put on w's link.
func linkError(links map[string]Link, w Wanted) error {
	if links == nil {
		return nil
	}
	l, ok := links[w.Link]
	switch {
	case !ok:
		return fmt.Errorf("%w: %s (for %s)", ErrNoLink, w.Link, w.Prefix)
	case !l.Up:
		return fmt.Errorf("%w: %s (for %s): ip link set %[2]s up", ErrLinkDown, w.Link, w.Prefix)
	}
	return nil
}

// compareAddresses orders by link, then address, then prefix length.
func compareAddresses(a, b Address) int {
	if c := strings.Compare(a.Link, b.Link); c != 0 {
		return c
	}
	if c := a.Prefix.Addr().Compare(b.Prefix.Addr()); c != 0 {
		return c
	}
	return a.Prefix.Bits() - b.Prefix.Bits()
}
