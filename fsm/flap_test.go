package fsm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawSettings are those for moves, as far as the schema has them.
func drawSettings(rt *rapid.T, schema Schema) Settings {
	if schema < schemaMoves {
		return Settings{}
	}
	return Settings{
		Rebalance: rapid.Bool().Draw(rt, "rebalance"), MaxMoves: rapid.IntRange(0, 4).Draw(rt, "max moves"),
		HoldDown: time.Duration(rapid.IntRange(0, 60).Draw(rt, "hold-down")) * time.Second,
	}
}

// unforced lists the units that begin to move for preference or balance by the newest entry.
func unforced(w *world) (units []string) {
	for _, a := range w.s.Assignments {
		if a.Release == nil || a.Release.Index != w.s.Index || a.Release.Reason.Code.forced() {
			continue
		}
		unit := a.Key.String()
		if v, ok := w.s.VIPByKey(a.Key); ok && v.Group != "" {
			unit = v.Group
		}
		if !slices.Contains(units, unit) {
			units = append(units, unit)
		}
	}
	return units
}

// TestAtMostSoManyMoves: whatever happens, no minute has more moves for preference and balance than it may have, and a node or
// a VIP that is held down has none.
func TestAtMostSoManyMoves(t *testing.T) {
	seen := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.encode = false
		w.pass(0)
		cfg, _ := drawCluster(rt, w)
		maps.Copy(cfg.VIPs, vips(6).VIPs)
		cfg.Settings = drawSettings(rt, MaxSchema)
		cfg.Settings.Rebalance = true
		w.configure(cfg)
		var begun []time.Time
		for range rapid.IntRange(10, 80).Draw(rt, "steps") {
			id := NodeID(fmt.Sprintf("n%d", rapid.IntRange(1, 5).Draw(rt, "node")))
			switch _, member := w.s.Nodes[id]; {
			case !member:
			case rapid.IntRange(0, 3).Draw(rt, "fault") == 0:
				w.fence(id)
				w.hints.Able[id] = false
			case rapid.Bool().Draw(rt, "weight"):
				n := w.s.Nodes[id]
				n.Weight = rapid.IntRange(0, 3).Draw(rt, "new weight")
				w.must(Command{PutNode: &PutNode{Node: n}})
			default:
				w.hints.Able[id] = true
			}
			w.pass(time.Duration(rapid.IntRange(0, 40).Draw(rt, "seconds")) * time.Second)
			for {
				w.confirm()
				before := w.s
				if !w.plan() {
					break
				}
				units := unforced(w)
				seen += len(units)
				for range units {
					begun = append(begun, w.now)
				}
				for k, a := range w.s.Assignments {
					if a.Release == nil || a.Release.Index != w.s.Index || a.Release.Reason.Code.forced() {
						continue
					}
					if _, held := before.Nodes[a.Release.To].Flap.heldUntil(w.now, cfg.Settings); held {
						rt.Fatalf("%v moves to %s, which is held down", k, a.Release.To)
					}
					if _, held := before.Assignments[k].Flap.heldUntil(w.now, cfg.Settings); held {
						rt.Fatalf("%v moves and is held down", k)
					}
				}
			}
		}
		for i, t0 := range begun {
			n := 0
			for _, t1 := range begun[i:] {
				if t1.Sub(t0) < time.Minute {
					n++
				}
			}
			if n > cfg.Settings.Moves() {
				rt.Fatalf("%d moves within a minute of %s, more than %d", n, clock(t0), cfg.Settings.Moves())
			}
		}
	})
	if seen < 100 {
		t.Errorf("only %d moves for preference or balance in all runs: this has shown nothing", seen)
	}
}

// TestFlappingNode: a preferred node that comes and goes for hours, never up for as long as 90 s, gets its VIP back once or
// twice, and not after that. Without a hold-down it would each time.
func TestFlappingNode(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.encode = false
		w.pass(0)
		w.form(1, 1, 1)
		c := Config{VIPs: vips(1).VIPs}
		v := c.VIPs["v0000"]
		v.Prefer, v.Preempt = []NodeID{"n1"}, true
		c.VIPs["v0000"] = v
		w.configure(c)
		w.settle()
		up, down := rapid.IntRange(1, 18), rapid.IntRange(1, 18) // times 5 s
		failbacks := 0
		for end := w.now.Add(4 * time.Hour); w.now.Before(end); {
			w.fence("n1")
			delete(w.hints.Able, "n1")
			w.pass(time.Duration(down.Draw(rt, "down")) * 5 * time.Second)
			w.settle()
			w.hints.Able["n1"] = true
			for range up.Draw(rt, "up") {
				w.settle()
				w.pass(5 * time.Second)
			}
			if w.s.Assignments[v.Key()].Owner == "n1" {
				failbacks++
			}
		}
		if failbacks > 2 {
			rt.Fatalf("%d failbacks", failbacks)
		}
		// It stays up: in the end the VIP is back.
		w.pass(longestHold)
		w.settle()
		if got := w.s.Assignments[v.Key()]; got.Owner != "n1" {
			rt.Fatalf("it is on %s for ever: %+v", got.Owner, got)
		}
	})
}

