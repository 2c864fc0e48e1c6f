package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// beatOf is how often a leader sends heartbeats: more than twice in the time that a follower waits for, at the least, before it elects
// another. Between nodes that are far from each other the way takes its part of that time.
func beatOf(p fsm.Profile) time.Duration {
	t := p.Timing().Raft
	if p == fsm.WAN {
		return t * 38 / 100
	}
	return t * 48 / 100
}

// pace sets Raft's own interval of heartbeats, a tenth to a fifth of its heartbeat timeout. A leader gets one of just more than beat's to
// twice that, so that it is there should beat be held up, and the followers hear it in time; everybody else the profile's timeouts. A leader waits
// for nobody's heartbeats.
func pace(r *raft.Raft, p fsm.Profile, leading bool) error {
	c := r.ReloadableConfig()
	c.HeartbeatTimeout = p.Timing().Raft
	if leading {
		c.HeartbeatTimeout = beatOf(p) * 101 / 10
	}
	c.ElectionTimeout = c.HeartbeatTimeout
	return r.ReloadConfig(c)
}

// beat sends heartbeats to all followers at once until ctx ends, or Raft has failed.
//
// By itself Raft sends them to each follower at random times, and wakes up for each; here a leader wakes once for all. Asking Raft to verify
// that it leads makes it send them. What it finds out by that is not used: DESIGN.md says why, under Reads.
//
// The question goes through Raft's main goroutine. While that waits for the disk, or the answers for a slow quorum, Raft's own interval takes
// over (pace). There is never more than one question: in 1.7.3 the answers to 64 that nobody has read block all heartbeats, and
// one that is not answered when Raft is shut down is never answered. So Raft may be shut down only when beat has returned.
func beat(ctx context.Context, r *raft.Raft, every time.Duration, failed <-chan struct{}) {
	t := time.NewTicker(every)
	defer t.Stop()
	answered := make(chan error, 1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		go func() { answered <- r.VerifyLeader().Error() }()
		select {
		case <-answered:
		case <-failed: // Raft's main goroutine may be gone, see termGuard
			return
		}
	}
}
