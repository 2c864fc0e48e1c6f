package fsm

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// PathFault is the path from a node to the servers of a VIP's services that is cut, while other nodes reach them. The VIP goes to a node without one, and
// none is moved to the node for as long as it lasts. Since schema 6.
type PathFault struct {
	VIP   string    `json:"vip"`
	Since time.Time `json:"since"` // leader's clock
}

// SetPaths commits edges of faults of paths. What changes nothing, and what is not known, is skipped. Since schema 6.
type SetPaths struct {
	Edges []PathEdge `json:"edges"`
}

// PathEdge is one edge.
type PathEdge struct {
	Node NodeID `json:"node"`
	VIP  string `json:"vip"`
	Cut  bool   `json:"cut,omitempty"`
	Text string `json:"text,omitempty"` // what was seen
}

// PathFault is that of the node for a VIP.
func (n Node) PathFault(vip string) (PathFault, bool) {
	i := slices.IndexFunc(n.Paths, func(f PathFault) bool { return f.VIP == vip })
	if i < 0 {
		return PathFault{}, false
	}
	return n.Paths[i], true
}

func (e *entry) setPaths(c SetPaths) {
	for _, edge := range c.Edges {
		n, member := e.next.Nodes[edge.Node]
		v, configured := e.next.Config.VIPs[edge.VIP]
		if _, has := n.PathFault(edge.VIP); !member || !configured || has == edge.Cut {
			continue
		}
		n.Paths = slices.DeleteFunc(slices.Clone(n.Paths), func(f PathFault) bool { return f.VIP == edge.VIP })
		text := fmt.Sprintf("%s reaches the servers of vip %s again", n.ID, v.Name)
		if edge.Cut {
			n.Paths = append(n.Paths, PathFault{VIP: v.Name, Since: e.at})
			slices.SortFunc(n.Paths, func(a, b PathFault) int { return strings.Compare(a.VIP, b.VIP) })
			text = fmt.Sprintf("%s does not reach the servers of vip %s, and other nodes do", n.ID, v.Name)
		}
		if seen := clip(edge.Text, 512); seen != "" {
			text += ": " + seen
		}
		if len(n.Paths) == 0 {
			n.Paths = nil
		}
		e.nodes()[n.ID] = n
		e.event(Event{Kind: EventNode, Node: n.ID, VIP: v.Name, Reason: ReasonPath, Text: text})
	}
}

// matchPaths forgets the faults of VIPs that are no more.
func (e *entry) matchPaths() {
	for id, n := range e.next.Nodes {
		left := slices.DeleteFunc(slices.Clone(n.Paths), func(f PathFault) bool { _, is := e.next.Config.VIPs[f.VIP]; return !is })
		if len(left) == len(n.Paths) {
			continue
		}
		if n.Paths = left; len(left) == 0 {
			n.Paths = nil
		}
		e.nodes()[id] = n
	}
}

// PathCut reports whether the node has a fault of its path to the servers of the service, by any of its VIPs.
func (s *State) PathCut(service string, node NodeID) bool {
	n := s.Nodes[node]
	return len(n.Paths) > 0 && slices.ContainsFunc(s.Config.Services[service].On(), func(vip string) bool { _, is := n.PathFault(vip); return is })
}

// Heeded are those of a server's observers by whose views its verdict is made: those whose path is whole, or all where there is none. What one sees by a path that
// is cut is no news of the servers, and of two observers it would keep every verdict as it is. That is so by majority only: who asks for all of
// them, or for any, means each.
func Heeded(s *State, service string, observers []NodeID) []NodeID {
	cut := func(n NodeID) bool { return s.PathCut(service, n) }
	if s.Config.Services[service].Health.Observers != ByMajority || !slices.ContainsFunc(observers, cut) {
		return observers
	}
	whole := slices.DeleteFunc(slices.Clone(observers), cut)
	if len(whole) == 0 {
		return observers
	}
	return whole
}

// SeenByAll is how long after one observer another one may see a server die: each asks at its own point of the interval, which may come out a tenth longer, and may
// wait for the answer as long as the timeout.
func (s Service) SeenByAll() (longest time.Duration) {
	for _, c := range s.Checks {
		longest = max(longest, c.Interval+c.Interval/10+c.Timeout)
	}
	return longest
}

// Owns reports whether the node owns a VIP of the service.
func (s *State) Owns(node NodeID, service string) bool {
	return node != "" && slices.ContainsFunc(s.Config.Services[service].On(), func(name string) bool {
		v, ok := s.Config.VIPs[name]
		return ok && s.Assignments[v.Key()].Owner == node
	})
}

// Watches reports whether the node probes the server: as one of its observers, or because it owns a VIP of the service, or has a fault of the path to
// its servers. What the latter two see counts for faults of paths alone.
func Watches(s *State, server ServerKey, node NodeID) bool {
	n, member := s.Nodes[node]
	if !member || n.Role != Director {
		return false
	}
	// What is cheaper to say comes first: there may be thousands of servers.
	return s.believes() && (s.Owns(node, server.Service) || s.PathCut(server.Service, node)) || slices.Contains(Observers(s, server), node)
}

// cut marks the nodes that do not reach the servers of the unit: it shuns them while another node does that may have it. Where there is none, an owner keeps the unit,
// and one without owner goes to any node: to reach no server is no worse than to have no owner. An owner that reaches them is another node also while it is
// not able: that it is dead a fence has to say, and a leader that has not heard of it yet must not bring the unit back.
func (p *planner) cut(u *unit) {
	if !p.s.believes() || !slices.ContainsFunc(p.nodes, func(n Node) bool { return len(n.Paths) > 0 }) {
		return
	}
	cut := make([]bool, len(p.nodes))
	found := false
	for i, n := range p.nodes {
		cut[i] = n.cutFrom(u)
		found = found || cut[i]
	}
	if !found {
		return
	}
	other := false
	for i := range p.nodes {
		other = other || !cut[i] && u.open[i] && (p.nodes[i].Weight > 0 || slices.Contains(u.prefer, p.nodes[i].ID))
	}
	var keepers []int
	for _, m := range u.members {
		if p.stays(u, m) {
			keepers = append(keepers, p.owner(m))
		}
	}
	other = other || slices.ContainsFunc(keepers, func(i int) bool { return !cut[i] })
	if !other && len(keepers) == 0 {
		return
	}
	if !other {
		for _, i := range keepers {
			cut[i] = false
		}
	}
	u.cut = cut
	for i := range cut {
		u.open[i] = u.open[i] && !cut[i]
	}
}

// cutFrom reports whether the node does not reach the servers of any of the unit's VIPs.
func (n Node) cutFrom(u *unit) bool {
	return len(n.Paths) > 0 && slices.ContainsFunc(u.members, func(m member) bool { _, is := n.PathFault(m.vip.Name); return is })
}

// shuns reports whether the unit is not to be on node i because of its path.
func (u *unit) shuns(i int) bool { return u.cut != nil && u.cut[i] }

// whyCut is half a sentence about a node that the unit shuns.
func whyCut(n Node) string {
	return fmt.Sprintf("%s does not reach the servers, and other nodes do", n.ID)
}
