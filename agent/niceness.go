package agent

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceness puts this process before ordinary programs (setpriority(2)), not only the lease's thread: an election, a decision and the taking
// over of an address are a few milliseconds of work in many threads, each of which would wait for its turn on a busy machine, and
// clients with it. Corosync and keepalived (vrrp_rt_priority) do as much with real-time priority.
const niceness = -15

// goFirst gives all threads of this process the niceness; those that are made later take it from the one that makes them. It needs
// CAP_SYS_NICE.
func goFirst() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range tasks {
		id, e := strconv.Atoi(t.Name())
		if e == nil {
			e = unix.Setpriority(unix.PRIO_PROCESS, id, niceness)
		}
		if e != nil && !errors.Is(e, unix.ESRCH) {
			err = os.NewSyscallError("setpriority", e)
		}
	}
	return err
}
