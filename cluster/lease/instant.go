package lease

import "time"

// Instant is one reading of a node's two clocks, each counted from an origin of its own. Instants of different nodes, or
// of one machine before and after it was booted, have nothing to do with each other: no timestamp crosses the wire
// (design §3 “Clocks”).
type Instant struct {
	Raw  time.Duration // CLOCK_MONOTONIC_RAW: not slewed by NTP; stands still while the machine is suspended
	Boot time.Duration // CLOCK_BOOTTIME: slewed; counts suspends
}

// Clock reads both clocks at once. Now is called from several goroutines.
type Clock interface{ Now() Instant }

// before reports whether i lies before the deadline on both clocks (design §3 Holder: "inside that on RAW and inside
// s + 0.9·ttl on BOOTTIME").
func (i Instant) before(deadline Instant) bool { return i.Raw < deadline.Raw && i.Boot < deadline.Boot }

// zero reports whether the Instant is the zero value, which as a deadline means "not held".
func (i Instant) zero() bool { return i == Instant{} }
