package integration

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"quorate/integration/lab"
)

// slowVariable says that the machine is a guest with one processor, on which a system call takes a hundred times as long.
const slowVariable = "QUORATE_SLOW_MACHINE"

// pace is what a machine bears.
type pace struct {
	profile string        // of the cluster; "" = the program's default
	times   time.Duration // by this patience is multiplied
	conns   int           // at once, each of which asks every so often
	every   time.Duration
	rate    int           // new ones per second, of each client
	answer  time.Duration // so long a client waits for an answer
	checks  time.Duration // interval of health checks
	poll    time.Duration
}

func paceOf() pace {
	if os.Getenv(slowVariable) != "" {
		return pace{profile: "wan", times: 6, conns: 100, every: 4 * time.Second, rate: 2, answer: 3 * time.Second, checks: time.Second, poll: 100 * time.Millisecond}
	}
	return pace{times: 1, conns: 200, every: 500 * time.Millisecond, rate: 100, answer: time.Second, checks: 200 * time.Millisecond}
}

// settings are the lines of the block of cluster-wide settings.
func (p pace) settings(more ...string) []string {
	if p.profile != "" {
		more = append(more, `profile = "`+p.profile+`"`)
	}
	return more
}

func (p pace) bed(o lab.BedOptions) lab.BedOptions {
	o.Profile, o.Poll = p.profile, p.poll
	return o
}

// watchStalls adds up, until the test ends, for how long the machine stood still for this process: a guest gets no processor while its host has
// other things to do.
func watchStalls(t *testing.T) (total func() time.Duration) {
	const every, stall = 10 * time.Millisecond, 50 * time.Millisecond
	var sum atomic.Int64
	stop, done := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-done })
	go func() {
		defer close(done)
		for last := time.Now(); ; {
			select {
			case <-stop:
				return
			case <-time.After(every):
			}
			now := time.Now()
			if gap := now.Sub(last); gap > stall {
				sum.Add(int64(gap))
			}
			last = now
		}
	}()
	return func() time.Duration { return time.Duration(sum.Load()) }
}
