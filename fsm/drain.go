package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// Reason is drained, when the director Node, which has to own a VIP of the service, has seen the last connection go, or timeout. A drain ends when
	// the owners of all of the service's VIPs have said so.
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
		if !ok || st.Admin != Drain || st.Drain != d.Index {
			continue
		}
		if d.Reason == ReasonDrained {
			mine := e.next.serves(d.Node, d.Server.Service)
			if len(mine) == 0 {
				continue
			}
			if st.Quiet = quietWith(st.Quiet, mine); !e.next.allQuiet(d.Server.Service, st.Quiet) {
				e.setServer(d.Server, st)
				continue
			}
		}
		st.Admin, st.Why, st.Deadline, st.Drain, st.Quiet = Disabled, d.Reason, time.Time{}, 0, nil
		e.setServer(d.Server, st)
		text := "%s is drained: its last connection is gone, and it is disabled"
		if d.Reason == ReasonTimeout {
			text = "%s was drained for as long as it may: it is disabled, and what connections it had are cut"
		}
		e.event(Event{Kind: EventServer, Server: d.Server.String(), Reason: d.Reason, Text: fmt.Sprintf(text, d.Server)})
	}
	return nil
}

// serves are the VIPs of a service that the node owns, and has not been asked to release, with the epochs under which it does.
func (s *State) serves(node NodeID, service string) (out []QuietVIP) {
	svc, ok := s.Config.Services[service]
	if !ok || node == "" {
		return nil
	}
	for _, name := range svc.On() {
		if v, ok := s.Config.VIPs[name]; ok {
			if a := s.Assignments[v.Key()]; a.Owner == node && a.Release == nil && s.Config.Matches(a, v) {
				out = append(out, QuietVIP{name, a.Epoch})
			}
		}
	}
	return out
}

// quietWith is the list with what is said newly of some VIPs, sorted.
func quietWith(list, said []QuietVIP) []QuietVIP {
	out := slices.DeleteFunc(slices.Clone(list), func(q QuietVIP) bool {
		return slices.ContainsFunc(said, func(x QuietVIP) bool { return x.VIP == q.VIP })
	})
	return slices.SortedFunc(slices.Values(append(out, said...)), func(a, b QuietVIP) int { return strings.Compare(a.VIP, b.VIP) })
}

// allQuiet reports whether the owner of each VIP of the service, as it is now, has said that there are no connections any more.
func (s *State) allQuiet(service string, quiet []QuietVIP) bool {
	for _, name := range s.Config.Services[service].On() {
		a := s.Assignments[s.Config.VIPs[name].Key()]
		if a.Owner == "" || !slices.Contains(quiet, QuietVIP{name, a.Epoch}) {
			return false
		}
	}
	return true
}

// DrainingOn are the servers that are drained and that the node serves, with connections of which it has not said yet that they are gone: those that
// it has to watch. Sorted.
func (s *State) DrainingOn(node NodeID) []ServerKey {
	var out []ServerKey
	for k, st := range s.Servers {
		if st.Admin != Drain {
			continue
		}
		if slices.ContainsFunc(s.serves(node, k.Service), func(q QuietVIP) bool { return !slices.Contains(st.Quiet, q) }) {
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
