package cluster

import (
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// write is take of a report of a build that does not say where it stands.
func (b *book) write(n fsm.NodeID, obs []Observation, all bool) error {
	return b.take(observeBody{Node: n, Seen: obs, All: all})
}

// verdictsNow are the edges to commit by a look at all servers.
func verdictsNow(s *fsm.State, seen sightings, alive func(fsm.NodeID) bool, able map[fsm.NodeID]bool, now time.Time) []fsm.ServerVerdict {
	out, _ := verdicts(s, slices.Collect(maps.Keys(s.Servers)), seen, alive, able, now)
	return out
}

// However the views, the members, the leases, the owners, the paths and the time change, and whether or not what was found is committed: who looks at what has changed alone finds
// what a look at all servers finds.
func TestDocketMissesNothing(t *testing.T) {
	found := 0
	rapid.Check(t, func(rt *rapid.T) {
		nodes := []fsm.NodeID{"n1", "n2", "n3", "n4"}
		h := fsm.Health{Observers: rapid.SampledFrom([]fsm.ObserverPolicy{fsm.ByMajority, fsm.ByMajority, fsm.ByAny, fsm.ByAll, fsm.ByOwner}).Draw(rt, "policy"), DampingAfter: 1, DampingHold: 10 * time.Second}
		s, keys := verdictBed(nodes, h)
		s.Config.Settings.Observers = rapid.IntRange(1, 4).Draw(rt, "observers")
		if rapid.Bool().Draw(rt, "through") && h.Observers != fsm.ByOwner {
			svc := s.Config.Services["web"]
			svc.Forward, svc.Checks[0].Through = fsm.DirectRouting, fsm.ThroughForwarding
			s.Config.Services["web"] = svc
		}
		var b book
		b.open(1)
		alive, able := map[fsm.NodeID]bool{}, map[fsm.NodeID]bool{}
		for _, n := range nodes {
			alive[n], able[n] = true, true
		}
		now := verdictTime
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			n, k := rapid.SampledFrom(nodes).Draw(rt, "node"), rapid.SampledFrom(keys).Draw(rt, "server")
			node := s.Nodes[n]
			next := *s // states are never changed in place
			next.Nodes, next.Servers, next.Assignments = maps.Clone(s.Nodes), maps.Clone(s.Servers), maps.Clone(s.Assignments)
			switch rapid.IntRange(0, 10).Draw(rt, "what") {
			case 0, 1, 2:
				o := Observation{Server: k, Up: rapid.Bool().Draw(rt, "up"), Through: rapid.Bool().Draw(rt, "by that way")}
				if o.Up {
					o.Asked = fsm.Asked{Is: true, Value: rapid.IntRange(0, 2).Draw(rt, "asks")}
				}
				if err := b.write(n, []Observation{o}, rapid.IntRange(0, 3).Draw(rt, "all") == 0); err != nil {
					rt.Fatal(err)
				}
			case 3:
				alive[n] = !alive[n]
			case 4:
				able = maps.Clone(able)
				able[n] = !able[n]
			case 5:
				node.Leaving = !node.Leaving
			case 6, 9:
				if node.Paths == nil {
					node.Paths = []fsm.PathFault{{VIP: "web"}}
				} else {
					node.Paths = nil
				}
			case 7:
				node.Facts.Features = []string{"through=forwarding"}
				if rapid.Bool().Draw(rt, "no more") {
					node.Facts.Features = nil
				}
			case 8:
				for key, a := range next.Assignments {
					a.Owner = n
					next.Assignments[key] = a
				}
			default:
				now = now.Add(time.Duration(rapid.IntRange(1, 20).Draw(rt, "pass")) * time.Second)
			}
			next.Nodes[n] = node
			s = &next
			isAlive := func(n fsm.NodeID) bool { return alive[n] }
			got, want := b.verdicts(s, isAlive, able, now), verdictsNow(s, b.seen, present(isAlive, able), able, now)
			if !reflect.DeepEqual(got, want) {
				rt.Fatalf("found %+v, all that there is: %+v", got, want)
			}
			found += len(got)
			if len(got) > 0 && rapid.Bool().Draw(rt, "committed") {
				next := *s
				next.Servers = maps.Clone(s.Servers)
				for _, v := range got {
					next.Servers[v.Server] = fsm.ServerState{Verdict: v.Verdict, Admin: fsm.Enabled, Asked: v.Asked, AskedAt: now, Falls: 1, Fell: now}
				}
				s = &next
			}
		}
	})
	if found == 0 {
		t.Error("nothing was found at all")
	}
}
