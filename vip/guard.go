package vip

import "time"

// Another program that removes an address gets it back at once, putBackBurst times; then once per putBackEvery, so that
// two programs that fight do not eat the machine.
const (
	putBackBurst = 5
	putBackEvery = time.Second
)

// guard limits how often one address is put back. The zero value is full. Time is an input; it is not for concurrent use.
type guard struct {
	used float64 // of putBackBurst, at
	at   time.Time
}

// level is how much is used at now.
func (g *guard) level(now time.Time) float64 {
	return max(0, g.used-float64(now.Sub(g.at))/float64(putBackEvery))
}

// wait is how long to wait before the address may be put back; not positive: now.
func (g *guard) wait(now time.Time) time.Duration {
	return time.Duration((g.level(now) + 1 - putBackBurst) * float64(putBackEvery))
}

// take notes that the address was put back at now.
func (g *guard) take(now time.Time) {
	g.used, g.at = g.level(now)+1, now
}
