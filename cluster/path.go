package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// nodeSight is how a node sees the servers of a VIP.
type nodeSight struct {
	id    fsm.NodeID
	cut   bool // its path is agreed to be cut
	views map[fsm.ServerKey]Observation

	all    int       // servers by which it is judged
	other  int       // those of them that it has seen for long enough as it takes to agree upon the other thing
	soon   int       // those that it sees so, and not for long enough yet
	next   time.Time // when the first of the latter will have been seen so for long enough
	detail string    // why it sees one down
}

// paths finds the nodes that do not reach the servers of a VIP while others do: where the owner alone is blind, it is not the servers that failed
// but its path, and the VIP is better off elsewhere (design §4). Another node that is blind is found too, so that no VIP goes there, if it probes all of the
// servers: as an observer, as all nodes do where there are no more of them than observers. What is seen has to last before it counts, because a node may only be the
// first to see servers die. How long it has lasted each node says itself, see Observation.For: so a new leader goes on where the last one was.
//
// Only the word of nodes that hold a lease counts, on either side: gossip takes seconds to miss one that is gone, and what it saw last would be held against those
// that see what became of the servers since.
//
// Times are of a clock that nobody sets: by a jump of another one, what has just been seen would have lasted.
type paths struct {
	looked time.Time
	next   time.Time // when there may be more to say without any news

	s    *fsm.State // by which it was looked
	able map[fsm.NodeID]bool
}

// few is the share of servers on which the word of one node may differ, or be missing: a tenth.
const few = 10

// pathPause is the least time between two looks: there may be thousands of servers, and the leader is woken by each word of theirs.
const pathPause = 250 * time.Millisecond

// pathClear is how long a path has to be well again before its fault is forgotten.
const pathClear = 5 * time.Second

// pathSlack is how long after all could have seen servers die a blind node counts: reports travel.
const pathSlack = pathPause

// edges are the faults of paths that begin and end at a time. able says which nodes hold a lease.
func (p *paths) edges(s *fsm.State, seen sightings, able map[fsm.NodeID]bool, now time.Time) []fsm.PathEdge {
	if ago := now.Sub(p.looked); 0 <= ago && ago < pathPause {
		p.next = p.looked.Add(pathPause)
		return nil
	}
	p.looked, p.next, p.s, p.able = now, time.Time{}, s, able
	if !s.TakesAsked() { // the same schema
		return nil
	}
	var out []fsm.PathEdge
	checked := checkedOn(s.Config)
	for name := range s.Config.VIPs {
		services := checked[name]
		if len(services) == 0 {
			for id, n := range s.Nodes {
				if _, cut := n.PathFault(name); cut {
					out = append(out, fsm.PathEdge{Node: id, VIP: name, Text: "the VIP has no servers that are checked"})
				}
			}
			continue
		}
		for _, x := range sightsOf(s, name, services, seen, able, now) {
			switch {
			case x.other > 0 && mostly(x.other, x.all):
				e := fsm.PathEdge{Node: x.id, VIP: name, Cut: !x.cut}
				if e.Cut {
					e.Text = fmt.Sprintf("it sees %d of %d servers that are up: %s", x.all-x.other, x.all, shorten(x.detail, maxDetail))
				}
				out = append(out, e)
			case x.soon > 0 && mostly(x.other+x.soon, x.all) && (p.next.IsZero() || x.next.Before(p.next)):
				p.next = x.next
			}
		}
	}
	slices.SortFunc(out, func(a, b fsm.PathEdge) int {
		return cmp.Or(strings.Compare(a.VIP, b.VIP), strings.Compare(string(a.Node), string(b.Node)))
	})
	return out
}

// sees reports whether it was looked by what another look would go by, but for the views.
func (p *paths) sees(s *fsm.State, able map[fsm.NodeID]bool) bool {
	if p.s == nil || p.s.ConfigVersion != s.ConfigVersion || p.s.Schema != s.Schema || len(p.s.Nodes) != len(s.Nodes) || !maps.Equal(p.able, able) || !sameMap(p.s.Servers, s.Servers) {
		return false
	}
	for id, n := range s.Nodes {
		if was, known := p.s.Nodes[id]; !known || !slices.Equal(was.Paths, n.Paths) {
			return false
		}
	}
	return true
}

// sameMap reports whether both are one map. The maps of states are never changed in place, and there may be thousands of servers in one.
func sameMap[K comparable, V any](a, b map[K]V) bool {
	return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer()
}

// mostly reports whether so many are all but a few.
func mostly(some, all int) bool { return (all-some)*few <= all }

// checkedOn are the services of each VIP by whose servers a path may be judged.
func checkedOn(c fsm.Config) map[string][]fsm.Service {
	out := map[string][]fsm.Service{}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		svc := c.Services[name]
		if len(svc.Checks) == 0 || svc.Health.Observers == fsm.ByOwner {
			continue
		}
		for _, vip := range svc.On() {
			out[vip] = append(out[vip], svc)
		}
	}
	return out
}

// settleTime is how long a path has to be seen cut.
func settleTime(services []fsm.Service) time.Duration {
	longest := time.Duration(0)
	for _, svc := range services {
		longest = max(longest, svc.SeenByAll())
	}
	return longest + pathSlack
}

// sightsOf compares what the nodes see of the servers of a VIP with each other.
func sightsOf(s *fsm.State, vip string, services []fsm.Service, seen sightings, able map[fsm.NodeID]bool, now time.Time) []nodeSight {
	var out []nodeSight
	for id, views := range seen {
		if n, member := s.Nodes[id]; member && able[id] {
			_, cut := n.PathFault(vip)
			out = append(out, nodeSight{id: id, cut: cut, views: views})
		}
	}
	if len(out) == 0 {
		return nil
	}
	settle := settleTime(services)
	views := make([]Observation, len(out))
	spoke := make([]bool, len(out))
	for _, svc := range services {
		for _, server := range svc.Servers {
			k := fsm.ServerKey{Service: svc.Name, Address: server.Address}
			up := s.Servers[k].Verdict == fsm.Up
			var first time.Time // since when somebody sees it up
			reached := false
			for i := range out {
				if views[i], spoke[i] = out[i].views[k]; views[i].Up && (!reached || views[i].since.Before(first)) {
					first, reached = views[i].since, true
				}
			}
			if !reached {
				continue // that is nobody's path
			}
			for i := range out {
				x, v := &out[i], views[i]
				switch {
				case x.cut: // whatever was agreed of the server without this node's word
					x.count(v.Up, v.since.Add(pathClear), now)
				case up:
					blind := spoke[i] && !v.Up
					if blind && x.detail == "" {
						x.detail = v.Detail
					}
					x.count(blind, later(v.since, first).Add(settle), now)
				}
			}
		}
	}
	return out
}

// count takes a server into account, which the node sees otherwise than its path is agreed to be, and long enough from due on.
func (x *nodeSight) count(otherwise bool, due, now time.Time) {
	x.all++
	switch {
	case !otherwise:
	case !now.Before(due):
		x.other++
	default:
		if x.soon++; x.next.IsZero() || due.Before(x.next) {
			x.next = due
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
