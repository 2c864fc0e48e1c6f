package cluster

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// verdictWalk is a cluster whose servers die, whose observers lose their way to them, die and come back, and whose leaders follow one another: each begins with an empty book, and hears
// the nodes when they get to it.
type verdictWalk struct {
	s     *fsm.State
	keys  []fsm.ServerKey
	nodes []fsm.NodeID
	now   time.Time

	up    map[fsm.ServerKey]bool // the truth
	cut   map[fsm.NodeID]bool    // has no way to the servers
	gone  map[fsm.NodeID]bool
	views sightings // what the nodes see

	// The leader's.
	heard  map[fsm.NodeID]bool // has told what it sees in this term
	seen   sightings
	docket docket
	path   paths

	flips, faults, panics int
}

func newVerdictWalk(rt *rapid.T) *verdictWalk {
	nodes := []fsm.NodeID{"n1", "n2", "n3", "n4", "n5"}[:rapid.IntRange(2, 5).Draw(rt, "nodes")]
	s, keys := verdictBed(nodes, fsm.Health{Panic: rapid.SampledFrom([]string{"", "50%"}).Draw(rt, "panic"), NoDamping: rapid.Bool().Draw(rt, "undamped")})
	s.Config.Settings.Observers = rapid.IntRange(1, len(nodes)).Draw(rt, "observers")
	w := &verdictWalk{s: s, keys: keys, nodes: nodes, now: verdictTime, up: map[fsm.ServerKey]bool{}, cut: map[fsm.NodeID]bool{}, gone: map[fsm.NodeID]bool{}, views: sightings{}}
	for _, k := range keys {
		s.Servers[k] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
		w.up[k] = true
	}
	for _, n := range nodes {
		w.views[n] = map[fsm.ServerKey]Observation{}
		w.probe(n)
	}
	w.elect()
	return w
}

// probe has a node see what there is to see.
func (w *verdictWalk) probe(n fsm.NodeID) {
	for _, k := range w.keys {
		switch o, spoke := w.views[n][k]; {
		case !fsm.Watches(w.s, k, n):
			delete(w.views[n], k)
		case !spoke || o.Up != (w.up[k] && !w.cut[n]):
			w.views[n][k] = Observation{Server: k, Up: w.up[k] && !w.cut[n], Detail: "timeout", since: w.now}
		}
	}
}

// tell has the leader know what a node sees.
func (w *verdictWalk) tell(n fsm.NodeID) {
	for _, k := range w.keys {
		w.docket.hear(k)
	}
	w.heard[n] = true
	w.seen[n] = maps.Clone(w.views[n])
}

func (w *verdictWalk) elect() {
	w.heard, w.seen, w.docket, w.path = map[fsm.NodeID]bool{}, sightings{}, docket{}, paths{}
}

func (w *verdictWalk) alive(n fsm.NodeID) bool { return !w.gone[n] }

func (w *verdictWalk) able() map[fsm.NodeID]bool {
	out := map[fsm.NodeID]bool{}
	for _, n := range w.nodes {
		if !w.gone[n] {
			out[n] = true
		}
	}
	return out
}

// step lets something happen.
func (w *verdictWalk) step(rt *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.SampledFrom([]int{10, 300, 1000, 3000, 20_000}).Draw(rt, "pass")) * time.Millisecond)
	n := rapid.SampledFrom(w.nodes).Draw(rt, "node")
	switch rapid.IntRange(0, 8).Draw(rt, "what") {
	case 0:
		k := rapid.SampledFrom(w.keys).Draw(rt, "server")
		w.up[k] = !w.up[k]
	case 1:
		up := rapid.Bool().Draw(rt, "up")
		for _, k := range w.keys {
			w.up[k] = up
		}
	case 2:
		w.cut[n] = !w.cut[n]
	case 3:
		if w.gone[n] = !w.gone[n]; !w.gone[n] {
			w.views[n] = map[fsm.ServerKey]Observation{} // its agent began anew
		}
	case 4:
		w.elect()
	default:
		w.probe(n)
		if w.alive(n) {
			w.tell(n)
		}
	}
}

