package lease

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Class is how the kernel schedules the lease's thread.
type Class string

// The classes, best first.
const (
	// Deadline is SCHED_DEADLINE: before whatever else wants the processor, for budget in each period.
	Deadline Class = "deadline"
	// Nice is the least niceness: a large share of the processor, and soon, but in turn with all others.
	Nice Class = "nice"
	// Ordinary is as any other thread.
	Ordinary Class = "ordinary"
)

// Priority is what the lease's thread was granted. The zero value belongs to a lease without such a thread.
type Priority struct {
	Class Class
	Why   error // why it is no better
}

// The lease's thread runs for about a tenth of a millisecond after each datagram.
//
// Not SCHED_FIFO: a thread that comes back from a system call may have to wait, spinning, for another thread of the Go runtime
// that is looking at its stack (runtime.casgstatus). Where it has displaced that one from the only processor, both stand still until
// the kernel takes the real-time class off the processor, at the end of the second (sched_rt_runtime_us): measured, with a
// garbage collector that was kept busy, as 999 ms once in 230 000 turns. The budget ends that within half a millisecond.
const (
	budget = 500 * time.Microsecond
	period = 5 * time.Millisecond
)

// ProbePriority is what a lease's thread would be granted.
func ProbePriority() Priority {
	granted := make(chan Priority)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine, and its class with it
		granted <- prioritize()
	}()
	return <-granted
}

// prioritize gives the calling thread the best class that the kernel grants. Threads and processes that it starts do not inherit it.
func prioritize() Priority {
	a := unix.SchedAttr{Policy: unix.SCHED_DEADLINE, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
		Runtime: uint64(budget), Deadline: uint64(period), Period: uint64(period)}
	err := unix.SchedSetAttr(0, &a, 0)
	if err == nil {
		return Priority{Class: Deadline}
	}
	why := fmt.Errorf("SCHED_DEADLINE is refused (%w): it needs CAP_SYS_NICE, and no cpuset or affinity that leaves out processors", err)
	a = unix.SchedAttr{Policy: unix.SCHED_NORMAL, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Nice: -20}
	if unix.SchedSetAttr(0, &a, 0) == nil {
		return Priority{Class: Nice, Why: why}
	}
	return Priority{Class: Ordinary, Why: why}
}