// TestClockThatIsSet: steps of the clock by up to an hour, either way, neither hold anything for ever nor lift the bounds for
// longer than once for each step.
func TestClockThatIsSet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.encode = false
		w.pass(0)
		w.form(1, 1, 1)
		c := vips(rapid.IntRange(1, 9).Draw(rt, "vips"))
		for name, v := range c.VIPs {
			v.Prefer, v.Preempt = []NodeID{"n1"}, true
			c.VIPs[name] = v
		}
		c.Settings = drawSettings(rt, MaxSchema)
		w.configure(c)
		w.settle()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "fault") {
				w.fence("n1")
				w.hints.Able["n1"] = rapid.Bool().Draw(rt, "able")
			}
			w.pass(time.Duration(rapid.IntRange(-3600, 3600).Draw(rt, "step")) * time.Second)
			w.settle()
			begun := 0
			for range 10 {
				w.pass(time.Second)
				w.confirm()
				if w.plan() {
					begun += len(unforced(w))
				}
			}
			if begun > c.Settings.Moves() {
				rt.Fatalf("%d moves in ten seconds", begun)
			}
		}
		w.hints.Able["n1"] = true
		// A stamp ahead of the clock by less than its hold-down counts as just made, so it may take twice as long, and a minute
		// more for each batch of moves.
		for end := w.now.Add(2*longestHold + 20*time.Minute); w.now.Before(end); w.pass(20 * time.Second) {
			w.settle()
		}
		for k, id := range owners(w.s) {
			if id != "n1" {
				rt.Fatalf("%v is on %s for ever: node %+v, VIP %+v, moves %v, now %v", k, id, w.s.Nodes["n1"].Flap, w.s.Assignments[k].Flap, w.s.Moves, w.now)
			}
		}
	})
}

// TestBalanceWithFewestMoves: when nodes join, VIPs move to them alone, none more than once, until nobody has two more than
// another, or only a tenth more.
func TestBalanceWithFewestMoves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.encode = false
		w.pass(0)
		old := rapid.IntRange(1, 4).Draw(rt, "nodes")
		w.form(slices.Repeat([]int{1}, old)...)
		c := vips(rapid.IntRange(0, 60).Draw(rt, "vips"))
		c.Settings = Settings{Rebalance: true, MaxMoves: rapid.IntRange(1, 30).Draw(rt, "max moves")}
		w.configure(c)
		w.settle()
		before := owners(w.s)
		for i := range rapid.IntRange(0, 3).Draw(rt, "joins") {
			n := director(NodeID(fmt.Sprintf("n%d", old+1+i)), 1)
			w.must(Command{PutNode: &PutNode{Node: n}})
			w.hints.Able[n.ID] = true
		}
		moves := 0
		for range 61 {
			for {
				w.confirm()
				if !w.plan() {
					break
				}
				moves += len(unforced(w))
			}
			w.pass(time.Minute)
		}
		moved := 0
		for k, id := range owners(w.s) {
			if id != before[k] {
				moved++
				if slices.Contains([]NodeID{"n1", "n2", "n3", "n4"}[:old], id) {
					rt.Fatalf("%v went from %s to %s", k, before[k], id)
				}
			}
		}
		if moves != moved {
			rt.Fatalf("%d moves for %d VIPs", moves, moved)
		}
		n := counts(w.s)
		for a := range w.s.Nodes {
			for b := range w.s.Nodes {
				if n[a]-n[b] >= 2 && 10*n[a] > 11*n[b] {
					rt.Fatalf("%s has %d, %s has %d", a, n[a], b, n[b])
				}
			}
		}
	})
}

// TestBalanceComesToRest: with any weights and groups, balance ends, and no unit has gone back to a node that it left.
func TestBalanceComesToRest(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		w.encode = false
		w.pass(0)
		n := rapid.IntRange(2, 5).Draw(rt, "nodes")
		w.form(rapid.SliceOfN(rapid.IntRange(0, 5), n, n).Draw(rt, "weights")...)
		c := vips(rapid.IntRange(1, 25).Draw(rt, "vips"))
		c.Groups = map[string]Group{"g": {Name: "g"}, "h": {Name: "h"}}
		for name, v := range c.VIPs {
			v.Group = rapid.SampledFrom([]string{"", "", "", "g", "h"}).Draw(rt, "group "+name)
			c.VIPs[name] = v
		}
		c.Settings = Settings{Rebalance: true, MaxMoves: 600}
		w.configure(c)
		w.settle()
		for id := range w.s.Nodes { // each may get another weight
			node := w.s.Nodes[id]
			node.Weight = rapid.IntRange(0, 5).Draw(rt, "weight")
			w.must(Command{PutNode: &PutNode{Node: node}})
		}
		been := map[AddressKey][]NodeID{}
		for range 40 {
			for k, id := range owners(w.s) {
				if was := been[k]; len(was) == 0 || was[len(was)-1] != id {
					if slices.Contains(was, id) {
						rt.Fatalf("%v went %v and back to %s", k, was, id)
					}
					been[k] = append(was, id)
				}
			}
			w.settle()
			w.pass(time.Minute)
		}
		if _, more := Plan(w.s, w.hints); more {
			rt.Fatalf("no end: %v", counts(w.s))
		}
	})
}

// A snapshot of before schema 2 is read, and means what it meant.
func TestSnapshotOfSchema1(t *testing.T) {
	w := newWorld(t)
	w.schema = schemaFirst
	w.form(1, 1)
	w.configure(vips(2))
	w.settle()
	w.fence("n1")
	b := snapshotOf(t, w.s)
	for _, field := range []string{"flap", "since", "moves", "rebalance", "hold_down", "max_moves_per_minute", "back"} {
		if slices.Contains(jsonKeys(t, b[snapshotHeader:]), field) {
			t.Errorf("%q is in a snapshot of schema 1, which an older member could not read", field)
		}
	}
}

// jsonKeys are the keys of all objects in a JSON value.
func jsonKeys(t *testing.T, b []byte) (keys []string) {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				keys = append(keys, k)
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(v)
	return keys
}
