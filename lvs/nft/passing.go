package nft

import (
	"time"

	"golang.org/x/sys/unix"
)

// globalBarrier is MEMBARRIER_CMD_GLOBAL (linux/membarrier.h).
const globalBarrier = 1

// awaitPassing returns when every packet that was on its way through the rules has left them, as the rules were before the call. The kernel carries a packet through its hooks
// in one RCU read-side section (net/core/dev.c), and membarrier(2) waits until all of these are over: some tens of milliseconds (kernel/sched/membarrier.c). Where it
// cannot, as with nohz_full, time has to do.
func awaitPassing() {
	if _, _, e := unix.Syscall(unix.SYS_MEMBARRIER, globalBarrier, 0, 0); e != 0 {
		time.Sleep(100 * time.Millisecond)
	}
}
