package crossing

import (
	"time"

	"quorate/api"
)

// Patience is how long a step may take by the timers of the routers outside the cluster, however quick the cluster is: a router that has fallen silent counts as silent
// only when its Master_Down_Interval is over, and one that heard no last word takes over only then. What preempt_delay leaves such a router comes before a takeover.
func Patience(w Way, s api.Sight) time.Duration {
	var down, delay time.Duration
	for _, r := range s.Routers {
		down = max(down, time.Duration(r.DownMS)*time.Millisecond)
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
			if w == Takeover {
				delay = max(delay, delayed(r, h))
			}
		}
	}
	return down + delay
}

// delayed is for how much longer preempt_delay leaves a peer what it has, as a node hears it.
func delayed(r api.RouterAside, h api.HeardRouter) time.Duration {
	if r.PreemptDelayMS == 0 || h.ActiveMS == 0 {
		return 0
	}
	return max(0, time.Duration(r.PreemptDelayMS-h.ActiveMS)*time.Millisecond)
}
