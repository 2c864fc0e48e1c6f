package sim

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	seed      = flag.Int64("seed", 0, "replay this one schedule")
	from      = flag.Int64("from", 1, "first seed")
	schedules = flag.Int("schedules", 4500, "how many schedules to run")
	beginning = flag.String("situation", "", "begin every schedule with this situation")
)

// schedule is the cluster that a seed stands for, and how it begins: every other one with a situation.
func schedule(seed int64) Options {
	sizes := []int{3, 3, 3, 5, 2, 4}
	opt := Options{Seed: seed, Nodes: sizes[seed/2%int64(len(sizes))], Faults: 6 * time.Second, Heal: 4 * time.Second}
	if names := Situations(); *beginning != "" {
		opt.Situation = *beginning
	} else if seed%2 == 0 {
		opt.Situation = names[seed/2%int64(len(names))]
	}
	if s, ok := situations[opt.Situation]; ok {
		opt.Nodes = s.nodes
	}
	return opt
}

func TestMain(m *testing.M) {
	debug.SetGCPercent(1600) // schedules make much garbage and keep little
	os.Exit(m.Run())
}

func TestSchedules(t *testing.T) {
	if _, ok := situations[*beginning]; !ok && *beginning != "" {
		t.Fatalf("there is no situation %q, but %q", *beginning, Situations())
	}
	if *seed != 0 {
		opt := schedule(*seed)
		opt.Trace = true
		st, v := Run(opt)
		if v != nil {
			t.Fatal(v)
		}
		t.Logf("seed %d: %+v", *seed, st)
		return
	}
	again := ""
	if *beginning != "" {
		again = " -situation " + *beginning
	}
	n := *schedules
	if testing.Short() {
		n = min(n, 100)
	}
	var next, steps, checks, held, entries atomic.Int64
	next.Store(*from)
	var mu sync.Mutex
	happened := map[string]int{}
	begun, played := map[string]int{}, map[string]int{}
	var wg sync.WaitGroup
	var failed atomic.Bool
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				s := next.Add(1) - 1
				if s >= *from+int64(n) || failed.Load() {
					return
				}
				opt := schedule(s)
				st, v := Run(opt)
				steps.Add(int64(st.Steps))
				checks.Add(int64(st.Checks))
				held.Add(int64(st.Held))
				entries.Add(int64(st.Entries))
				mu.Lock()
				for what, n := range st.Happened {
					happened[what] += n
				}
				if opt.Situation != "" {
					begun[opt.Situation]++
				}
				if st.Played {
					played[opt.Situation]++
				}
				mu.Unlock()
				if v != nil {
					failed.Store(true)
					t.Errorf("%v\nreplay: go test ./integration/sim -run TestSchedules -seed %d%s", v, s, again)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d schedules, seeds %d to %d: %d steps, %d checks, an address held in %d %% of them, %d entries",
		n, *from, *from+int64(n)-1, steps.Load(), checks.Load(), held.Load()*100/max(1, checks.Load()), entries.Load())
	for _, what := range Happenings() {
		t.Logf("%7d %s", happened[what], what)
	}
	t.Logf("situations begun: %v", begun)
	t.Logf("situations played to the end: %v", played)
	for name, n := range begun {
		if n >= 10 && played[name]*2 < n && !failed.Load() {
			t.Errorf("situation %s came to its end %d of %d times: it tests too little", name, played[name], n)
		}
	}
	for _, what := range Happenings() {
		if happened[what]*20 < n && *beginning == "" && n >= 50 && !failed.Load() {
			t.Errorf("%q happened %d times in %d schedules: they test too little of it", what, happened[what], n)
		}
	}
	if held.Load()*2 < checks.Load() && !failed.Load() {
		t.Errorf("addresses were held in fewer than half of the steps: the schedules test too little")
	}
}

// TestReplay: the same seed is the same history, to the letter.
func TestReplay(t *testing.T) {
	for s := range int64(5) {
		opt := schedule(s + 1)
		opt.Trace = true
		a, b := newWorld(opt), newWorld(opt)
		for _, w := range []*World{a, b} {
			w.begin()
			for w.now < 3*time.Second {
				w.next(3 * time.Second)
			}
		}
		if len(a.trace) != len(b.trace) {
			t.Fatalf("seed %d: %d lines, then %d", s+1, len(a.trace), len(b.trace))
		}
		for i := range a.trace {
			if a.trace[i] != b.trace[i] {
				t.Fatalf("seed %d, line %d:\n%s\n%s", s+1, i, a.trace[i], b.trace[i])
			}
		}
	}
}
