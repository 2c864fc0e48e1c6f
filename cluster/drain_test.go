package cluster

import (
	"net/netip"
	"testing"
	"time"

	"quorate/fsm"
)

// The limit of a drain is agreed: it ends a drain at the same time though the leader that stamped it is gone, and the whole cluster was off
// for a while.
func TestSimDrainLimit(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		leader := c.leader()
		c.until(10*time.Second, "the newest schema", func() bool { return leader.State().Schema == fsm.MaxSchema })
		configure(c.t, c.nodes[0].testNode, balanced())
		drained := fsm.ServerKey{Service: "web", Address: netip.MustParseAddrPort("10.1.0.2:80")}
		limit := time.Minute
		if _, err := leader.Propose(c.within(10*time.Second), fsm.Command{Actor: "test", SetAdmin: &fsm.SetAdmin{Server: drained, Admin: fsm.Drain, Timeout: &limit}}); err != nil {
			c.t.Fatal(err)
		}
		began := time.Now()
		time.Sleep(limit / 4)
		leader.crash()
		time.Sleep(limit / 4)
		for _, x := range c.nodes {
			x.halt()
		}
		time.Sleep(limit / 8)
		for _, x := range c.nodes {
			x.boot()
		}
		at := func(a fsm.Admin) func() bool {
			return func() bool {
				for _, x := range c.nodes {
					if x.State().Servers[drained].Admin != a {
						return false
					}
				}
				return true
			}
		}
		c.until(20*time.Second, "all know of the drain", at(fsm.Drain))
		c.until(limit, "it has ended", at(fsm.Disabled))
		took := time.Since(began)
		c.t.Logf("it ended after %v", took)
		if took < limit || took > limit+2*time.Second {
			c.t.Errorf("a drain of %v ended after %v", limit, took)
		}
		if st := c.nodes[0].State().Servers[drained]; st.Why != fsm.ReasonTimeout {
			c.t.Errorf("%+v", st)
		}
	})
}
