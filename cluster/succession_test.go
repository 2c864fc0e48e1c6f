package cluster

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// fast gives the cluster the profile of that name and VIPs, some of which the leader owns.
func (c *simCluster) fast() *simNode {
	c.t.Helper()
	cfg := vips(2 * len(c.nodes))
	cfg.Settings.Profile = fsm.Fast
	configure(c.t, c.nodes[0].testNode, cfg)
	time.Sleep(5 * time.Second) // Raft begins again with the profile's timeouts
	c.owned(10 * time.Second)
	l := c.leader()
	if len(l.State().Owned(l.name)) == 0 {
		c.t.Fatal("the leader owns nothing")
	}
	return l
}

// TestSimLeaderAndOwnerLost: where the lease is shorter than Raft's timeouts, an owner that leads is replaced in twice the time at most that one
// takes that does not.
func TestSimLeaderAndOwnerLost(t *testing.T) {
	for _, n := range []int{3, 5} {
		var alone, both time.Duration
		for range 3 {
			simulate(t, n, func(c *simCluster) {
				c.form()
				l := c.fast()
				x := c.other(l)
				c.net.Isolate(x.ip)
				alone = max(alone, c.rid(l, x.name, time.Second))
			})
			simulate(t, n, func(c *simCluster) {
				c.form()
				l := c.fast()
				term := c.term(c.other(l))
				c.net.Isolate(l.ip)
				other := c.other(l)
				both = max(both, c.rid(other, l.name, time.Second))
				c.leader(l)
				if now := c.term(other); now != term+1 {
					t.Errorf("%d nodes: after term %d came %d: candidates were in each other's way", n, term, now)
				}
			})
		}
		t.Logf("%d nodes: an owner %v, an owner that leads %v", n, alone, both)
		if both > 2*alone {
			t.Errorf("%d nodes: an owner was replaced within %v, one that leads within %v", n, alone, both)
		}
	}
}

func (c *simCluster) term(x *simNode) uint64 {
	r := x.current.Load().consensus.raft.Load()
	if r == nil {
		c.t.Fatal("no Raft runs")
	}
	return r.CurrentTerm()
}

// TestSimNextInTurnIsLostToo: the one that is to stand first is gone with the leader.
func TestSimNextInTurnIsLostToo(t *testing.T) {
	simulate(t, 5, func(c *simCluster) {
		c.form()
		l := c.fast()
		members := l.State().Grantors.Members
		var next *simNode
		for _, g := range members {
			if g.Node != l.name {
				next = c.named(g.Node)
				break
			}
		}
		c.net.Isolate(l.ip)
		c.net.Isolate(next.ip)
		if took := c.rid(c.other(l, next), l.name, time.Second); took > 100*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func (c *simCluster) named(id fsm.NodeID) *simNode {
	for _, x := range c.nodes {
		if x.name == id {
			return x
		}
	}
	c.t.Fatalf("no node %s", id)
	return nil
}

// TestSimHeardLeaderStays: a leader whose lease has ended, but which Raft hears, loses its VIPs and not its office.
func TestSimHeardLeaderStays(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		l := c.fast()
		term := c.term(l)
		l.mute.Store(true)
		c.rid(c.other(l), l.name, 2*time.Second)
		time.Sleep(time.Second)
		if now := c.leader(); now != l || c.term(l) != term {
			t.Errorf("%s led term %d, %s leads term %d", l.name, term, now.name, c.term(now))
		}
	})
}

// TestOnlyWhoMissesTheLeaderStands: what has changed while a candidate waited for its turn is seen.
func TestOnlyWhoMissesTheLeaderStands(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		l := c.fast()
		x := c.other(l)
		con := x.current.Load().consensus
		term := c.term(x)
		for _, e := range []lease.LeaderSilent{{Leader: l.name}, {Leader: x.name}, {Leader: "n9"}, {Leader: l.name, Turn: 3}} {
			con.succeed(c.within(time.Second), e)
			l.current.Load().consensus.succeed(c.within(time.Second), e)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		con.succeed(ctx, lease.LeaderSilent{Leader: l.name, Turn: 1})
		synctest.Wait()
		if now := c.term(x); now != term || con.raft.Load().State() != raft.Follower || c.leader() != l {
			t.Errorf("it stood against a leader that it hears: term %d, then %d", term, now)
		}
	})
}
