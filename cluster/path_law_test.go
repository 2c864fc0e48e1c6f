package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// sightWalk is a cluster whose nodes see servers come and go at random.
type sightWalk struct {
	s    *fsm.State
	keys []fsm.ServerKey
	seen sightings
	able map[fsm.NodeID]bool
	now  time.Time
	path paths
}

func newSightWalk(rt *rapid.T) *sightWalk {
	nodes := []fsm.NodeID{"n1", "n2", "n3", "n4", "n5"}[:rapid.IntRange(2, 5).Draw(rt, "nodes")]
	policy := rapid.SampledFrom([]fsm.ObserverPolicy{fsm.ByMajority, fsm.ByMajority, fsm.ByAny, fsm.ByAll}).Draw(rt, "policy")
	s, keys := verdictBed(nodes, fsm.Health{Observers: policy})
	w := &sightWalk{s: s, keys: keys, seen: sightings{}, able: map[fsm.NodeID]bool{}, now: verdictTime}
	for _, n := range nodes {
		w.seen[n], w.able[n] = map[fsm.ServerKey]Observation{}, true
	}
	for _, k := range keys {
		s.Servers[k] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
	}
	return w
}

// sees notes what a node sees from now on, if it is news.
func (w *sightWalk) sees(n fsm.NodeID, k fsm.ServerKey, up bool) {
	if o, spoke := w.seen[n][k]; !spoke || o.Up != up {
		w.seen[n][k] = Observation{Server: k, Up: up, Detail: "timeout", since: w.now}
	}
}

// step lets something happen, and the leader commit the verdicts that follow.
func (w *sightWalk) step(rt *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{1, 300, 1000, 3000, 6000}).Draw(rt, "pass")) * time.Millisecond)
	nodes := slices.Sorted(maps.Keys(w.seen))
	n := rapid.SampledFrom(nodes).Draw(rt, "node")
	switch rapid.IntRange(0, 6).Draw(rt, "what") {
	case 0, 1: // its path is cut, or mended
		up := rapid.Bool().Draw(rt, "mended")
		for _, k := range w.keys {
			w.sees(n, k, up)
		}
	case 2, 3: // all see a server go or come, as far as they see any
		k, up := rapid.SampledFrom(w.keys).Draw(rt, "server"), rapid.Bool().Draw(rt, "up")
		for _, x := range nodes {
			w.sees(x, k, up)
		}
	case 4:
		w.sees(n, rapid.SampledFrom(w.keys).Draw(rt, "server"), rapid.Bool().Draw(rt, "up"))
	case 5:
		delete(w.seen[n], rapid.SampledFrom(w.keys).Draw(rt, "server"))
	default:
		w.able[n] = rapid.IntRange(0, 2).Draw(rt, "able") > 0
	}
	for _, v := range verdictsNow(w.s, w.seen, func(n fsm.NodeID) bool { return w.able[n] }, nil, w.now) {
		w.s.Servers[v.Server] = fsm.ServerState{Verdict: v.Verdict, Admin: fsm.Enabled}
	}
	if rapid.IntRange(0, 4).Draw(rt, "a new leader") == 0 {
		w.path = paths{}
	}
}

// agree makes an edge part of the state.
func (w *sightWalk) agree(e fsm.PathEdge) {
	n := w.s.Nodes[e.Node]
	n.Paths = nil
	if e.Cut {
		n.Paths = []fsm.PathFault{{VIP: e.VIP}}
	}
	next := *w.s // states are never changed in place
	next.Nodes = maps.Clone(w.s.Nodes)
	next.Nodes[e.Node] = n
	w.s = &next
}

// mayBegin says why a node must not be called cut now; "" = it may.
func (w *sightWalk) mayBegin(n fsm.NodeID, settle time.Duration) string {
	if !w.able[n] {
		return "it holds no lease"
	}
	counted, blind := 0, 0
	for _, k := range w.keys {
		mine, spoke := w.seen[n][k]
		var longest time.Duration // for which another one has seen it up
		reached := spoke && mine.Up
		for x, views := range w.seen {
			if o := views[k]; x != n && w.able[x] && o.Up {
				reached = true
				longest = max(longest, w.now.Sub(o.since))
			}
		}
		if w.s.Servers[k].Verdict != fsm.Up || !reached {
			continue
		}
		counted++
		if spoke && !mine.Up && w.now.Sub(mine.since) >= settle && longest >= settle {
			blind++
		}
	}
	if blind == 0 || blind*10 < counted*9 {
		return fmt.Sprintf("of %d servers that others reach it has missed %d for long enough", counted, blind)
	}
	return ""
}

