package whole

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seed      = flag.Int64("seed", 0, "run this one schedule")
	from      = flag.Int64("from", 1, "first seed")
	schedules = flag.Int("schedules", 600, "how many schedules to run")
	loud      = flag.Bool("log", false, "print the nodes' log")
)

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(400) // schedules make much garbage and keep little
	os.Exit(m.Run())
}

// schedule is the kind of cluster that a seed stands for.
func schedule(t *testing.T, seed int64) Options {
	sizes := []int{3, 3, 5, 3, 3, 1, 3, 2, 3, 4}
	opt := Options{Seed: seed, Nodes: sizes[seed%int64(len(sizes))], Faults: 8 * time.Second, Bound: 10 * time.Second, Settle: 90 * time.Second}
	if *loud {
		opt.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return opt
}

// enough is how often something has to happen in a hundred schedules, at least: else they test too little. What is rare is
// not demanded of a short run.
var enough = map[string]int{
	"kill": 150, "power": 50, "restart": 50, "cut one way": 80, "cut both ways": 40, "isolate": 100, "loss": 50, "delay": 50,
	"slow disk": 40, "hang": 60, "clock": 60, "lost disk": 5, "fresh node": 5, "left": 5, "removed": 5, "resigned": 20, "elections": 200,
	"freeze": 150, "freeze of an owner": 40, "wall clock": 80, "timeline jumps": 30,
	"lacks connections": 60, "agreed to be unsynced": 100,
	"snapshot taken": 400, "snapshot installed": 30, "start from a snapshot": 100,
	"event fence": 100, "event raise": 1, "event cancel": 10, "moved requested": 15, "moved drained": 30, "moved removed": 30,
	"op configure": 150, "write done": 1000, "write refused": 50, "write uncertain": 50, "read done": 500,
}

func TestSchedules(t *testing.T) {
	if *seed != 0 {
		synctest.Test(t, func(t *testing.T) {
			st, v := Run(schedule(t, *seed))
			if v != nil {
				t.Fatal(v)
			}
			t.Logf("seed %d: %+v", *seed, st)
		})
		return
	}
	n := int64(*schedules)
	if testing.Short() {
		n = min(n, 40)
	}
	var (
		next   atomic.Int64
		failed atomic.Bool
		mu     sync.Mutex
		all    = Stats{Counts: map[string]int{}}
		served []time.Duration
		settle []time.Duration
	)
	next.Store(*from)
	began := time.Now()
	t.Run("all", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				for s := next.Add(1) - 1; s < *from+n && !failed.Load(); s = next.Add(1) - 1 {
					synctest.Test(t, func(t *testing.T) {
						st, v := Run(schedule(t, s))
						if v != nil {
							failed.Store(true)
							t.Errorf("%v\nanother of the kind: go test ./integration/sim/whole -v -seed %d", v, s)
						}
						mu.Lock()
						defer mu.Unlock()
						all.Virtual += st.Virtual
						all.Checks += st.Checks
						all.Held += st.Held
						served, settle = append(served, st.Served), append(settle, st.Settled)
						for what, n := range st.Counts {
							all.Counts[what] += n
						}
					})
				}
			})
		}
	})
	slices.Sort(served)
	slices.Sort(settle)
	ran := len(served)
	t.Logf("%d schedules, seeds from %d: %v of virtual time in %v; %d checks, an address held in %d %%", ran, *from,
		all.Virtual.Round(time.Second), time.Since(began).Round(time.Millisecond), all.Checks, all.Held*100/max(1, all.Checks))
	t.Logf("every VIP held again after median %v, at most %v; all members agree after median %v, at most %v",
		served[ran/2], served[ran-1], settle[ran/2], settle[ran-1])
	for _, what := range slices.Sorted(maps.Keys(all.Counts)) {
		t.Logf("%7d %s", all.Counts[what], what)
	}
	if failed.Load() || ran < 20 {
		return
	}
	for what, least := range enough {
		if rare := least < 20 && ran < 200; !rare && all.Counts[what]*100 < least*ran {
			t.Errorf("%q happened %d times in %d schedules: they test too little of it", what, all.Counts[what], ran)
		}
	}
	if all.Held*2 < all.Checks {
		t.Errorf("addresses were held at fewer than half of the checks: the schedules test too little")
	}
}
