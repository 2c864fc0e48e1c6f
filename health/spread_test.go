package health

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestPlaceInTheInterval holds the rhythm to its laws: a new target is probed within its FastInterval; what has settled comes to its place within an interval, whatever
// led it elsewhere, and is there every interval.
func TestPlaceInTheInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		began := time.Unix(1_700_000_000, 0)
		span := func(name string, most time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(1, int64(most)).Draw(t, name))
		}
		x := Target{Interval: span("interval", time.Hour)}
		x.FastInterval = span("fast", x.Interval)
		place := time.Duration(rapid.Int64Range(0, int64(x.Interval)-1).Draw(t, "place"))
		e := &entry{target: &x, tracker: Tracker{Rise: 2, Fall: 3}}
		e.due = e.settle(began, place)
		if d := e.due.Sub(began); d < 0 || d > x.FastInterval {
			t.Fatalf("first probed after %v, want within %v", d, x.FastInterval)
		}
		for range rapid.IntRange(1, 20).Draw(t, "probes") {
			e.tracker.Add(rapid.Bool().Draw(t, "ok"))
			now := e.due.Add(time.Duration(rapid.Int64Range(0, int64(e.rhythm())).Draw(t, "took")))
			if rapid.Bool().Draw(t, "hinted") {
				e.due = e.due.Add(-time.Duration(rapid.Int64Range(0, int64(e.rhythm())-1).Draw(t, "earlier")))
			}
			before := e.due
			e.due = e.next(now)
			if e.due.Sub(before) <= 0 {
				t.Fatalf("probed at %v and then at %v", before, e.due)
			}
			switch {
			case !e.settled() && now.Sub(before) <= x.FastInterval && e.due.Sub(before) != x.FastInterval:
				t.Fatalf("%v after the one before while it changes, want %v", e.due.Sub(before), x.FastInterval)
			case e.settled() && e.due.Sub(e.anchor)%x.Interval != 0:
				t.Fatalf("it is not in its place: off by %v", e.due.Sub(e.anchor)%x.Interval)
			case e.settled() && e.due.Sub(now) > x.Interval:
				t.Fatalf("it waits %v, longer than %v", e.due.Sub(now), x.Interval)
			}
		}
	})
}

// TestNewTargetsAreKnownSoon sets ten thousand targets at once that are to be probed once a minute: all of them have a verdict within two of their fast intervals, no moment
// has many more of the first probes than another, and afterwards they are spread over the minute, each at its own moment of it.
func TestNewTargetsAreKnownSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, interval, fast, slice = 10_000, time.Minute, 2 * time.Second, 200 * time.Millisecond
		b := &bed{t: t, net: newNetwork(), began: time.Now()}
		var mu sync.Mutex
		starts := map[string][]time.Duration{}
		known := 0
		b.engine = New(Options{
			Dial: func(_ context.Context, _ string, t Target) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				starts[t.ID] = append(starts[t.ID], time.Since(b.began))
				return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
			},
			OnTransition: func(Transition) { known++ },
		})
		targets := make([]Target, n)
		for i := range targets {
			targets[i] = target(fmt.Sprint(i))
			targets[i].Interval, targets[i].FastInterval, targets[i].Fall = interval, fast, 2
			targets[i].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)
		}
		b.engine.Set(targets)
		b.start()
		b.at(2 * fast)
		if known != n {
			t.Errorf("%d of %d have a verdict after %v", known, n, 2*fast)
		}
		b.at(4 * interval)
		b.stop()

		first, settled := map[time.Duration]int{}, map[time.Duration]int{}
		for id, at := range starts {
			first[at[0]/slice]++
			var rest []time.Duration
			for _, x := range at {
				if x > interval {
					rest = append(rest, x)
				}
			}
			if len(rest) < 3 || len(rest) > 4 { // at the ends, a moment early or late
				t.Fatalf("%s was probed at %v", id, at)
			}
			settled[(rest[0]-interval)/(interval/10)]++
			for i := range rest[1:] {
				if gap := rest[i+1] - rest[i]; (gap - interval).Abs() > 100*time.Millisecond {
					t.Fatalf("%s: %v between two probes, want %v", id, gap, interval)
				}
			}
		}
		even := func(what string, load map[time.Duration]int, parts int) {
			t.Helper()
			mean := float64(n) / float64(parts)
			for i := range time.Duration(parts) {
				if math.Abs(float64(load[i])-mean) > mean*2/5 {
					t.Errorf("%s: %d probes in part %d of %d, want about %.0f", what, load[i], i+1, parts, mean)
				}
			}
		}
		even("at first", first, int(fast/slice))
		even("at rest", settled, 10)
	})
}

// Those that change together, or have another interval, are spread again once they have settled.
func TestChangesLeaveNoBunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, fast = 1000, time.Second
		b := &bed{t: t, net: newNetwork(), began: time.Now()}
		var mu sync.Mutex
		var starts []time.Duration
		b.engine = New(Options{Dial: func(context.Context, string, Target) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, time.Since(b.began))
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}})
		rhythm := func(interval time.Duration) (out []Target) {
			for i := range n {
				x := target(fmt.Sprint(i))
				x.Interval, x.FastInterval = interval, fast
				out = append(out, x)
			}
			return out
		}
		spread := func(from, interval time.Duration) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			load, sum := map[time.Duration]int{}, 0
			for _, x := range starts {
				if from <= x && x < from+interval {
					load[(x-from)*10/interval]++
					sum++
				}
			}
			if sum < n*98/100 || sum > n*102/100 {
				t.Errorf("%d probes in an interval of %v, want %d", sum, interval, n)
			}
			for i, k := range load {
				if k > n/10*14/10 {
					t.Errorf("%d probes in part %d of 10 of an interval of %v, want about %d", k, i+1, interval, n/10)
				}
			}
		}
		b.engine.Set(rhythm(2 * time.Second))
		b.start()
		b.at(20 * time.Second)
		spread(10*time.Second, 2*time.Second)
		b.engine.Set(rhythm(time.Minute)) // longer
		b.at(200 * time.Second)
		spread(100*time.Second, time.Minute)
		b.engine.Set(rhythm(2 * time.Second)) // shorter
		b.at(220 * time.Second)
		spread(202*time.Second, 2*time.Second)
		spread(204*time.Second, 2*time.Second)
		var all []string
		for i := range n {
			all = append(all, fmt.Sprint(i))
		}
		b.engine.Hint(all...)
		b.at(240 * time.Second)
		spread(230*time.Second, 2*time.Second)
		b.stop()
	})
}