// A director is called cut only if it has been blind, for as long as others may take to see servers die, for nine in ten of the servers that are up by the verdict
// and that others have reached for as long. Never are all of them at once; and none is called whole that does not reach what others reach.
func TestPathLaws(t *testing.T) {
	begun, ended := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newSightWalk(rt)
		settle := w.s.Config.Services["web"].SeenByAll()
		for range rapid.IntRange(10, 60).Draw(rt, "steps") {
			w.step(rt)
			edges := w.path.edges(w.s, w.seen, w.able, w.now)
			cut := 0
			for _, e := range edges {
				_, was := w.s.Nodes[e.Node].PathFault("web")
				if was == e.Cut {
					rt.Fatalf("no edge: %+v", e)
				}
				if e.Cut {
					cut++
					if why := w.mayBegin(e.Node, settle); why != "" {
						rt.Fatalf("%s is called cut, and %s", e.Node, why)
					}
					continue
				}
				for _, k := range w.keys { // there are fewer than ten
					reached := false
					for x, views := range w.seen {
						reached = reached || w.able[x] && views[k].Up
					}
					if o := w.seen[e.Node][k]; reached && (!o.Up || w.now.Sub(o.since) < pathClear) {
						rt.Fatalf("%s is called whole, and does not see %v, or not for long", e.Node, k)
					}
				}
			}
			if cut == len(w.seen) {
				rt.Fatalf("all are called cut: %+v", edges)
			}
			begun, ended = begun+cut, ended+len(edges)-cut
			for _, e := range edges {
				w.agree(e)
			}
		}
	})
	t.Logf("%d faults began, %d ended", begun, ended)
	if begun == 0 || ended == 0 {
		t.Errorf("%d faults began and %d ended: the walks test nothing", begun, ended)
	}
}

// bookStep is something that happens to a leader's book.
type bookStep struct {
	pass           time.Duration
	what           int
	node           fsm.NodeID
	server         fsm.ServerKey
	up, all, agree bool
}

// A book that looks only when there may be news finds what a look finds.
func TestPathsMissNothing(t *testing.T) {
	found := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newSightWalk(rt)
		nodes := slices.Sorted(maps.Keys(w.seen))
		steps := make([]bookStep, rapid.IntRange(10, 60).Draw(rt, "steps"))
		for i := range steps {
			steps[i] = bookStep{time.Duration(rapid.IntRange(300, 4000).Draw(rt, "pass")) * time.Millisecond, rapid.IntRange(0, 5).Draw(rt, "what"), rapid.SampledFrom(nodes).Draw(rt, "node"),
				rapid.SampledFrom(w.keys).Draw(rt, "server"), rapid.Bool().Draw(rt, "up"), rapid.Bool().Draw(rt, "all"), rapid.Bool().Draw(rt, "agree")}
		}
		var missed string
		synctest.Test(t, func(*testing.T) {
			var b book
			b.open(1)
			for _, step := range steps {
				time.Sleep(step.pass)
				got, want := w.tell(&b, step)
				if found += len(got); !reflect.DeepEqual(got, want) {
					missed = fmt.Sprintf("found %+v, and there are %+v", got, want)
					break
				}
			}
			if b.next != nil {
				b.next.Stop()
			}
		})
		if missed != "" {
			rt.Fatal(missed)
		}
	})
	if found == 0 {
		t.Error("nothing was found at all")
	}
}

