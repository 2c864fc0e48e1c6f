package cluster

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quorate/fsm"
)

// sight is how a node sees the servers of a VIP that the cluster has agreed to be up and another node sees up too.
type sight uint8

const (
	seesUnknown sight = iota // it has not spoken of all, or there are none
	seesSome                 // more than a few, and more than a few not
	seesAll                  // but for a few
	seesNone                 // but for a few
)

// nodeVIP is a node's path to the servers of a VIP.
type nodeVIP struct {
	node fsm.NodeID
	vip  string
}

// paths finds the nodes that do not reach the servers of a VIP while others do: where the owner alone is blind, it is not the servers that failed
// but its path, and the VIP is better off elsewhere (design §4). Another node that is blind is found too, so that no VIP goes there, if it probes all of the
// servers: as an observer, as all nodes do where there are no more of them than observers. What is seen has to last before it counts, because a node may only be the
// first to see servers die. It belongs to one term: a new leader waits anew, and goes on from what is committed.
//
// Times are of a clock that nobody sets: by a jump of another one, what has just been seen would have lasted.
type paths struct {
	looked time.Time
	next   time.Time        // when there may be more to say without any news
	since  map[nodeVIP]span // what is seen of a path that differs from what is agreed
}

// span is since when, without a break, a path was seen so.
type span struct {
	sight sight
	since time.Time
}

// few is the share of servers on which the word of one node may differ: a tenth.
const few = 10

// pathPause is the least time between two looks: there may be thousands of servers, and the leader is woken by each word of theirs.
const pathPause = 250 * time.Millisecond

// pathClear is how long a path has to be well again before its fault is forgotten.
const pathClear = 5 * time.Second

// pathSlack is how long after all could have seen servers die a blind node counts: reports travel.
const pathSlack = pathPause

// edges are the faults of paths that begin and end at a time.
func (p *paths) edges(s *fsm.State, seen sightings, alive func(fsm.NodeID) bool, now time.Time) []fsm.PathEdge {
	if ago := now.Sub(p.looked); 0 <= ago && ago < pathPause {
		p.next = p.looked.Add(pathPause)
		return nil
	}
	before := p.since
	p.looked, p.next, p.since = now, time.Time{}, map[nodeVIP]span{}
	if !s.TakesAsked() { // the same schema
		return nil
	}
	var out []fsm.PathEdge
	checked := map[string][]fsm.Service{}
	for _, name := range slices.Sorted(maps.Keys(s.Config.Services)) {
		svc := s.Config.Services[name]
		if len(svc.Checks) == 0 || svc.Health.Observers == fsm.ByOwner {
			continue
		}
		for _, vip := range svc.On() {
			checked[vip] = append(checked[vip], svc)
		}
	}
	for name := range s.Config.VIPs {
		services := checked[name]
		for id, n := range s.Nodes {
			_, cut := n.PathFault(name)
			k := nodeVIP{id, name}
			switch {
			case len(services) == 0 && cut:
				out = append(out, fsm.PathEdge{Node: id, VIP: name, Text: "the VIP has no servers that are checked"})
				continue
			case len(services) == 0 || !alive(id):
				continue
			}
			got, text := sightOf(s, services, seen, alive, id)
			if got != seesNone && !cut || got != seesAll && cut {
				continue
			}
			x := before[k]
			if x.sight != got || now.Before(x.since) {
				x = span{got, now}
			}
			p.since[k] = x
			due := x.since.Add(settleTime(services, got))
			switch {
			case !now.Before(due):
				out = append(out, fsm.PathEdge{Node: id, VIP: name, Cut: got == seesNone, Text: text})
			case p.next.IsZero() || due.Before(p.next):
				p.next = due
			}
		}
	}
	slices.SortFunc(out, func(a, b fsm.PathEdge) int {
		return cmp.Or(strings.Compare(a.VIP, b.VIP), strings.Compare(string(a.Node), string(b.Node)))
	})
	return out
}

// settleTime is how long a path has to be seen so.
func settleTime(services []fsm.Service, got sight) time.Duration {
	if got == seesAll {
		return pathClear
	}
	longest := time.Duration(0)
	for _, svc := range services {
		longest = max(longest, svc.SeenByAll())
	}
	return longest + pathSlack
}

// sightOf compares what the node sees with what is agreed and seen by another that is alive.
func sightOf(s *fsm.State, services []fsm.Service, seen sightings, alive func(fsm.NodeID) bool, id fsm.NodeID) (sight, string) {
	all, up, down, detail := 0, 0, 0, ""
	for _, svc := range services {
		for _, server := range svc.Servers {
			k := fsm.ServerKey{Service: svc.Name, Address: server.Address}
			o, spoke := seen[id][k]
			if s.Servers[k].Verdict != fsm.Up || !o.Up && !otherSeesUp(seen, alive, id, k) {
				continue
			}
			all++
			switch {
			case !spoke:
			case o.Up:
				up++
			default:
				if down++; detail == "" {
					detail = o.Detail
				}
			}
		}
	}
	switch {
	case all == 0 || up+down < all:
		return seesUnknown, ""
	case up*few <= all && down > 0:
		return seesNone, fmt.Sprintf("it sees %d of %d servers that are up: %s", up, all, shorten(detail, maxDetail))
	case down*few <= all:
		return seesAll, ""
	default:
		return seesSome, ""
	}
}

func otherSeesUp(seen sightings, alive func(fsm.NodeID) bool, id fsm.NodeID, k fsm.ServerKey) bool {
	for n, servers := range seen {
		if n != id && servers[k].Up && alive(n) {
			return true
		}
	}
	return false
}
