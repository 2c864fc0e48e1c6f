package agent

import (
	"time"

	"quorate/fsm"
)

// maxHintGap is how rare hints become, in intervals of the server's checks, when traffic goes on to make a server suspect that the probes find well.
const maxHintGap = 4

// hintRate bounds how often probes of a server are asked for out of turn: at most once in a fifth of their interval. Each hint that follows another one doubles the time to
// the next, since the one before has changed nothing; a while without suspicion, or a verdict, begins anew.
type hintRate map[fsm.ServerKey]hinted

type hinted struct {
	at    time.Time
	gap   time.Duration // until the next
	quiet time.Duration // and for so long after that nobody must have asked, to begin anew
}

// allow reports whether probes may be asked for now, of a server that is checked every interval, and takes it that they are.
func (r hintRate) allow(server fsm.ServerKey, interval time.Duration, now time.Time) bool {
	gap := interval / 5
	if last, known := r[server]; known {
		if now.Sub(last.at) < last.gap {
			return false
		}
		if now.Sub(last.at) < last.gap+last.quiet {
			gap = min(2*last.gap, maxHintGap*interval)
		}
	}
	r[server] = hinted{at: now, gap: gap, quiet: interval}
	return true
}

// keep forgets the servers that need not be asked for any more.
func (r hintRate) keep(needed func(fsm.ServerKey) bool) {
	for k := range r {
		if !needed(k) {
			delete(r, k)
		}
	}
}
