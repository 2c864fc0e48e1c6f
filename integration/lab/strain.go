package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Strain notes how long threads of some processes waited for a processor. A cluster in a lab shares one machine with
// whatever else runs there: an agent that gets no processor for longer than a lease lasts is frozen, and what a
// measurement shows then is the machine's doing.
//
// The kernel adds a wait to a thread's sum (/proc/PID/task/TID/schedstat, second number) when the wait is over, so a
// look every now and then finds each whole.
type Strain struct {
	stop chan struct{}
	once sync.Once
	wg   sync.WaitGroup

	mu    sync.Mutex
	waits []Wait
}

// Wait is one that was long.
type Wait struct {
	Seen   Instant // it ended shortly before
	Host   string
	Length time.Duration // of the longest, or the sum of some short ones
}

const (
	strainInterval = 100 * time.Millisecond
	longWait       = 20 * time.Millisecond // shorter ones disturb nobody
)

// StartStrain watches the agents of the directors, also those started later, until the end of the lab.
func (b *Bed) StartStrain() *Strain {
	s := &Strain{stop: make(chan struct{})}
	b.onClose(s)
	s.wg.Go(func() {
		tick := time.NewTicker(strainInterval)
		defer tick.Stop()
		sums := map[string]time.Duration{}
		for {
			for _, d := range b.running() {
				s.look(d, sums)
			}
			select {
			case <-tick.C:
			case <-s.stop:
				return
			}
		}
	})
	return s
}

// Close stops it. What it saw stays readable.
func (s *Strain) Close() error {
	s.once.Do(func() { close(s.stop) })
	s.wg.Wait()
	return nil
}

// look adds the waits of a director's agent since the last look. sums are what was known, by path.
func (s *Strain) look(d *Director, sums map[string]time.Duration) {
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", d.Agent().PID()))
	if err != nil {
		return
	}
	var longest time.Duration
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // that thread has ended
		}
		fields := strings.Fields(string(b))
		if len(fields) < 2 {
			continue
		}
		ns, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue
		}
		sum := time.Duration(ns)
		if before, known := sums[path]; known {
			longest = max(longest, sum-before)
		}
		sums[path] = sum
	}
	if longest >= longWait {
		s.mu.Lock()
		s.waits = append(s.waits, Wait{Now(), d.Name, longest})
		s.mu.Unlock()
	}
}

// Longest is the longest wait of any agent in the window; Length is 0 if there was none worth naming.
func (s *Strain) Longest(window Span) Wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	var worst Wait
	for _, w := range s.waits {
		if w.Seen >= window.From && w.Seen <= window.To.Add(2*strainInterval) && w.Length > worst.Length {
			worst = w
		}
	}
	return worst
}

// String is for a person.
func (w Wait) String() string {
	if w.Length == 0 {
		return "no agent had to wait for a processor"
	}
	return fmt.Sprintf("the agent of %s waited %s for a processor", w.Host, Millis(w.Length))
}
