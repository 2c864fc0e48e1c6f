package agent

import (
	"context"
	"time"

	"quorate/cluster"
	"quorate/fsm"
)

// Bounds of a [Agent.yield], and of what follows it.
const (
	yieldLimit  = 10 * time.Second
	yieldNotice = time.Second // for the leader to begin; an election may be under way
	yieldPoll   = 20 * time.Millisecond
	resignLimit = 2 * time.Second
)

// yield is what a node does before it ends or leaves: it asks the leader to give its VIPs to others, by planned moves, and waits
// until it owns nothing and nothing of it lingers. It waits in vain for yieldNotice at most when nobody can have them, and
// for yieldLimit at most. What is left after that is fenced, as that of a node that failed. The returned function takes
// the word back.
func (a *Agent) yield(ctx context.Context) (stay func()) {
	service := a.node.Lease()
	if service == nil {
		return func() {}
	}
	service.Ending(true) // also where there is nothing to hand over: nothing is to be given to it
	stay = func() {
		a.untaken.Store(false)
		service.Ending(false)
	}
	if !a.mayYield(a.node.State()) {
		return stay
	}
	began := time.Now()
	leader, led := a.node.Leader()
	var lost time.Time // since when that one leads no more
	owned := len(a.node.State().Owned(a.o.Name))
	a.log.Info("handing over", "vips", owned)
	for progress := began; time.Since(began) < yieldLimit; {
		changed, s := a.node.Changed(), a.node.State()
		if now, ok := a.node.Leader(); lost.IsZero() && (!ok || now != leader) {
			lost = time.Now()
		}
		if !a.mayYield(s) {
			break
		}
		if moving(s, a.o.Name) || a.lingering() {
			progress = time.Now()
		} else if len(s.Owned(a.o.Name)) == 0 || time.Since(progress) > yieldNotice {
			break
		}
		select {
		case <-ctx.Done():
			return stay
		case <-changed:
		case <-time.After(yieldPoll):
		}
	}
	if left := len(a.node.State().Owned(a.o.Name)); left > 0 {
		if lost.IsZero() {
			lost = time.Now()
		}
		a.untaken.Store(led && isUntaken(lost.Sub(began), moving(a.node.State(), a.o.Name)))
		a.log.Warn("not everything was handed over: the rest goes by fence", "vips", left, "took", time.Since(began).Round(time.Millisecond))
	} else {
		a.log.Info("handed over", "vips", owned, "took", time.Since(began).Round(time.Millisecond))
	}
	return stay
}

// isUntaken reports whether a leader that led for so long since it was asked has given to nobody what this node has: nobody is to have it. A leader of a moment may not have come to it.
func isUntaken(led time.Duration, moving bool) bool { return led >= yieldNotice/2 && !moving }

// resign hands the leadership over, so that the others need not find out first that it is vacant.
func (a *Agent) resign(ctx context.Context) {
	limit, cancel := context.WithTimeout(ctx, resignLimit)
	defer cancel()
	if err := a.node.Resign(limit); err != nil {
		a.log.Info("the others will elect a leader once they miss this one", "reason", err)
	}
}

// mayYield reports whether this node has something that another could take over: it owns or lingers, holds its lease, and is
// not the only director.
func (a *Agent) mayYield(s *fsm.State) bool {
	service := a.node.Lease()
	if service == nil || !service.Live(s.Nodes[a.o.Name].Epoch) {
		return false
	}
	if len(s.Owned(a.o.Name)) == 0 {
		return a.lingering()
	}
	for id, n := range s.Nodes {
		if id != a.o.Name && n.Role == fsm.Director && !n.Draining && !n.Leaving {
			return true
		}
	}
	return false
}

// others are the nodes that live on when this one has ended, and have a quorum then; empty if they have none, nil if nobody can say. A node that died is
// among them for some seconds; one that ends in the same moment would be, but the leader, which knows, has given it nothing.
func (a *Agent) others() map[fsm.NodeID]bool {
	return survivors(a.node.Members(), a.untaken.Load())
}

// survivors are those of others, by what gossip says of the members; untaken says that they were given the VIPs in vain.
func survivors(members []cluster.Member, untaken bool) map[fsm.NodeID]bool {
	if untaken {
		return map[fsm.NodeID]bool{}
	}
	voters, alive, out := 0, 0, map[fsm.NodeID]bool{}
	for _, m := range members {
		if m.Voter {
			voters++
		}
		if m.Self || !m.Alive {
			continue
		}
		out[m.ID] = true
		if m.Voter {
			alive++
		}
	}
	if voters == 0 { // nothing is known, or the log is closed already, as this node ends
		return nil
	}
	if alive <= voters/2 {
		return map[fsm.NodeID]bool{}
	}
	return out
}

// moving reports whether one of the node's VIPs is being released.
func moving(s *fsm.State, self fsm.NodeID) bool {
	for _, a := range s.Assignments {
		if a.Owner == self && a.Release != nil {
			return true
		}
	}
	return false
}

// lingering reports whether this node still takes packets for an address that it has handed over.
func (a *Agent) lingering() bool {
	act := a.actuator.Load()
	if act == nil {
		return false
	}
	c := act.status.Load()
	if c == nil {
		return false
	}
	for _, x := range c.addresses.Addresses {
		if x.Lingers && x.Actual {
			return true
		}
	}
	return false
}