// heal ends all faults, but for the cut paths of fewer than half of the nodes where all of them observe.
func (w *verdictWalk) heal() {
	clear(w.gone)
	left := (len(w.nodes) - 1) / 2
	for _, n := range w.nodes {
		if w.cut[n] = w.cut[n] && left > 0 && w.s.Config.Settings.Observers == len(w.nodes); w.cut[n] {
			left--
		}
	}
}

// lead is a leader's round, with what must hold of each decision.
func (w *verdictWalk) lead(rt *rapid.T) {
	for range 10 {
		found := w.docket.look(w.s, w.seen, w.alive, w.able(), w.now)
		for _, v := range found {
			w.evident(rt, v)
		}
		c := fsm.Command{Schema: w.s.Schema, At: w.now}
		if edges := w.path.edges(w.s, w.seen, w.able(), w.now); len(found) > 0 {
			c.SetHealth = &fsm.SetHealth{Verdicts: found}
			w.flips += len(found)
		} else if len(edges) > 0 {
			c.SetPaths = &fsm.SetPaths{Edges: edges}
			w.faults++
		} else {
			return
		}
		next, res := w.s.Apply(w.s.Index+1, c)
		if res.Err != nil {
			rt.Fatalf("%+v: %v", c, res.Err)
		}
		if before, after := serving(w.s), serving(next); before > 1 && after == 0 {
			rt.Fatalf("all %d servers left the table at once: %+v", before, next.Servers)
		}
		w.panics += len(next.Panics())
		w.s = next
	}
	rt.Fatalf("the leader does not come to an end")
}

func serving(s *fsm.State) (n int) {
	for _, st := range s.Servers {
		if st.Serving() {
			n++
		}
	}
	return n
}

// evident fails unless more than half of those who observe the server, are there and have a way to it, have said in this term that it is so.
func (w *verdictWalk) evident(rt *rapid.T, v fsm.ServerVerdict) {
	voters := slices.DeleteFunc(fsm.Observers(w.s, v.Server), func(n fsm.NodeID) bool { return w.gone[n] })
	whole := slices.DeleteFunc(slices.Clone(voters), func(n fsm.NodeID) bool { _, cut := w.s.Nodes[n].PathFault("web"); return cut })
	if len(whole) > 0 {
		voters = whole
	}
	said := 0
	for _, n := range voters {
		if o, spoke := w.seen[n][v.Server]; w.heard[n] && spoke && o.Up == (v.Verdict == fsm.Up) {
			said++
		}
	}
	if 2*said <= len(voters) {
		rt.Fatalf("%v is to be %s by the word of %d of %v", v.Server, v.Verdict, said, voters)
	}
}

// Whatever dies, is cut off and comes back, and whoever leads: no verdict changes without the word of a majority, said to the leader that changes it; no service loses all of its
// servers with one entry; and when most are well again, every verdict is the truth before long, and no fault of a path is left.
func TestVerdictsOverLeaders(t *testing.T) {
	flips, faults, panics := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newVerdictWalk(rt)
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			w.step(rt)
			w.lead(rt)
		}
		w.heal()
		for range 40 {
			w.now = w.now.Add(10 * time.Second) // the longest hold is five minutes
			for _, n := range w.nodes {
				w.probe(n)
				w.tell(n)
			}
			w.lead(rt)
		}
		for _, k := range w.keys {
			if st := w.s.Servers[k]; (st.Verdict == fsm.Up) != w.up[k] {
				rt.Fatalf("%v is %s, and up: %t", k, st.Verdict, w.up[k])
			}
		}
		for _, n := range w.s.Nodes {
			if _, cut := n.PathFault("web"); cut && !w.cut[n.ID] && slices.Contains(slices.Collect(maps.Values(w.up)), true) {
				rt.Fatalf("%s is cut off for ever", n.ID)
			}
		}
		flips, faults, panics = flips+w.flips, faults+w.faults, panics+w.panics
	})
	t.Logf("%d verdicts, %d entries of faults of paths, %d with a panic", flips, faults, panics)
	if flips == 0 || faults == 0 || panics == 0 {
		t.Error("something did not happen at all")
	}
}
