package health

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestHint(t *testing.T) {
	run(t, func(b *bed) {
		web := target("web")
		web.Interval, web.FastInterval, web.Fall = time.Minute, 2*time.Second, 2
		b.net.set(server, open)
		b.engine.Set([]Target{web})
		b.at(3 * time.Second) // 0, 2
		b.expect("2s web up: connected in 0s")

		b.net.set(server, refusing)
		b.at(10 * time.Second)
		b.engine.Hint("web", "nobody")
		b.at(10 * time.Second)
		if n := b.net.dials(server); n != 3 {
			t.Fatalf("%d probes, want 3: a hint has the target probed at once", n)
		}
		b.at(12 * time.Second) // fast now
		b.expect("12s web down: connection refused")

		// The server is well again before the hint, which changes nothing.
		b.net.set(server, open)
		b.at(20 * time.Second)
		b.engine.Hint("web")
		b.at(23 * time.Second) // 20, 22
		b.expect("22s web up: connected in 0s")
	})
}

// A target goes back to its place: those that one event has had probed together would be probed together for ever.
func TestHintChangesNoRhythm(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, open)
		web := target("web")
		web.Interval = 10 * time.Second
		b.engine.Set([]Target{web})
		b.at(37 * time.Second) // 0, 10, 20, 30
		b.engine.Hint("web")
		b.at(39 * time.Second)
		if n := b.net.dials(server); n != 5 {
			t.Errorf("%d probes, want 5", n)
		}
		b.at(40 * time.Second)
		if n := b.net.dials(server); n != 6 {
			t.Errorf("%d probes, want 6: the one of 40 s is not put off", n)
		}
		b.at(49900 * time.Millisecond)
		if n := b.net.dials(server); n != 6 {
			t.Errorf("%d probes, want 6: the next is at 50 s", n)
		}
	})
}

func TestHintsAreCollapsed(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, silent) // a probe takes a second
		web := target("web")
		web.Interval, web.Fall = 20*time.Second, 100
		b.engine.Set([]Target{web})
		b.at(500 * time.Millisecond)
		for range 100 {
			b.engine.Hint("web")
		}
		b.at(900 * time.Millisecond)
		if n := b.net.dials(server); n != 1 {
			t.Errorf("%d probes, want 1: one at a time", n)
		}
		b.at(1500 * time.Millisecond)
		if n := b.net.dials(server); n != 2 {
			t.Errorf("%d probes, want 2: one after the one under way", n)
		}
		// Four times in a second for a minute: no more than five in an interval, beside those that are due.
		for i := range 240 {
			b.at(time.Duration(i)*250*time.Millisecond + 2*time.Second)
			b.engine.Hint("web")
		}
		if n := b.net.dials(server); n < 15 || n > 20 {
			t.Errorf("%d probes in 62 s for hints, want one in 4 s and those that were due", n)
		}
	})
}

func TestHintBeforeRunAndAfterSet(t *testing.T) {
	run(t, func(b *bed) {
		b.net.set(server, open)
		b.engine.Set([]Target{target("web")})
		b.engine.Hint("web") // its first probe is a second away
		b.at(0)
		if n := b.net.dials(server); n != 1 {
			t.Errorf("%d probes, want 1", n)
		}
		b.engine.Set(nil)
		b.engine.Hint("web")
		b.at(5 * time.Second)
		if n := b.net.dials(server); n != 1 {
			t.Errorf("%d probes of a target that is gone", n)
		}
	}, func(o *Options) { o.Jitter = func(time.Duration) time.Duration { return time.Second } })
}

// TestTenThousandAreSpread looks at ten thousand targets in virtual time: each is probed every interval, at most its slack too early or late, in the mean
// to the moment, and no tenth of the interval has more of them than another, also after those of a whole service were hinted.
func TestTenThousandAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, interval, slice = 10_000, 2 * time.Second, 200 * time.Millisecond
		b := &bed{t: t, net: newNetwork(), began: time.Now()}
		var mu sync.Mutex
		starts := map[string][]time.Duration{}
		b.engine = New(Options{Dial: func(_ context.Context, _ string, t Target) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			starts[t.ID] = append(starts[t.ID], time.Since(b.began))
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}})
		targets := make([]Target, n)
		for i := range targets {
			targets[i] = target(fmt.Sprint(i))
			targets[i].Interval = interval
			targets[i].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)
		}
		b.engine.Set(targets[:n/2])
		b.start()
		b.at(700 * time.Millisecond)
		b.engine.Set(targets) // half of them came later
		b.at(10 * time.Second)
		var some []string
		for _, x := range targets[:2000] {
			some = append(some, x.ID)
		}
		b.engine.Hint(some...)
		b.at(20 * time.Second)
		b.stop()

		var gaps []time.Duration
		load := map[time.Duration]int{}
		for _, at := range starts {
			for i, x := range at {
				if x >= 12*time.Second {
					load[x/slice]++
					if i > 0 && at[i-1] >= 12*time.Second {
						gaps = append(gaps, x-at[i-1])
					}
				}
			}
		}
		slices.Sort(gaps)
		if low, high := gaps[0], gaps[len(gaps)-1]; low < interval*95/100 || high > interval*105/100 {
			t.Errorf("gaps of %v to %v between the probes of a target, want %v", low, high, interval)
		}
		for id, at := range starts {
			if n := len(at); n < 9 || at[n-1] < 18*time.Second-interval/50 {
				t.Fatalf("%s was probed at %v", id, at)
			}
		}
		moments := map[time.Duration]bool{}
		for _, at := range starts {
			for _, x := range at {
				moments[x] = true
			}
		}
		if most := 2 * int(20*time.Second/(interval/50)); len(moments) > most {
			t.Errorf("this process woke %d times to start probes, want at most %d", len(moments), most)
		}
		const mean = float64(n) * float64(slice) / float64(interval)
		for x := 12 * time.Second / slice; x < 20*time.Second/slice; x++ {
			if dev := math.Abs(float64(load[x]) - mean); dev > mean*2/5 {
				t.Errorf("%d probes at %v, want about %.0f", load[x], x*slice, mean)
			}
		}
	})
}
