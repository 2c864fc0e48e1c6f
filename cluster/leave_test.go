package cluster

import (
	"testing"
	"time"

	"quorate/fsm"
)

// From five nodes to none, the leader first each time: VIPs are handed over, and what is left works on.
func TestSimLeaveOneAfterTheOther(t *testing.T) {
	simulate(t, 5, func(c *simCluster) {
		c.form()
		configure(c.t, c.nodes[0].testNode, vips(4))
		c.owned(10 * time.Second)
		left := map[fsm.NodeID]bool{}
		for n := 4; n >= 1; n-- {
			var gone []*simNode
			for _, x := range c.nodes {
				if left[x.name] {
					gone = append(gone, x)
				}
			}
			x := c.leader(gone...)
			store := x.State().Nodes[x.name].Store
			begin := time.Now()
			if err := x.Leave(c.within(60 * time.Second)); err != nil {
				c.t.Fatalf("leave of the leader %s: %v", x.name, err)
			}
			c.t.Logf("%s left %d nodes after %v", x.name, n, time.Since(begin))
			left[x.name] = true
			rest := c.other(append(gone, x)...)
			s, err := rest.Read(c.within(5 * time.Second))
			if err != nil {
				c.t.Fatalf("read with %d nodes left: %v", n, err)
			}
			if _, still := s.Nodes[x.name]; still || len(s.Nodes) != n || len(s.Grantors.Members) != n {
				c.t.Errorf("after %s left: %d nodes, %d grantors", x.name, len(s.Nodes), len(s.Grantors.Members))
			}
			c.rid(rest, x.name, 10*time.Second)
			wantErr(c.t, x.Leave(c.within(time.Second)), ErrNoMembership)
			if p := x.past; p.Standing != standingLeft || p.Store != store {
				c.t.Errorf("%s remembers %s as %s", x.name, p.Store, p.Standing)
			}
		}
		var last *simNode
		for _, x := range c.nodes {
			if !left[x.name] {
				last = x
			}
		}
		if err := last.Leave(c.within(30 * time.Second)); err != nil {
			c.t.Fatalf("leave of the last node: %v", err)
		}
		if last.State().ClusterID != "" || last.Lease() != nil {
			c.t.Error("the last node still has a state or a lease")
		}
		// The directories can be used again: another cluster, with other stores.
		if _, err := last.Bootstrap(c.within(10 * time.Second)); err != nil {
			c.t.Fatal(err)
		}
	})
}

func TestSimJoinAgainAfterLeaving(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		x := c.nodes[2]
		store := x.State().Nodes["n3"].Store
		if err := x.Leave(c.within(30 * time.Second)); err != nil {
			c.t.Fatal(err)
		}
		if err := x.Join(c.within(20*time.Second), c.nodes[1].ip+":7300", c.token); err != nil {
			c.t.Fatal(err)
		}
		if again := x.State().Nodes["n3"].Store; again == store || again == "" {
			c.t.Errorf("store was %s, is %s", store, again)
		}
		c.until(20*time.Second, "three grantors", func() bool { return grantors(x.State()) == 3 })
	})
}

// A node that is lost is removed; when it comes back it learns that, gives up its membership, and can join as another.
func TestSimRemovedWhileAway(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		configure(c.t, c.nodes[0].testNode, vips(3))
		c.owned(10 * time.Second)
		lost := c.nodes[2]
		lost.crash()
		if err := c.nodes[0].Remove(c.within(60*time.Second), "n3"); err != nil {
			c.t.Fatal(err)
		}
		if err := c.nodes[0].Remove(c.within(time.Second), "n9"); err == nil {
			c.t.Error("removed a node that is none")
		}
		s := c.nodes[0].State()
		if len(s.Nodes) != 2 || len(s.Grantors.Members) != 2 || !allOwned(s) {
			c.t.Errorf("%d nodes, %d grantors", len(s.Nodes), len(s.Grantors.Members))
		}
		lost.boot()
		c.until(30*time.Second, "n3 learns that it was removed", func() bool {
			lost.mu.Lock()
			defer lost.mu.Unlock()
			return lost.past.Standing == standingRemoved
		})
		if err := lost.Join(c.within(20*time.Second), c.nodes[1].ip+":7300", c.token); err != nil {
			c.t.Fatal(err)
		}
		c.owned(20 * time.Second)
	})
}

// The same for one that was only cut off: nobody talks to it any more, so it asks.
func TestSimRemovedWhileCutOff(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		lost := c.nodes[2]
		c.net.Isolate(lost.ip)
		other := c.nodes[0]
		if err := other.Remove(c.within(60*time.Second), "n3"); err != nil {
			c.t.Fatal(err)
		}
		c.net.Heal()
		c.until(60*time.Second, "n3 learns that it was removed", func() bool { return lost.Lease() == nil })
	})
}

func TestSimLeaveNeedsQuorum(t *testing.T) {
	simulate(t, 2, func(c *simCluster) {
		c.form()
		c.nodes[0].crash()
		err := c.nodes[1].Leave(c.within(2 * time.Second))
		wantErr(c.t, err, ErrNoLeader)
	})
}

// A node whose request to join goes nowhere is taken out of that by Leave, and can join elsewhere at once.
func TestSimCandidateGivesUp(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		x := c.joining("10.0.0.9", "10.0.0.77:7300") // where nobody is
		c.until(5*time.Second, "the candidate's membership runs", func() bool { return x.Lease() != nil })
		begin := time.Now()
		if err := x.Leave(c.within(30 * time.Second)); err != nil {
			c.t.Fatal(err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			c.t.Errorf("it took %v", took)
		}
		if x.Lease() != nil || x.past.Standing != standingLeft {
			c.t.Errorf("it is still in a membership, or remembers it as %q", x.past.Standing)
		}
		if err := x.Join(c.within(20*time.Second), c.nodes[1].ip+":7300", c.token); err != nil {
			c.t.Fatal(err)
		}
		c.until(20*time.Second, "four grantors", func() bool { return grantors(c.nodes[0].State()) == 4 })
	})
}

// A node that cannot leave says why: nobody can take its VIPs, or there is no majority.
func TestSimLeaveSaysWhatKeepsIt(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		configure(c.t, c.nodes[0].testNode, vips(1))
		c.owned(10 * time.Second)
		var owner *simNode
		for _, x := range c.nodes {
			if len(c.nodes[0].State().Owned(x.name)) > 0 {
				owner = x
			}
		}
		for _, x := range c.nodes {
			if x != owner {
				drain := fsm.Command{Actor: "test", SetDrain: &fsm.SetDrain{Node: x.name, Draining: true}}
				if _, err := owner.Propose(c.within(5*time.Second), drain); err != nil {
					c.t.Fatal(err)
				}
			}
		}
		err := owner.Leave(c.within(5 * time.Second))
		for _, x := range c.nodes {
			if x != owner {
				wantText(c.t, err, "still owns 192.0.2.", "no other node is able", string(x.name)+" is draining")
				c.net.Isolate(x.ip)
			}
		}
		c.until(10*time.Second, "nobody leads", func() bool { _, led := owner.Leader(); return !led })
		wantText(c.t, owner.Leave(c.within(5*time.Second)), "cannot leave", "leader")
	})
}
