package uml

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// turn gives the guests of this process the processors one after the other, so that two at a time do not meet, and begins anywhere, so that those of two
// processes do not always.
var turn atomic.Uint32

func init() { turn.Store(rand.Uint32N(1 << 16)) }

// onOneCPU calls start with the calling thread, and so the process that it starts, bound to one of the processors that
// the thread may use. A guest's kernel and the program that it runs are processes of the host that take turns at every
// system call and page fault. On one processor each turn costs several times less; two would not help, because the guest
// has only one. The goroutine must be locked to its thread.
func onOneCPU(start func() error) error {
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("asking for the allowed processors: %w", err)
	}
	nth := int(turn.Add(1)) % max(1, allowed.Count())
	for cpu := range len(one) * 64 {
		if !allowed.IsSet(cpu) {
			continue
		}
		if nth == 0 {
			one.Set(cpu)
			break
		}
		nth--
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("binding to one processor: %w", err)
	}
	err := start()
	if e := unix.SchedSetaffinity(0, &allowed); e != nil && err == nil {
		err = fmt.Errorf("unbinding from one processor: %w", e)
	}
	return err
}
