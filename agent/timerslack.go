package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// timerSlack is how much later than asked the kernel may wake this process, so that it can serve several timers at once
// (prctl(2), PR_SET_TIMERSLACK; 50 µs by default). Most of what an idle agent costs are the short sleeps of the Go runtime's
// monitor after each datagram; with this slack they are few. It is half of the margin that a lease has for timers (design §3: m =
// 2 ms), on top of the tenth of T by which a holder stops before its grantors do.
const timerSlack = time.Millisecond

// slackenTimers gives all threads of this process the slack; those that are made later take it from the one that makes them. It
// needs CAP_SYS_NICE for threads other than its own; without it the agent works just as well and costs somewhat more.
func slackenTimers() error {
	return eachThread(func(id int) error {
		file := filepath.Join("/proc", strconv.Itoa(id), "timerslack_ns")
		if err := os.WriteFile(file, []byte(strconv.FormatInt(timerSlack.Nanoseconds(), 10)), 0); err != nil && !os.IsNotExist(err) && !errors.Is(err, unix.ESRCH) {
			return err
		}
		return nil
	})
}
