package whole

import (
	"math/rand/v2"
	"sync"
	"time"

	"quorate/cluster/lease"
)

// clock is what a machine's lease reads. It survives the processes on the machine, and begins anew when the machine does.
type clock struct {
	mu        sync.Mutex
	at        time.Time // virtual time at which the machine's clocks showed shown
	shown     lease.Instant
	raw, boot float64 // rates
}

// The bounds of design §3: ρ, and what chrony slews by at most.
const (
	drift = 0.01
	slew  = 0.08
)

func newClock(rng *rand.Rand) *clock {
	c := &clock{}
	c.reboot(rng)
	return c
}

// Now implements lease.Clock.
func (c *clock) Now() lease.Instant {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := float64(time.Since(c.at))
	return lease.Instant{Raw: c.shown.Raw + time.Duration(d*c.raw), Boot: c.shown.Boot + time.Duration(d*c.boot)}
}

// turn gives the clocks other rates; what they show stays.
func (c *clock) turn(rng *rand.Rand) {
	now := c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.shown = time.Now(), now
	c.raw = 1 + drift*(2*rng.Float64()-1)
	c.boot = c.raw * (1 + slew*(2*rng.Float64()-1))
}

// reboot begins anew, some time after the machine was switched on.
func (c *clock) reboot(rng *rand.Rand) {
	c.turn(rng)
	up := time.Second + time.Duration(rng.Int64N(int64(time.Hour)))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown = lease.Instant{Raw: up, Boot: up}
}
