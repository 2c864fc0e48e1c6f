package agent

import (
	"maps"
	"slices"

	"quorate/fsm"
)

// stake is what who owns VIPs, and whose paths are cut, have to do with which servers of a service a node probes, and how. With thousands of servers these are not
// gone through for a VIP that moves from one of the other nodes to the next.
type stake struct {
	more   bool         // it probes more servers than those of which it is an observer
	owners []fsm.NodeID // of the service's VIPs, where the way of probes depends on them
}

// stakesOf are those of a node in all services.
func stakesOf(s *fsm.State, self fsm.NodeID) map[string]stake {
	all := observesAll(s, self)
	out := make(map[string]stake, len(s.Config.Services))
	for name, svc := range s.Config.Services {
		if len(svc.Checks) == 0 {
			continue
		}
		st := stake{more: !all && (s.Owns(self, name) || s.PathCut(name, self))}
		if svc.ChecksThrough() {
			for _, vip := range svc.On() {
				st.owners = append(st.owners, s.Assignments[s.Config.VIPs[vip].Key()].Owner)
			}
		}
		out[name] = st
	}
	return out
}

// observesAll reports whether the node is an observer of all servers, as no more directors are there than observe each.
func observesAll(s *fsm.State, self fsm.NodeID) bool {
	k := s.Config.Settings.Observers
	if k <= 0 {
		k = fsm.DefaultSettings().Observers
	}
	directors := 0
	for _, n := range s.Nodes {
		if n.Role == fsm.Director && !n.Leaving {
			directors++
		}
	}
	n := s.Nodes[self]
	return n.Role == fsm.Director && !n.Leaving && directors <= k
}

// stands reports whether who owns VIPs, and whose paths are cut, call for no other probes than when they were last worked out.
func (o *observer) stands(s *fsm.State) bool {
	now := stakesOf(s, o.self)
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.EqualFunc(o.stakes, now, func(a, b stake) bool { return a.more == b.more && slices.Equal(a.owners, b.owners) })
}
