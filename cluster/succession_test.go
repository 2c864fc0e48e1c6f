package cluster

import (
	"context"
	"slices"
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
	for _, x := range c.nodes {
		c.until(5*time.Second, "Raft runs with the profile's timeouts", func() bool { return *x.current.Load().consensus.running.Load() == fsm.Fast })
	}
	// Of virtual time. What was granted under the longer lease is good for as long: a node that is lost before that counts as reached, is fenced
	// that much later, and a leader that stopped counting it earlier hands over to one that has not.
	time.Sleep(5 * time.Second)
	c.owned(10 * time.Second)
	l := c.leader()
	if len(l.State().Owned(l.name)) == 0 {
		c.t.Fatal("the leader owns nothing")
	}
	return l
}

// TestSimLeaderAndOwnerLost: where the lease is shorter than Raft's timeouts, an owner that leads is replaced as soon as one that does not, and in
// twice the time where the first in turn has begun to ask for a pre-vote by itself. That of two in turn, who then wait for Raft's timeouts, is rare.
func TestSimLeaderAndOwnerLost(t *testing.T) {
	for _, n := range []int{3, 5} {
		var alone, both []time.Duration
		for range 5 {
			simulate(t, n, func(c *simCluster) {
				c.form()
				l := c.fast()
				x := c.other(l)
				c.net.Isolate(x.ip)
				alone = append(alone, c.rid(l, x.name, time.Second))
			})
			simulate(t, n, func(c *simCluster) {
				c.form()
				l := c.fast()
				c.net.Isolate(l.ip)
				both = append(both, c.rid(c.other(l), l.name, time.Second))
			})
		}
		t.Logf("%d nodes: an owner %v, an owner that leads %v", n, alone, both)
		slices.Sort(both)
		if least, most := both[0], both[len(both)-2]; least > slices.Max(alone)+5*time.Millisecond || most > 2*slices.Max(alone) {
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

// next is the node that is to stand first when the leader is silent.
func (c *simCluster) next(leader *simNode) *simNode {
	for _, g := range leader.State().Grantors.Members {
		if g.Node != leader.name {
			return c.named(g.Node)
		}
	}
	c.t.Fatal("the leader alone grants leases")
	return nil
}

// TestSimNextInTurnCannotLead: the one that is to stand first is gone with the leader, or lacks an entry, or its disk hangs; when it is back, it lets
// the leader be that was elected meanwhile.
func TestSimNextInTurnCannotLead(t *testing.T) {
	for name, x := range map[string]struct {
		nodes int
		lame  func(c *simCluster, leader, next *simNode) (cure func())
	}{
		"lost": {5, func(c *simCluster, _, next *simNode) func() {
			c.net.Isolate(next.ip)
			return func() { c.net.Heal() }
		}},
		"an entry behind": {3, func(c *simCluster, leader, next *simNode) func() {
			c.net.Isolate(next.ip)
			if _, err := leader.Propose(c.within(time.Second), note("missed")); err != nil {
				c.t.Fatal(err)
			}
			c.net.Heal()
			return func() {}
		}},
		"its disk hangs": {5, func(c *simCluster, leader, next *simNode) func() {
			gate := make(chan struct{})
			disk := next.current.Load().stores.Log.(*slowLog)
			disk.hang(gate)
			if _, err := leader.Propose(c.within(time.Second), note("stuck")); err != nil {
				c.t.Fatal(err)
			}
			c.until(time.Second, "its disk hangs", disk.hung.Load)
			return func() { close(gate) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var took []time.Duration
			for range 5 {
				simulate(t, x.nodes, func(c *simCluster) {
					c.form()
					l := c.fast()
					next := c.next(l)
					cure := x.lame(c, l, next)
					c.net.Isolate(l.ip)
					other := c.other(l, next)
					took = append(took, c.rid(other, l.name, time.Second))
					term := c.term(other)
					cure()
					c.net.Isolate(l.ip) // as before
					time.Sleep(time.Second)
					if now := c.term(other); now != term {
						t.Errorf("the leader of term %d was deposed, the term is %d", term, now)
					}
					c.net.Heal()
				})
			}
			if least := slices.Min(took); least > fsm.Fast.Timing().TTL+candidacy(fsm.Fast)+5*time.Millisecond {
				t.Errorf("took %v", took)
			}
		})
	}
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

// TestSimRaftIsFaster: where Raft's followers miss a leader before its lease ends, that is what they do.
func TestSimRaftIsFaster(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		l := c.leader()
		x := c.other(l)
		c.net.Isolate(l.ip)
		time.Sleep(fsm.LAN.Timing().Raft * 9 / 10)
		term := c.term(x)
		x.current.Load().consensus.succeed(c.within(time.Second), lease.LeaderSilent{Leader: l.name})
		synctest.Wait()
		if now := c.term(x); now != term {
			t.Errorf("it stood for election: term %d, then %d", term, now)
		}
		c.net.Heal()
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
