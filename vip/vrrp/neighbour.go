package vrrp

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// MaxNeighbours is how many routers are remembered for one virtual router, and how many on a link that is scanned: 255 virtual routers of four
// routers each. Whoever invents more pushes out strangers that were silent longest.
const (
	MaxNeighbours = 64
	MaxScanned    = 1024
)

// Neighbour is another router, as its adverts show it. Times are on the clock of [Event.At].
type Neighbour struct {
	VRID     VRID
	Source   netip.Addr
	Role     Role
	Version  Version
	Priority Priority // of the last advert that was not its last word
	Released bool     // its last advert was its last word
	// Interval is what it advertised, in version 2 too.
	Interval    time.Duration
	Addresses   []netip.Addr
	Destination netip.Addr
	Auth        AuthType
	Signed      bool
	Form        Form
	// Differs is in what its last advert was not as ours; Reason why that was dropped, or Accepted. The rest is of the last one that was accepted, while there is
	// one that its Backup Routers would not have given up: who can forge a source cannot make a router look other than it is.
	Differs     Differences
	Reason      Reason
	FirstHeard  time.Duration
	LastHeard   time.Duration
	Adverts     uint64 // accepted
	Dropped     uint64
	DownAdverts int // the default: what a router waits for is not on the wire

	accepted time.Duration // when the last one was
	told     Differences   // since toldAt
	toldAt   time.Duration
}

// Activity is what a router is doing. Only Active Routers speak: a Backup Router is known for having been one.
type Activity uint8

const (
	// Silent: no advert for longer than its Backup Routers would wait. It is a Backup Router, or gone.
	Silent Activity = iota
	// Released: its last word was that it stops.
	Released
	// Speaking: it advertises as the Active Router.
	Speaking
)

// String is "silent", "released" or "active".
func (a Activity) String() string {
	return [...]string{"silent", "released", "active"}[min(a, Speaking)]
}

// MarshalText implements encoding.TextMarshaler.
func (a Activity) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Activity of a router at an instant.
func (n *Neighbour) Activity(now time.Duration) Activity {
	switch {
	case n.Released:
		return Released
	case now-n.LastHeard > ActiveDownInterval(n.Version, n.Priority, n.Interval, n.DownAdverts):
		return Silent
	}
	return Speaking
}

// Heeded reports whether a router advertises as the Active Router at an instant, by adverts that were accepted: only then does what it says count.
func (n *Neighbour) Heeded(now time.Duration) bool {
	return n.Adverts > 0 && n.Activity(now) == Speaking && now-n.accepted <= ActiveDownInterval(n.Version, n.Priority, n.Interval, n.DownAdverts)
}

// SilentAt is when the router counts as silent if nothing more is heard of it.
func (n *Neighbour) SilentAt() time.Duration {
	return n.LastHeard + ActiveDownInterval(n.Version, n.Priority, n.Interval, n.DownAdverts)
}

// TakesOverAfter is how long this router, as a Backup Router, hears nothing of an Active Router with an interval before it takes over. A hand-over must be
// over by then.
func (n *Neighbour) TakesOverAfter(activeInterval time.Duration) time.Duration {
	if n.Version == V2 {
		activeInterval = n.Interval
	}
	return ActiveDownInterval(n.Version, n.Priority, activeInterval, n.DownAdverts)
}

// Neighbours remembers whom is heard, within a bound. It is not safe for concurrent use.
type Neighbours struct {
	most int
	list []Neighbour
}

// NewNeighbours remembers at most so many.
func NewNeighbours(most int) *Neighbours { return &Neighbours{most: most} }

// tellAgain is after what time a difference is told again: a router that changes with every advert fills no log.
const tellAgain = time.Minute

// Hear notes a sound advert, and returns in what it differs newly from ours: each difference of a router once a minute at most, and as long as it lasts once
// altogether. It allocates only when something has changed.
func (s *Neighbours) Hear(h Heard, destination netip.Addr, at time.Duration) (fresh Differences) {
	a := h.Advert
	n := s.find(a.VRID, h.Source)
	if n == nil {
		if n = s.room(h.Role, at); n == nil {
			return 0
		}
		*n = Neighbour{VRID: a.VRID, Source: h.Source, FirstHeard: at, DownAdverts: DefaultDownAdverts, toldAt: at}
	}
	if at-n.toldAt >= tellAgain {
		n.told, n.toldAt = 0, at
	}
	fresh = h.Differs &^ (n.Differs | n.told)
	n.told |= fresh
	n.Differs, n.Reason = h.Differs, h.Reason
	if h.Reason == Accepted {
		n.Adverts++
		n.accepted = at
	} else if n.Dropped++; n.Adverts > 0 && at-n.accepted <= n.TakesOverAfter(n.Interval) {
		return fresh
	}
	if !slices.Equal(n.Addresses, a.Addresses) {
		n.Addresses = slices.Clone(a.Addresses)
	}
	n.Role, n.Version, n.Interval, n.Destination = h.Role, a.Version, a.Interval, destination
	n.Auth, n.Signed, n.Form = a.Auth, a.Signed, h.Form
	if n.Released = a.Priority == Releasing; !n.Released {
		n.Priority = a.Priority
	}
	n.LastHeard = at
	return fresh
}

func (s *Neighbours) find(v VRID, source netip.Addr) *Neighbour {
	for i := range s.list {
		if n := &s.list[i]; n.Source == source && n.VRID == v {
			return n
		}
	}
	return nil
}

// room is a place for one more. Nobody whom we were told of makes room for a stranger; and one that spoke in the last second makes room for nobody, or a flood of
// ever new sources would keep the table turning.
func (s *Neighbours) room(role Role, at time.Duration) *Neighbour {
	if len(s.list) < s.most {
		s.list = append(s.list, Neighbour{})
		return &s.list[len(s.list)-1]
	}
	var oldest *Neighbour
	for i := range s.list {
		if n := &s.list[i]; n.Role == Stranger && (oldest == nil || n.LastHeard < oldest.LastHeard) {
			oldest = n
		}
	}
	if oldest == nil || role == Stranger && at-oldest.LastHeard < time.Second {
		return nil
	}
	return oldest
}

// Forget drops strangers that were last heard before an instant.
func (s *Neighbours) Forget(before time.Duration) {
	s.list = slices.DeleteFunc(s.list, func(n Neighbour) bool { return n.Role == Stranger && n.LastHeard < before })
}

// All is a copy, ordered by VRID and address.
func (s *Neighbours) All() []Neighbour {
	all := slices.Clone(s.list)
	for i := range all {
		all[i].Addresses = slices.Clone(all[i].Addresses)
	}
	slices.SortFunc(all, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(a.VRID, b.VRID), a.Source.Compare(b.Source))
	})
	return all
}

// Collisions lists the VRIDs that two or more routers use for different things: their lists of addresses share none. all is ordered as [Neighbours.All] has it.
func Collisions(all []Neighbour) []VRID {
	var found []VRID
	for i := range all {
		for j := i + 1; j < len(all) && all[j].VRID == all[i].VRID; j++ {
			a, b := &all[i], &all[j]
			apart := len(a.Addresses) > 0 && len(b.Addresses) > 0 && len(missing(a.Addresses, b.Addresses)) == len(a.Addresses)
			if apart && FamilyOf(a.Source) == FamilyOf(b.Source) && !slices.Contains(found, a.VRID) {
				found = append(found, a.VRID)
			}
		}
	}
	return found
}
