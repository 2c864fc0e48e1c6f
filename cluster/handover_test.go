package cluster

import (
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// server is how Raft knows the node.
func (x *simNode) server() raft.ServerID { return x.current.Load().consensus.self }

// The leadership goes around while clients write. Nobody is told that something is uncertain: what was asked for is finished
// before the successor is told.
func TestSimHandOver(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		var writers sync.WaitGroup
		over := make(chan struct{})
		for _, x := range c.nodes {
			writers.Go(func() {
				for !isReady(over) {
					if _, err := x.Propose(c.within(5*time.Second), note("x")); err != nil {
						c.t.Errorf("%s: %v", x.name, err)
					}
				}
			})
		}
		for range 10 {
			from := c.leader()
			to := c.other(from)
			m := from.current.Load()
			begin := time.Now()
			if err := m.transfer(c.within(5*time.Second), to.server(), "test"); err != nil {
				c.t.Fatal(err)
			}
			c.until(time.Second, "the successor leads", func() bool { return to.current.Load().consensus.leading() })
			if took := time.Since(begin); took > 20*time.Millisecond {
				c.t.Errorf("handing over took %v", took)
			}
		}
		close(over)
		writers.Wait()
	})
}

// A successor whose disk hangs is tried twice, and then the leadership is lost while entries are still on their way to it.
// The node that tried must be able to lead again.
func TestSimHandOverTwiceInVain(t *testing.T) {
	simulate(t, 5, func(c *simCluster) {
		c.form()
		first := c.leader()
		to := c.other(first)
		m := first.current.Load()
		gate := make(chan struct{})
		open := sync.OnceFunc(func() { close(gate) })
		defer open()
		to.current.Load().consensus.stores.Log.(*slowLog).hang(gate)
		if _, err := first.Propose(c.within(5*time.Second), note("hangs there")); err != nil {
			c.t.Fatal(err)
		}
		for range 2 {
			err := m.transfer(c.within(5*time.Second), to.server(), "test")
			wantText(c.t, err, string(to.name))
		}
		for _, x := range c.nodes {
			if x != first && x != to {
				c.net.Cut(first.ip, x.ip)
				c.net.Cut(x.ip, first.ip)
			}
		}
		c.until(time.Second, "the leadership is lost", func() bool { return !m.consensus.leading() })
		open()
		c.leader(first)
		c.net.Heal()
		next := c.leader()
		if next == first {
			c.t.Fatal("it leads already")
		}
		c.until(10*time.Second, "it has caught up", func() bool { return first.State().Index >= next.State().Index })
		x := next.current.Load()
		if err := x.transfer(c.within(5*time.Second), first.server(), "test"); err != nil {
			c.t.Fatal(err)
		}
		c.until(10*time.Second, "it leads again", func() bool { return m.consensus.leading() })
		if _, err := first.Propose(c.within(5*time.Second), note("again")); err != nil {
			c.t.Error(err)
		}
	})
}

// A leader whose agent ends has a successor before it is gone; one that does not lead has nothing to hand over.
func TestSimResign(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		lead := c.leader()
		f := c.other(lead)
		if err := f.Resign(c.within(time.Second)); err != nil || c.leader() != lead {
			c.t.Errorf("a follower resigned: %v", err)
		}
		f.Lease().Ending(true)
		c.until(time.Second, "the leader has heard that", func() bool { return lead.Lease().Hints().Ending[f.name] })
		begin := time.Now()
		if err := lead.Resign(c.within(time.Second)); err != nil {
			c.t.Fatal(err)
		}
		next := c.leader()
		if took := time.Since(begin); next == lead || next == f || took > 20*time.Millisecond {
			c.t.Errorf("after %s resigned, %s leads, %v later; %s is about to end", lead.name, next.name, took, f.name)
		}
		if _, err := lead.Propose(c.within(time.Second), note("forwarded")); err != nil {
			c.t.Error(err)
		}
	})
}

// The only node of a cluster has nobody to hand over to, and leads to its end.
func TestSimResignAlone(t *testing.T) {
	simulate(t, 1, func(c *simCluster) {
		c.form()
		lead := c.leader()
		if err := lead.Resign(c.within(time.Second)); err != nil {
			c.t.Error(err)
		}
		if _, err := lead.Propose(c.within(time.Second), note("still leads")); err != nil {
			c.t.Error(err)
		}
	})
}
