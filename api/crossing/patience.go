package crossing

import (
	"time"

	"quorate/api"
)

// What a step may take besides the timers of others. While a giveback waits in vain, nobody has the VIPs.
const (
	takeoverMargin = 30 * time.Second
	givebackMargin = 15 * time.Second
)

// Patience is how long a step may take. A router that has fallen silent before us counts as silent only when its Master_Down_Interval is over; and what preempt_delay leaves
// it comes before. One that was told that we stop takes over after its Skew_Time; if that advert was lost it is better to have the VIPs back than to wait on without anybody.
func Patience(w Way, s api.Sight) time.Duration {
	var down, delay, skew time.Duration
	for _, r := range s.Routers {
		down, skew = max(down, time.Duration(r.DownMS)*time.Millisecond), max(skew, time.Duration(r.SkewMS)*time.Millisecond)
		for _, n := range s.Nodes {
			h, ok := router(n, r.Name)
			if !ok {
				continue
			}
			for _, x := range h.Heard {
				if x.Role == "listed" && x.Active {
					down = max(down, time.Duration(x.DownMS)*time.Millisecond)
				}
			}
			delay = max(delay, delayed(r, h))
		}
	}
	if w == Giveback {
		return givebackMargin + skew
	}
	return takeoverMargin + down + delay
}

// delayed is for how much longer preempt_delay leaves a peer what it has, as a node hears it.
func delayed(r api.RouterAside, h api.HeardRouter) time.Duration {
	if r.PreemptDelayMS == 0 || h.ActiveMS == 0 {
		return 0
	}
	return max(0, time.Duration(r.PreemptDelayMS-h.ActiveMS)*time.Millisecond)
}
