package lease

import (
	"time"

	"quorate/fsm"
)

// Bounds of what a lease may be asked for. The longest profile has 3 s; the rest is room for a newer version's.
const (
	minTTL = time.Millisecond
	maxTTL = 30 * time.Second
)

// grantSpan is for how long a grantor keeps a grant of ttl, on its own clock: ttl·(1+ρ)/(1−ρ) + m, rounded up, ρ = 1 %.
// A grantor's clock that runs fast by ρ has then seen ttl/(1−ρ) of real time pass, which is the longest that a holder's
// clock that runs slow by ρ can take to count ttl (design §3 “Clocks”).
func grantSpan(ttl time.Duration) time.Duration {
	if ttl <= 0 {
		return margin(0)
	}
	return ttl + (2*ttl+98)/99 + margin(ttl)
}

// LongestGrant is the longest that any grantor may take a grant of any profile to last: once it has passed, nobody can hold a
// lease for which nobody has voted meanwhile.
func LongestGrant() time.Duration {
	var longest time.Duration
	for _, p := range [...]fsm.Profile{fsm.Fast, fsm.LAN, fsm.WAN} {
		longest = max(longest, grantSpan(p.Timing().TTL))
	}
	return longest
}

// margin is m of the profile that has this ttl, or of the next longer one. It is taken from the ttl that travels in the
// Renew and not from the grantor's applied settings, which may be older or newer than the holder's.
func margin(ttl time.Duration) time.Duration {
	for _, p := range [...]fsm.Profile{fsm.Fast, fsm.LAN} {
		if t := p.Timing(); ttl <= t.TTL {
			return t.Margin
		}
	}
	return fsm.WAN.Timing().Margin
}

// deadline is until when a Renew sent at s with ttl lets its sender hold, once a majority has acknowledged it.
func deadline(s Instant, ttl time.Duration) Instant {
	return Instant{Raw: s.Raw + ttl, Boot: s.Boot + ttl*9/10}
}

// silence is S: how long a grantor hears no Renew with `held` before it suspects. It asks early by twice the time that a
// promise takes to become durable, so that a fence's answers are ready when the grants run out, but never before 0.8·T
// (design §3 “Detection”).
func silence(ttl, promise time.Duration) time.Duration {
	return max(ttl*8/10, ttl-2*promise)
}
