package cluster

import (
	"testing"
	"time"

	"quorate/fsm"
)

// Two directors and a witness: the loss of either director moves its VIPs to the other, that of the witness moves nothing.
func TestSimWitness(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		w := c.nodes[2]
		w.halt()
		w.role = fsm.Witness
		w.boot()
		c.form()
		configure(c.t, w.testNode, vips(4))
		c.owned(10 * time.Second)
		for _, x := range c.nodes[:2] {
			other := c.nodes[0]
			if x == other {
				other = c.nodes[1]
			}
			x.crash()
			c.rid(other, x.name, 5*time.Second)
			if got := len(other.State().Owned(other.name)); got != 4 {
				c.t.Errorf("%s owns %d of 4 VIPs without %s", other.name, got, x.name)
			}
			x.boot()
			c.until(30*time.Second, "it is back", func() bool { return isReady(x.Ready()) && !other.State().Nodes[x.name].Flap.Away })
		}
		s := c.nodes[0].State()
		if n := s.Nodes[w.name]; n.Role != fsm.Witness || grantors(s) != 3 || len(s.Owned(w.name)) != 0 {
			c.t.Errorf("the witness is %+v, grantors %v", n, s.Grantors)
		}
		w.crash()
		time.Sleep(10 * time.Second)
		now := c.nodes[0].State()
		for k, a := range s.Assignments {
			if b := now.Assignments[k]; b.Owner != a.Owner || b.Epoch != a.Epoch {
				c.t.Errorf("%s was moved by the loss of the witness: %+v, then %+v", k, a, b)
			}
		}
		for _, x := range c.nodes[:2] {
			if !x.Lease().Live(now.Nodes[x.name].Epoch) {
				c.t.Errorf("%s has no lease without the witness", x.name)
			}
		}
		if _, err := c.nodes[1].Propose(c.within(5*time.Second), note("x")); err != nil {
			c.t.Error(err)
		}
	})
}
