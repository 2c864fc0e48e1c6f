package cluster

import (
	"testing"
	"time"

	"quorate/fsm"
)

func TestFormThree(t *testing.T) {
	begin := time.Now()
	nodes, _ := form(t, 3)
	t.Logf("three voters after %v", time.Since(begin))
	for _, n := range nodes {
		until(t, 10*time.Second, "three grantors at "+string(n.opts.Name), func() bool { return grantors(n.State()) == 3 })
	}
	t.Logf("three grantors after %v", time.Since(begin))
	reconfigure(t, nodes[2], vips(2))
	until(t, 10*time.Second, "owners", func() bool { return len(nodes[0].State().Assignments) == 2 && allOwned(nodes[0].State()) })
	t.Logf("VIPs owned after %v", time.Since(begin))
	owners := map[fsm.NodeID]int{}
	for _, a := range nodes[0].State().Assignments {
		owners[a.Owner]++
	}
	if len(owners) != 2 {
		t.Errorf("VIPs on %v, want two nodes", owners)
	}
}
