package lease

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quorate/fsm"
)

// fault is something that happens to a walk.
type fault struct {
	At   time.Duration
	Kind string
	A, B int
	For  time.Duration
	C    int
}

// faultKinds are single faults and, in capitals, series of them that together reach what chance alone seldom does.
var faultKinds = []string{"kill", "kill", "power", "freeze", "suspend", "cut", "isolate", "lossy", "late", "chaos", "slow", "lag", "deaf", "leader",
	"LATE", "FORGET", "REBORN", "BEHIND"}

// expand makes single faults of a series.
func (f fault) expand() []fault {
	ms := time.Millisecond
	switch f.Kind {
	case "LATE": // A is cut off while what was sent to it is still under way
		return []fault{
			{At: f.At, Kind: "late", A: f.A, For: time.Second},
			{At: f.At + f.For/2, Kind: "isolate", A: f.A, For: 800 * ms},
		}
	case "FORGET": // A is cut off, B restarts, A hears from B again but not from C, and not what was decided
		return []fault{
			{At: f.At, Kind: "isolate", A: f.A, For: 450*ms + f.For/8},
			{At: f.At, Kind: "lag", A: f.A, For: 2 * time.Second},
			{At: f.At, Kind: "cut", A: f.C, B: f.A, For: 2 * time.Second},
			{At: f.At + 300*ms + f.For/8, Kind: "kill", A: f.B, For: 20 * ms},
		}
	case "REBORN": // A restarts while answers to the process before are still under way, and is then cut off
		return []fault{
			{At: f.At, Kind: "late", A: f.A, For: time.Second},
			{At: f.At + f.For/2, Kind: "isolate", A: f.A, For: 800 * ms},
			{At: f.At + f.For/2, Kind: "kill", A: f.A, For: 20 * ms},
		}
	case "BEHIND": // A hears nothing of the log for long and nothing from C, which leads; B restarts once it has promised something
		return []fault{
			{At: f.At, Kind: "lag", A: f.A, For: 2500 * ms},
			{At: f.At, Kind: "cut", A: f.C, B: f.A, For: 2500 * ms},
			{At: f.At, Kind: "cut", A: f.A, B: f.C, For: 2500 * ms},
			{At: f.At, Kind: "leader", A: f.C},
			{At: f.At + f.For/4, Kind: "jinx", A: f.B, For: 2500 * ms},
		}
	}
	return []fault{f}
}

func drawFaults(t *rapid.T, nodes int, within time.Duration) []fault {
	one := rapid.Custom(func(t *rapid.T) fault {
		return fault{
			At:   time.Duration(rapid.Int64Range(0, int64(within/time.Millisecond)).Draw(t, "at")) * time.Millisecond,
			Kind: rapid.SampledFrom(faultKinds).Draw(t, "kind"),
			A:    rapid.IntRange(0, nodes-1).Draw(t, "a"),
			B:    rapid.IntRange(0, nodes-1).Draw(t, "b"),
			C:    rapid.IntRange(0, nodes-1).Draw(t, "c"),
			For:  time.Duration(rapid.Int64Range(1, 1200).Draw(t, "for")) * time.Millisecond,
		}
	})
	var out []fault
	for _, f := range rapid.SliceOfN(one, 0, 25).Draw(t, "faults") {
		out = append(out, f.expand()...)
	}
	return out
}

