package fsm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func (w *world) path(id NodeID, vip string, cut bool) {
	w.t.Helper()
	w.must(Command{SetPaths: &SetPaths{[]PathEdge{{Node: id, VIP: vip, Cut: cut, Text: "2 of 2 servers"}}}})
}

// The VIP leaves an owner whose path to the servers is cut, stays away for as long as that lasts, and nobody is left without.
func TestPathFaultMoves(t *testing.T) {
	w := newWorld(t)
	w.form(1, 1, 1)
	w.pass(0)
	c := vips(2)
	v := c.VIPs["v0000"]
	v.Prefer, v.Preempt = []NodeID{"n1", "n2"}, true
	c.VIPs["v0000"] = v
	w.configure(c)
	w.settle()
	owner := func(want NodeID) {
		t.Helper()
		w.settle()
		if got := w.s.Assignments[v.Key()].Owner; got != want {
			t.Fatalf("it is on %q, want %s", got, want)
		}
	}
	other := w.s.Assignments[c.VIPs["v0001"].Key()]
	owner("n1")
	w.path("n1", "v0000", true)
	owner("n2")
	if r := w.s.Assignments[v.Key()].Reason; r.Code != ReasonPath {
		t.Errorf("the reason is %v", r)
	}
	w.pass(time.Hour)
	owner("n2") // preferred or not
	w.path("n2", "v0000", true)
	owner("n3")
	w.path("n3", "v0000", true)
	w.pass(time.Hour)
	owner("n3") // nobody reaches them: another one would be no better
	w.path("n2", "v0000", false)
	owner("n2")
	w.path("n1", "v0000", false)
	owner("n2") // it has failed over a short time ago
	w.pass(2 * time.Hour)
	owner("n1")
	if now := w.s.Assignments[c.VIPs["v0001"].Key()]; now.Epoch != other.Epoch {
		t.Errorf("the other VIP has moved: %+v", now)
	}
	w.path("n3", "v0001", true)
	w.configure(vips(1))
	w.settle()
	for id, n := range w.s.Nodes {
		if slices.ContainsFunc(n.Paths, func(f PathFault) bool { return f.VIP == "v0001" }) {
			t.Errorf("%s remembers a VIP that is no more: %v", id, n.Paths)
		}
	}
}

// Wherever paths are cut: a VIP is with a node that reaches its servers if one can have it, each cut moves it at most once, and then nothing moves.
func TestPathFaultsSettle(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		n := rapid.IntRange(2, 5).Draw(rt, "nodes")
		w.form(slices.Repeat([]int{1}, n)...)
		w.pass(0)
		c := vips(rapid.IntRange(1, 4).Draw(rt, "vips"))
		for name, v := range c.VIPs {
			if rapid.Bool().Draw(rt, "prefers") {
				v.Prefer, v.Preempt = []NodeID{"n1"}, rapid.Bool().Draw(rt, "preempts")
			}
			c.VIPs[name] = v
		}
		w.configure(c)
		w.settle()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			w.pass(time.Duration(rapid.IntRange(0, 120).Draw(rt, "pass")) * time.Second)
			id := NodeID(fmt.Sprintf("n%d", rapid.IntRange(1, n).Draw(rt, "node")))
			name := fmt.Sprintf("v%04d", rapid.IntRange(0, len(c.VIPs)-1).Draw(rt, "vip"))
			w.path(id, name, rapid.Bool().Draw(rt, "cut"))
			w.settle()
			if w.plan() {
				rt.Fatal("it plans again without a cause")
			}
			for _, v := range c.VIPs {
				owner := w.s.Assignments[v.Key()].Owner
				whole := 0
				for id := range w.s.Nodes {
					if _, cut := w.s.Nodes[id].PathFault(v.Name); !cut {
						whole++
					}
				}
				if _, cut := w.s.Nodes[owner].PathFault(v.Name); owner == "" || cut && whole > 0 {
					rt.Fatalf("%s is on %q, and %d nodes reach its servers", v.Name, owner, whole)
				}
			}
		}
	})
}

func TestWatches(t *testing.T) {
	w := newWorld(t)
	w.form(1, 1, 1, 1)
	c := good()
	delete(c.VIPs, "p2p")
	delete(c.Services, "dns")
	c.Settings.Observers = 1
	w.configure(c)
	w.settle()
	for k := range w.s.Servers {
		observers, owners := Observers(w.s, k), w.s.OwnersOf(k.Service)
		for id := range w.s.Nodes {
			want := slices.Contains(observers, id) || slices.Contains(owners, id)
			if got := Watches(w.s, k, id); got != want {
				t.Errorf("%s and %v: %v", id, k, got)
			}
			if _, err := w.s.Config.VIPs[w.s.Config.Services[k.Service].VIP]; err {
				w.path(id, w.s.Config.Services[k.Service].VIP, true)
				if !Watches(w.s, k, id) {
					t.Errorf("%s does not watch %v, though its path is cut", id, k)
				}
				w.path(id, w.s.Config.Services[k.Service].VIP, false)
			}
		}
	}
}
