package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// EndDrain ends drains: the servers become disabled. Each is checked by itself, and one that is stale is skipped: a server that is not
// drained any more, or by another SetAdmin than that of Index. Since schema 5.
type EndDrain struct {
	Drains []DrainOver `json:"drains"`
}

// DrainOver is one drain that has come to its end.
type DrainOver struct {
	Server ServerKey `json:"server"`
	Index  uint64    `json:"index"` // ServerState.Drain
	// Reason is drained, when the director Node, which has to be the one that owns the service's VIP, has seen the last connection go, or
	// timeout.
	Reason ReasonCode `json:"reason"`
	Node   NodeID     `json:"node,omitempty"`
}

// DrainsOver are the drains whose limit has passed by now, sorted by server; at most limit.
func (s *State) DrainsOver(now time.Time, limit int) []DrainOver {
	var out []DrainOver
	for k, st := range s.Servers {
		if st.Admin == Drain && !st.Deadline.IsZero() && !now.Before(st.Deadline) {
			out = append(out, DrainOver{Server: k, Index: st.Drain, Reason: ReasonTimeout})
		}
	}
	slices.SortFunc(out, func(a, b DrainOver) int { return a.Server.Compare(b.Server) })
	return out[:min(len(out), limit)]
}

func (e *entry) endDrain(c EndDrain) error {
	for _, d := range c.Drains {
		if d.Reason != ReasonDrained && d.Reason != ReasonTimeout {
			return fmt.Errorf("end of the drain of server %s: reason %q: %w", clip(d.Server.String(), 160), clip(string(d.Reason), 80), ErrInvalid)
		}
	}
	for _, d := range c.Drains {
		st, ok := e.next.Servers[d.Server]
		if !ok || st.Admin != Drain || st.Drain != d.Index || d.Reason == ReasonDrained && !e.next.serves(d.Node, d.Server.Service) {
			continue
		}
		st.Admin, st.Why, st.Deadline, st.Drain = Disabled, d.Reason, time.Time{}, 0
		e.setServer(d.Server, st)
		text := "%s is drained: its last connection is gone, and it is disabled"
		if d.Reason == ReasonTimeout {
			text = "%s was drained for as long as it may: it is disabled, and what connections it had are cut"
		}
		e.event(Event{Kind: EventServer, Server: d.Server.String(), Reason: d.Reason, Text: fmt.Sprintf(text, d.Server)})
	}
	return nil
}

// serves reports whether the node owns the VIP of a service, and has not been asked to release it.
func (s *State) serves(node NodeID, service string) bool {
	v, ok := s.Config.VIPs[s.Config.Services[service].VIP]
	if !ok || node == "" {
		return false
	}
	a := s.Assignments[v.Key()]
	return a.Owner == node && a.Release == nil && a.Matches(v)
}

// DrainingOn are the servers that are drained and that the node serves: whose connections it has to watch. Sorted.
func (s *State) DrainingOn(node NodeID) []ServerKey {
	var out []ServerKey
	for k, st := range s.Servers {
		if st.Admin == Drain && s.serves(node, k.Service) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, ServerKey.Compare)
	return out
}

// Admins are the SetAdmins that bring new servers to the admin states of these, sorted by server: for a cluster that is made of a lost one.
// Drains begin anew, with the limit that they had left at the time.
func (s *State) Admins(at time.Time) []SetAdmin {
	var out []SetAdmin
	for _, k := range slices.SortedFunc(maps.Keys(s.Servers), ServerKey.Compare) {
		st := s.Servers[k]
		if st.Admin == Enabled {
			continue
		}
		c := SetAdmin{Server: k, Admin: st.Admin}
		if !st.Deadline.IsZero() {
			left := min(max(time.Second, st.Deadline.Sub(at)), MaxDrainTimeout)
			c.Timeout = &left
		}
		out = append(out, c)
	}
	return out
}
