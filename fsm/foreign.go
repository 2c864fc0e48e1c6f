package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// ForeignOwner is a router outside the cluster that has the VIPs of a virtual router: it speaks for them, and the cluster is not to take them. Since
// schema 7.
type ForeignOwner struct {
	Source   netip.Addr `json:"source"`   // of its adverts, without a zone
	Priority uint8      `json:"priority"` // by its last advert
	// Better says that it outranks the cluster. Otherwise the cluster leaves it what it has: preempt is off, or preempt_delay has not passed.
	Better bool `json:"better,omitempty"`
	// Reporters are the nodes that hear it, sorted.
	Reporters []NodeID `json:"reporters,omitempty"`
	// Since is the time of the entry that named this source first, Index the entry's. Apply sets both.
	Since time.Time `json:"since,omitzero"`
	Index uint64    `json:"index,omitempty"`
}

// SetForeign says which router outside the cluster has the VIPs of a virtual router; nil = none has any more. Refused when there is no such virtual
// router, and when the other is none of its peers, or the virtual router does not yield. Since schema 7.
type SetForeign struct {
	Router  string        `json:"router"`
	Foreign *ForeignOwner `json:"foreign,omitempty"`
}

// String is like "192.0.2.5 (priority 200)".
func (f ForeignOwner) String() string { return fmt.Sprintf("%v (priority %d)", f.Source, f.Priority) }

// Same reports whether f says the same as o, whoever hears it.
func (f ForeignOwner) Same(o ForeignOwner) bool {
	return f.Source == o.Source && f.Priority == o.Priority && f.Better == o.Better
}

func (e *entry) setForeign(c SetForeign) error {
	was, had := e.next.Foreign[c.Router]
	if c.Foreign == nil {
		if had {
			e.dropForeign(c.Router, was, "no node hears it claim it any more")
		}
		return nil
	}
	r, ok := e.next.Config.router(c.Router)
	f := *c.Foreign
	switch {
	case !ok:
		return fmt.Errorf("virtual router %q is not configured: %w", clip(c.Router, 80), ErrStale)
	case !r.MayYieldTo(f):
		return fmt.Errorf("virtual router %s does not yield to %v: %w", c.Router, f.Source, ErrStale)
	}
	f.Reporters = knownNodes(e.next.Nodes, f.Reporters)
	f.Since, f.Index = e.at, e.index
	if had && was.Source == f.Source {
		f.Since, f.Index = was.Since, was.Index
	}
	if had && was.Same(f) && slices.Equal(was.Reporters, f.Reporters) {
		return nil
	}
	e.foreign()[c.Router] = f
	if had && was.Source == f.Source && was.Better == f.Better {
		return nil // others hear it, or it says another priority: nothing that a person has to know, and anybody can send such adverts
	}
	e.refresh()
	e.event(Event{Kind: EventVRRP, VIP: e.next.onlyVIP(c.Router), Reason: ReasonForeignOwner,
		Text: fmt.Sprintf("virtual router %s: %v has it%s", c.Router, f, f.claim())})
	return nil
}

// refresh notes that what owners have of units that a router outside the cluster has may have been another's in between, even if it was not taken from them in time.
func (e *entry) refresh() {
	units := e.next.foreignUnits()
	for _, k := range sortedKeys(e.next.Assignments) {
		a := e.next.Assignments[k]
		v, ok := e.next.VIPByKey(k)
		if ok && a.Owner != "" && v.RouterName() != "" && units[v.unit()] != "" {
			a.Fresh = e.index
			e.assignments()[k] = a
		}
	}
}

// claim says why the cluster leaves it what it has.
func (f ForeignOwner) claim() string {
	if f.Better {
		return ", and outranks the cluster"
	}
	return ", and is left what it has, by preempt or preempt_delay"
}

// dropForeign forgets that a router outside the cluster has the VIPs.
func (e *entry) dropForeign(router string, was ForeignOwner, why string) {
	if delete(e.foreign(), router); len(e.next.Foreign) == 0 {
		e.next.Foreign = nil
	}
	e.event(Event{Kind: EventVRRP, VIP: e.next.onlyVIP(router), Reason: ReasonForeignOwner,
		Text: fmt.Sprintf("virtual router %s: %v no longer has it: %s", router, was, why)})
}

// matchForeign follows a change of the configuration: a virtual router that is gone, or no longer yields to the other, has no foreign owner.
func (e *entry) matchForeign() {
	for _, name := range slices.Sorted(maps.Keys(e.next.Foreign)) {
		f := e.next.Foreign[name]
		if r, ok := e.next.Config.router(name); !ok || !r.MayYieldTo(f) {
			e.dropForeign(name, f, "the configuration no longer has it so")
		}
	}
}

// router is the virtual router of that name as it is written.
func (c Config) router(name string) (VirtualRouter, bool) {
	if r, ok := c.Routers[name]; ok {
		return r, true
	}
	if v, ok := c.VIPs[name]; ok && v.VRRP != nil {
		return *v.VRRP, true
	}
	return VirtualRouter{}, false
}

// MayYieldTo reports whether the other may have what is the router's. Whether it outranks the cluster is for the nodes to say, who hear it.
func (r VirtualRouter) MayYieldTo(f ForeignOwner) bool {
	return (f.Better && !r.NoYield || r.NoPreempt || !f.Better && r.PreemptDelay > 0) && f.Source.IsValid() && slices.Contains(r.Peers, f.Source)
}

// onlyVIP is the VIP of the virtual router if it has but one, for the timeline.
func (s *State) onlyVIP(router string) string {
	only := ""
	for name, v := range s.Config.VIPs {
		switch {
		case v.RouterName() != router:
		case only != "":
			return ""
		default:
			only = name
		}
	}
	return only
}

// knownNodes are those of the ids that are nodes, sorted, each once.
func knownNodes(nodes map[NodeID]Node, ids []NodeID) []NodeID {
	var out []NodeID
	for _, id := range ids {
		if _, ok := nodes[id]; ok && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// foreign is State.Foreign of the next state, to be written.
func (e *entry) foreign() map[string]ForeignOwner {
	e.copied.foreign = e.copied.foreign && e.next.Foreign != nil
	return own(&e.next.Foreign, &e.copied.foreign)
}
