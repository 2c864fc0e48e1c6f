package agent

import (
	"context"
	"time"

	"quorate/fsm"
)

// holdRetry is how long it is to the next try of what needs a quorum.
const holdRetry = time.Second

// confirmHolds tells the cluster, as long as it asks, that this node does not hold without a quorum what was taken from it.
func (a *Agent) confirmHolds(ctx context.Context, act *actuator) error {
	for {
		changed := a.node.Changed()
		s := a.node.State()
		wait := time.Hour
		if ended := s.HoldsEnded(a.o.Name); ended > 0 {
			wait = holdRetry / 10
			c := act.status.Load()
			if c != nil && c.index >= ended && len(c.claims(s, a.o.Name)) == 0 {
				limit, cancel := context.WithTimeout(ctx, 5*time.Second)
				_, err := a.node.Propose(limit, fsm.Command{Actor: string(a.o.Name),
					HoldOff: &fsm.HoldOff{Node: a.o.Name, Epoch: s.Nodes[a.o.Name].Epoch, Index: c.index}})
				cancel()
				if wait = holdRetry; err != nil && ctx.Err() == nil {
					a.log.Debug("the cluster does not know yet that this node holds nothing", "err", err)
				}
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}
