package agent

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// niceness puts this process before ordinary programs (setpriority(2)), not only the lease's thread: an election, a decision and the taking
// over of an address are a few milliseconds of work in many threads, each of which would wait for its turn on a busy machine, and
// clients with it. Corosync and keepalived (vrrp_rt_priority) do as much with real-time priority. It counts among the programs of one
// control group; between services, CPUWeight does the same.
const niceness = -15

// goFirst gives all threads of this process the niceness; those that are made later take it from the one that makes them. It needs
// CAP_SYS_NICE.
func goFirst() error {
	// Where sessions are scheduled as groups (sched(7), autogroup), niceness counts within the group only, and the group has its own. Kernels
	// without have no such file.
	_ = os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(niceness)), 0)
	return eachThread(func(id int) error {
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, niceness); err != nil && !errors.Is(err, unix.ESRCH) {
			return os.NewSyscallError("setpriority", err)
		}
		return nil
	})
}
