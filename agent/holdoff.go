package agent

import (
	"context"
	"path/filepath"
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

// holdsChanged takes news of what is held without a quorum; it is called by the actuator, and does not block.
func (a *Agent) holdsChanged(n holdNews) {
	a.log.Error(n.Text, "vip", n.VIP)
	n.Cluster = a.node.State().ClusterID
	select {
	case a.holdNews <- n:
	default:
		a.log.Warn("too much has happened without a quorum to keep it for the timeline", "text", n.Text)
	}
}

// chronicle keeps what has happened without a quorum until it is in the timeline.
func (a *Agent) chronicle(ctx context.Context) error {
	keep := func(err error) {
		if err != nil {
			a.log.Warn("what happened without a quorum is kept in memory alone", "reason", err)
		}
	}
	u, err := openUnwritten(filepath.Join(a.o.DataDir, unwrittenFile))
	keep(err)
	retry := time.NewTicker(holdRetry)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n := <-a.holdNews:
			keep(u.add(n))
			continue
		case <-retry.C:
		}
		for len(u.news) > 0 && a.actuator.Load() != nil {
			n := u.news[0]
			if n.Cluster != a.node.State().ClusterID { // this node has left it
				keep(u.done())
				continue
			}
			limit, cancel := context.WithTimeout(ctx, 5*time.Second)
			_, err := a.node.Propose(limit, fsm.Command{Actor: string(a.o.Name),
				Record: &fsm.Record{Event: fsm.Event{Kind: fsm.EventReported, Node: a.o.Name, VIP: n.VIP, Text: n.Text}}})
			cancel()
			if err != nil {
				break
			}
			keep(u.done())
		}
	}
}
