package speak

import (
	"net/netip"
	"time"

	"quorate/vip/vrrp"
)

// Claim is what an Active Router outside the cluster says.
type Claim struct {
	Source   netip.Addr
	Priority vrrp.Priority
}

// better reports whether c outranks o (RFC 9568 section 6.4.3).
func (c Claim) better(o Claim) bool {
	return c.Priority > o.Priority || c.Priority == o.Priority && c.Source.Compare(o.Source) > 0
}

// View is what is heard of a virtual router. It is never changed.
type View struct {
	// Since is when this node began to listen; zero: it does not.
	Since time.Time
	// Active is the listed router that advertises with the best claim, and Outranks whether that is a better one than ours. The zero value: none does.
	// Only accepted adverts count.
	Active   Claim
	Outranks bool
	// ActiveSince is since when one of them has.
	ActiveSince time.Time
	// Deaf is a listed router that advertises, and whose adverts are dropped: it does not hear ours either.
	Deaf netip.Addr
	// Fellow says that another node of the cluster advertises.
	Fellow bool
	// Yielded says that this node fell silent before a better claim, which is still heard.
	Yielded bool
	// Speaks says that this node is the Active Router.
	Speaks bool
	// Led is when another node of the cluster was last heard to advertise with the cluster's own priority, and none has been heard to say anything else since. It is
	// looked at twice in an interval, where nodes elect without a quorum.
	Led time.Time

	next time.Duration // on the Speaker's clock: when it may look otherwise though nothing was heard; 0 = never
}

// Busy reports whether a listed router advertises, heard by us or not.
func (v *View) Busy() bool { return v.Active.Source.IsValid() || v.Deaf.IsValid() }

func (v *View) equal(o *View) bool {
	if o == nil {
		return false
	}
	a, b := *v, *o
	a.next, b.next = 0, 0
	a.Led, b.Led = time.Time{}, time.Time{}
	return a == b
}

// viewOf is what the status of a router shows, where own is what this node claims. was is the view before; nil: none.
func viewOf(st vrrp.RouterStatus, own Claim, yielded bool, was *View, now time.Time) *View {
	v := &View{Since: now, Yielded: yielded}
	if was != nil && !was.Since.IsZero() {
		v.Since = was.Since
	}
	v.Led = ledAt(st, own, now)
	for i := range st.Neighbours {
		n := &st.Neighbours[i]
		if n.Role == vrrp.Stranger || st.Activity[i] != vrrp.Speaking {
			continue
		}
		if at := n.SilentAt(); v.next == 0 || at < v.next {
			v.next = at
		}
		c := Claim{n.Source, n.Priority}
		switch {
		case n.Role == vrrp.Fellow:
			v.Fellow = true
		case !st.Heeded[i]:
			v.Deaf = n.Source
		case !v.Active.Source.IsValid() || c.better(v.Active):
			v.Active = c
		}
	}
	if v.Active.Source.IsValid() {
		v.Outranks = v.Active.better(own)
		v.ActiveSince = now
		if was != nil && was.Active.Source.IsValid() {
			v.ActiveSince = was.ActiveSince
		}
	}
	return v
}

// ledAt is Led of a view.
func ledAt(st vrrp.RouterStatus, own Claim, now time.Time) time.Time {
	last := -1
	for i := range st.Neighbours {
		if n := &st.Neighbours[i]; n.Role == vrrp.Fellow && (last < 0 || n.LastHeard > st.Neighbours[last].LastHeard) {
			last = i
		}
	}
	if last < 0 || st.Neighbours[last].Priority != own.Priority {
		return time.Time{}
	}
	return now.Add(st.Neighbours[last].LastHeard - st.Now)
}
