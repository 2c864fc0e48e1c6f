package fsm

import (
	"fmt"
	"strings"
	"time"
)

// configure replaces the configuration, or refuses and changes nothing.
func (e *entry) configure(c Configure) error {
	if c.Base != e.next.ConfigVersion && !c.Force {
		return fmt.Errorf("configuration: %w: it was made for version %d and the cluster is at %d; look at the difference (`quorate plan FILE`) and apply again",
			ErrConflict, c.Base, e.next.ConfigVersion)
	}
	if ps := c.Config.agreed(); len(ps) > 0 {
		return ps
	}
	cfg := c.Config.withDefaults()
	changes := Diff(e.next.Config, cfg)
	if len(changes) == 0 {
		return nil
	}
	before := e.next.Config
	e.next.Config = cfg
	e.next.ConfigVersion = e.index
	e.event(Event{Kind: EventConfig, Text: changesText(changes)})
	e.endFallbacks(before)
	e.releaseTombstones()
	e.matchHolders()
	e.matchForeign()
	e.matchServers()
	e.matchNodeChecks()
	e.matchPaths()
	e.handMarks()
	e.matchOutboxes()
	return nil
}

// changesText is like "added vip.web, service.http; changed cluster".
func changesText(changes []Change) string {
	const shown = 8 // of each kind
	var parts []string
	for _, op := range []Op{Added, Changed, Removed} {
		var names []string
		count := 0
		for _, c := range changes {
			if c.Op != op {
				continue
			}
			if count++; count <= shown {
				names = append(names, c.Object)
			}
		}
		if count > shown {
			names = append(names, fmt.Sprintf("%d more", count-shown))
		}
		if count > 0 {
			parts = append(parts, string(op)+" "+strings.Join(names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// releaseTombstones sees to it that no change of the configuration takes an owned address away from its owner (design §3
// “Ownership is of (network, address)”): the record stays, and the owner is asked to release. A release that is already
// pending keeps its index, because the owner may have confirmed it.
func (e *entry) releaseTombstones() {
	for _, k := range sortedKeys(e.next.Assignments) {
		a := e.next.Assignments[k]
		v, configured := e.next.VIPByKey(k)
		if a.Owner == "" {
			if !configured && len(a.Holders) == 0 {
				delete(e.assignments(), k)
			}
			continue
		}
		if configured && e.next.Config.Matches(a, v) {
			continue // a release that is no longer wanted is the planner's to cancel
		}
		r := Release{Index: e.index, Reason: e.next.Config.tombstoneReason(a, v, configured)}
		if configured && v.Name == a.VIP {
			r.To = a.Owner
		}
		if a.Release != nil {
			r.Index = a.Release.Index
		}
		a.Release = &r
		e.assignments()[k] = a
		if a.Shadow {
			continue // it has nothing to give up
		}
		e.event(Event{Kind: EventRelease, Node: a.Owner, VIP: a.VIP, Reason: r.Reason.Code,
			Text: fmt.Sprintf("%s (%v): %s has to give it up: %s", a.VIP, a.Key, a.Owner, r.Reason.Text)})
	}
}

// tombstoneReason says why the owner of a has to give the address up. v is the VIP that is now configured there.
func (c Config) tombstoneReason(a Assignment, v VIP, configured bool) Reason {
	switch {
	case !configured:
		return Reason{ReasonRemoved, fmt.Sprintf("%v is no longer configured", a.Key)}
	case v.Name != a.VIP:
		return Reason{ReasonRemoved, fmt.Sprintf("%v now belongs to vip %s", a.Key, v.Name)}
	case a.Shadow != c.Shadows(v):
		return Reason{ReasonChanged, fmt.Sprintf("its mode becomes %s", c.ModeOf(v))}
	case v.Address != a.Address:
		return Reason{ReasonChanged, fmt.Sprintf("%v becomes %v", a.Address, v.Address)}
	default:
		return Reason{ReasonChanged, fmt.Sprintf("its interface becomes %s", orAny(v.Interface))}
	}
}

// orAny is the name of an interface for a text.
func orAny(link string) string {
	if link == "" {
		return "the one that has the subnet"
	}
	return link
}

// matchServers keeps the states of servers that stay and makes those of new ones.
func (e *entry) matchServers() {
	old := e.next.Servers
	servers := make(map[ServerKey]ServerState, len(old))
	for name, s := range e.next.Config.Services {
		for _, server := range s.Servers {
			k := ServerKey{Service: name, Address: server.Address}
			st, ok := old[k]
			if !ok {
				st = ServerState{Verdict: Unknown, Admin: Enabled, Since: e.at}
			}
			// Without checks nobody would ever say that it is up.
			if len(s.Checks) == 0 && st.Verdict != Up {
				st.Verdict, st.Detail, st.Since = Up, "", e.at
			}
			if len(s.Checks) == 0 {
				st.Asked, st.AskedAt = Asked{}, time.Time{}
			}
			servers[k] = st
		}
	}
	e.next.Servers, e.copied.servers = servers, true
	e.unsettledAll = true
}