// tell carries out a step, and returns what the book finds and what there is.
func (w *sightWalk) tell(b *book, step bookStep) (got, want []fsm.PathEdge) {
	next := *w.s // states are never changed in place
	switch step.what {
	case 0, 1:
		var obs []Observation
		for _, k := range w.keys {
			obs = append(obs, Observation{Server: k, Up: step.up})
		}
		_ = b.write(step.node, obs, step.all)
	case 2:
		v := fsm.ServerState{Verdict: fsm.Down, Admin: fsm.Enabled}
		if step.up {
			v.Verdict = fsm.Up
		}
		next.Servers = maps.Clone(w.s.Servers)
		for _, k := range w.keys {
			if step.all || k == step.server {
				next.Servers[k] = v
			}
		}
	case 3:
		w.able = maps.Clone(w.able)
		w.able[step.node] = !w.able[step.node]
	default: // time alone
	}
	w.s = &next
	got, want = b.paths(w.s, w.able), new(paths).edges(w.s, b.seen, w.able, time.Now())
	for _, e := range got {
		if step.agree {
			w.agree(e)
		}
	}
	return got, want
}

// Where there are three or more observers and the path of one alone is cut, its view changes, and nothing else but the fault that is agreed of it: no verdict, whoever leads
// and whatever else dies, is another one than without it; and no VIP that another one has moves.
func TestPathOfOneAlone(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		nodes := []fsm.NodeID{"n1", "n2", "n3", "n4", "n5"}[:rapid.IntRange(3, 5).Draw(rt, "nodes")]
		blind := rapid.SampledFrom(nodes[1:]).Draw(rt, "blind") // n1 owns the VIP
		with, without := pathWorld(nodes), pathWorld(nodes)
		truth := map[fsm.ServerKey]bool{}
		for _, k := range with.keys {
			truth[k] = true
		}
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			pass := time.Duration(rapid.IntRange(300, 5000).Draw(rt, "pass")) * time.Millisecond
			k := rapid.SampledFrom(with.keys).Draw(rt, "server")
			truth[k] = !truth[k]
			for _, w := range []*sightWalk{with, without} {
				w.now = w.now.Add(pass)
				for _, n := range nodes {
					for _, k := range w.keys {
						w.sees(n, k, truth[k] && (n != blind || w == without))
					}
				}
				for _, v := range verdictsNow(w.s, w.seen, allAlive, nil, w.now) {
					w.s.Servers[v.Server] = fsm.ServerState{Verdict: v.Verdict, Admin: fsm.Enabled}
				}
				for _, e := range w.path.edges(w.s, w.seen, w.able, w.now) {
					if w == without || e.Node != blind {
						rt.Fatalf("the path of %s: %+v", e.Node, e)
					}
					w.agree(e)
				}
				if d, ok := fsm.Plan(w.s, fsm.Hints{Able: w.able, Now: w.now}); ok {
					rt.Fatalf("something moves: %+v", d)
				}
			}
			for _, k := range with.keys {
				if got, want := with.s.Servers[k].Verdict, without.s.Servers[k].Verdict; got != want || (got == fsm.Up) != truth[k] {
					rt.Fatalf("%v is %s, without the cut %s", k, got, want)
				}
			}
		}
		with.agree(fsm.PathEdge{Node: "n1", VIP: "web", Cut: true})
		if _, ok := fsm.Plan(with.s, fsm.Hints{Able: with.able, Now: with.now}); !ok {
			rt.Fatalf("nothing could have moved")
		}
	})
}

// pathWorld is a cluster of directors that are able and fit, and see all servers up for a minute.
func pathWorld(nodes []fsm.NodeID) *sightWalk {
	s, keys := verdictBed(nodes, fsm.Health{})
	w := &sightWalk{s: s, keys: keys, seen: sightings{}, able: map[fsm.NodeID]bool{}, now: verdictTime}
	vip := s.Config.VIPs["web"]
	for _, id := range nodes {
		n := s.Nodes[id]
		n.Weight = 100
		n.Facts = fsm.Facts{Schema: fsm.MaxSchema, DataPlane: "nft", Forwards: []fsm.Forward{fsm.NAT}, Schedulers: []string{"", "rr", "wrr"}, Features: []string{"addresses", "ports"},
			Links: []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{vip.Address.Masked()}}}}
		s.Nodes[id] = n
		w.able[id], w.seen[id] = true, map[fsm.ServerKey]Observation{}
		for _, k := range keys {
			w.sees(id, k, true)
		}
	}
	a := s.Assignments[vip.Key()]
	a.Address = vip.Address
	s.Assignments[vip.Key()] = a
	for _, k := range keys {
		s.Servers[k] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
	}
	w.now = w.now.Add(time.Minute)
	return w
}