// begin makes a fault and returns what ends it.
func (w *walk) begin(f fault) func() {
	x := w.nodes[f.A]
	w.clock(x)
	switch f.Kind {
	case "kill", "power":
		if !x.up {
			return nil
		}
		w.stop(x, f.Kind == "power")
		return func() {
			if !x.up {
				w.start(x, x.stable)
			}
		}
	case "freeze", "suspend":
		if x.up && x.stuck <= w.now {
			x.stuck, x.suspended = w.now+f.For, f.Kind == "suspend"
		}
	case "cut":
		w.cut[[2]int{f.A, f.B}]++
		return func() { w.cut[[2]int{f.A, f.B}]-- }
	case "isolate":
		for i := range w.nodes {
			if i != f.A {
				w.cut[[2]int{f.A, i}]++
				w.cut[[2]int{i, f.A}]++
			}
		}
		x.apply = w.now + f.For
		if w.leader == x {
			w.leader, w.elect = nil, w.now+w.upTo(100*time.Millisecond)
		}
		return func() {
			for i := range w.nodes {
				if i != f.A {
					w.cut[[2]int{f.A, i}]--
					w.cut[[2]int{i, f.A}]--
				}
			}
		}
	case "lossy":
		w.loss = 300
		return func() { w.loss = 0 }
	case "late":
		x.late = 100*time.Millisecond + f.For/10
		return func() { x.late = 0 }
	case "chaos":
		w.delay = 220 * time.Millisecond
		return func() { w.delay = 3 * time.Millisecond }
	case "slow":
		x.slow = f.For / 3
		return func() { x.slow = 0 }
	case "lag":
		x.apply = w.now + f.For
	case "deaf":
		x.deaf = w.now + f.For
	case "leader":
		w.leader, w.elect, w.heir = nil, w.now, x
	case "jinx":
		x.jinx = w.now + f.For
	}
	return nil
}

// play runs a walk through its faults, which end within 1.2 s each.
func (w *walk) play(faults []fault, length time.Duration) error {
	type ending struct {
		at time.Duration
		do func()
	}
	var ends []ending
	for w.now < length {
		for _, f := range faults {
			if f.At > w.now-walkStep && f.At <= w.now {
				if end := w.begin(f); end != nil {
					ends = append(ends, ending{w.now + f.For, end})
				}
			}
		}
		keep := ends[:0]
		for _, e := range ends {
			if e.at <= w.now {
				e.do()
			} else {
				keep = append(keep, e)
			}
		}
		ends = keep
		if err := w.advance(); err != nil {
			return err
		}
	}
	for _, e := range ends {
		e.do()
	}
	return nil
}

// settle runs on without faults until every address is claimed by its agreed owner, at most for limit.
func (w *walk) settle(limit time.Duration) error {
	w.quiet, w.loss, w.delay = true, 0, 3*time.Millisecond
	end := w.now + limit
	for w.now < end {
		if err := w.advance(); err != nil {
			return err
		}
		if w.settled() == nil {
			return nil
		}
	}
	return w.settled()
}

func (w *walk) settled() error {
	s := w.head()
	for _, p := range walkVIPs {
		k := fsm.AddressKey{Addr: p.Addr()}
		a, ok := s.Assignments[k]
		if !ok || a.Owner == "" || a.Release != nil {
			return fmt.Errorf("%v has no owner: %+v", k, a)
		}
		if !w.claims(w.nodes[int(a.Owner[1]-'1')], k) {
			return fmt.Errorf("%s owns %v and does not claim it", a.Owner, k)
		}
	}
	return nil
}

// TestWalks looks for two claimants of one address in random histories, and for an address that nobody takes up once the
// faults are over.
func TestWalks(t *testing.T) {
	var claimed, moved int
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.IntRange(1, 5).Draw(t, "nodes")
		grantors := rapid.IntRange(1, nodes).Draw(t, "grantors")
		w := newWalk(rapid.Uint64().Draw(t, "seed"), nodes, grantors, "")
		w.busy = rapid.Bool().Draw(t, "busy")
		if err := w.play(drawFaults(t, nodes, 5*time.Second), 6*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := w.settle(8 * time.Second); err != nil {
			t.Fatal(err)
		}
		claimed += w.claimed
		moved += w.moved
	})
	t.Logf("somebody claimed in %d observations; %d moves", claimed, moved)
	if moved == 0 {
		t.Fatal("no address ever moved: the walks show nothing")
	}
}

// The same seed gives the same history to the last byte: what a simulation finds can be found again.
func TestWalksRepeat(t *testing.T) {
	for seed := range uint64(5) {
		var sums [2]uint64
		for i := range sums {
			r := rand.New(rand.NewPCG(seed, 2))
			w := newWalk(seed, 5, 4, "")
			w.busy = true
			if err := w.play(someFaults(r, 5, "kill"), 3*time.Second); err != nil {
				t.Fatal(err)
			}
			sums[i] = w.trace.Sum64()
		}
		if sums[0] != sums[1] {
			t.Fatalf("seed %d gives two histories", seed)
		}
	}
}
