package lab

import (
	"time"

	"golang.org/x/sys/unix"
)

// Instant is a reading of this machine's CLOCK_MONOTONIC. All processes of a lab share it, so that what a client saw can
// be compared with when a fault was made. In JSON it is nanoseconds.
type Instant time.Duration

// Now reads the clock.
func Now() Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("clock_gettime(CLOCK_MONOTONIC): " + err.Error()) // cannot fail on Linux: clock_gettime(2)
	}
	return Instant(ts.Nano())
}

// Add returns the instant d later.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// Sub returns how much later t is than o.
func (t Instant) Sub(o Instant) time.Duration { return time.Duration(t - o) }

// Since returns how long ago t was.
func Since(t Instant) time.Duration { return Now().Sub(t) }

// Span is a stretch of time.
type Span struct{ From, To Instant }

// Duration is its length.
func (s Span) Duration() time.Duration { return s.To.Sub(s.From) }

// longestGap is the longest stretch of the window in which none of the instants lies, the window's edges counting as
// instants. at must be sorted.
func longestGap(at []Instant, window Span) Span {
	best := Span{window.From, window.From}
	last := window.From
	for _, t := range append(at[:len(at):len(at)], window.To) {
		if t < window.From {
			continue
		}
		t = min(t, window.To)
		if t.Sub(last) > best.Duration() {
			best = Span{last, t}
		}
		last = t
	}
	return best
}
