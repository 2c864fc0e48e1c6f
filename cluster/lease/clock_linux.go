package lease

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// SystemClock reads the kernel's clocks. It panics where the kernel lacks one of them (both are older than Linux 2.6.39):
// without them no promise of this package holds.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

func (systemClock) Now() Instant {
	return Instant{Raw: read(unix.CLOCK_MONOTONIC_RAW), Boot: read(unix.CLOCK_BOOTTIME)}
}

func read(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic(fmt.Sprintf("lease: clock_gettime(%d): %v", id, err))
	}
	return time.Duration(ts.Nano())
}
