package health

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// step of a random walk: something changes, then time passes.
type step struct {
	Server int       // whose condition changes
	To     condition // what it becomes
	Wanted uint8     // bit i: target i is wanted
	Quick  uint8     // bit i: target i has the quick rhythm
	Wait   time.Duration
}

const walkers = 4

// TestRandomWalk changes servers and the wanted set at random, and holds after each step: no target is probed twice at
// once, transitions of one life of a target alternate, only wanted targets are probed, and once everything is left alone
// each verdict is the truth.
func TestRandomWalk(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				Server: rapid.IntRange(0, walkers-1).Draw(t, "server"),
				To:     rapid.SampledFrom([]condition{refusing, silent, open, failing, stalling, exhausted}).Draw(t, "to"),
				Wanted: rapid.Uint8Range(0, 1<<walkers-1).Draw(t, "wanted"),
				Quick:  rapid.Uint8Range(0, 1<<walkers-1).Draw(t, "quick"),
				Wait:   time.Duration(rapid.IntRange(0, 9000).Draw(t, "wait")) * time.Millisecond,
			}
		}), 1, 12).Draw(rt, "steps")
		var wrong error
		synctest.Test(t, func(t *testing.T) { wrong = walk(t, steps) })
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

func walk(t *testing.T, steps []step) error {
	n := newNetwork()
	var wrong error
	fail := func(format string, args ...any) {
		if wrong == nil {
			wrong = fmt.Errorf(format, args...)
		}
	}
	last := map[string]Verdict{}
	e := New(Options{Dial: n.dial, Concurrency: 3, OnTransition: func(tr Transition) {
		v := Down
		if tr.Up {
			v = Up
		}
		if last[tr.ID] == v {
			fail("%s became %v twice", tr.ID, v)
		}
		last[tr.ID] = v
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()

	wanted := uint8(0)
	for _, s := range steps {
		n.set(walker(s.Server, false).Addr.String(), s.To)
		var targets []Target
		for i := range walkers {
			bit := uint8(1) << i
			if s.Wanted&bit != 0 {
				targets = append(targets, walker(i, s.Quick&bit != 0))
			}
			if wanted&^s.Wanted&bit != 0 {
				delete(last, walker(i, false).ID) // its life ends here, the next begins as unknown
			}
		}
		before := dialsOf(n)
		e.Set(targets)
		wanted = s.Wanted
		time.Sleep(s.Wait)
		synctest.Wait()
		for i, d := range dialsOf(n) {
			if wanted&(1<<i) == 0 && d != before[i] {
				fail("target %d is not wanted and was probed", i)
			}
		}
	}
	time.Sleep(30 * time.Second)
	synctest.Wait()
	for _, s := range e.Snapshot() {
		n.mu.Lock()
		cond := n.servers[s.Target.Addr.String()]
		n.mu.Unlock()
		want := map[condition]Verdict{open: Up, failing: Down, refusing: Down, silent: Down, stalling: Down}[cond]
		if cond != exhausted && s.Verdict != want || s.Verdict != last[s.Target.ID] {
			fail("at rest %s is %v and was reported as %v, want %v (server %d)", s.Target.ID, s.Verdict, last[s.Target.ID], want, cond)
		}
	}
	cancel()
	if err := <-done; err != nil {
		fail("Run: %w", err)
	}
	if len(n.doubled) > 0 || n.most > 3 {
		fail("%d probes at once, twice at once: %v", n.most, n.doubled)
	}
	return wrong
}

// walker is target i in one of two rhythms.
func walker(i int, quick bool) Target {
	t := Target{
		ID: fmt.Sprint("t", i), Type: TypeHTTP, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 80),
		Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
	}
	if quick {
		t.Interval, t.Timeout, t.Rise, t.Fall = 500*time.Millisecond, 400*time.Millisecond, 1, 2
	}
	return t
}

func dialsOf(n *network) (d [walkers]int) {
	for i := range d {
		d[i] = n.dials(walker(i, false).Addr.String())
	}
	return d
}
