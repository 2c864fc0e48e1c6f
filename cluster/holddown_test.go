package cluster

import (
	"testing"
	"time"

	"quorate/fsm"
)

// A preferred node that failed and is back gets its VIP after the hold-down, counted from its return, though the leader is
// another one by then: the time of its return is agreed.
func TestSimHoldDown(t *testing.T) {
	simulate(t, 5, func(c *simCluster) {
		c.form()
		const hold = 20 * time.Second
		cfg := vips(1)
		cfg.Settings.HoldDown = hold
		leader := c.leader()
		first := c.other(leader)
		for name, v := range cfg.VIPs {
			v.Prefer, v.Preempt = []fsm.NodeID{first.name}, true
			cfg.VIPs[name] = v
		}
		configure(c.t, c.nodes[0].testNode, cfg)
		c.until(10*time.Second, "the preferred node has it", func() bool { return len(leader.State().Owned(first.name)) == 1 })
		first.crash()
		c.rid(leader, first.name, 5*time.Second)
		if f := leader.State().Nodes[first.name].Flap; f.Count != 1 || !f.Away {
			c.t.Fatalf("after the fence: %+v", f)
		}
		first.boot()
		c.until(10*time.Second, "the return is agreed", func() bool { return !leader.State().Nodes[first.name].Flap.Away })
		back := time.Now()
		time.Sleep(hold / 2)
		other := c.other(leader, first)
		leader.crash()
		c.until(3*hold, "the preferred node has it again", func() bool { return len(other.State().Owned(first.name)) == 1 })
		took := time.Since(back)
		c.t.Logf("it moved back %v after the return", took)
		if took < hold || took > hold+3*time.Second {
			c.t.Errorf("it moved back %v after the return, with a hold-down of %v", took, hold)
		}
	})
}
