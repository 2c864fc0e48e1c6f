package fsm_test

import (
	"fmt"
	"net/netip"

	"quorate/fsm"
)

// A leader plans, commits the decisions, and the owner finds in the state what it has to carry out.
func Example() {
	links := []fsm.Link{{Name: "eth0", Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}}
	node := fsm.Node{ID: "n1", Store: "8f1c", Addr: "192.0.2.1:7300", Weight: 1, Facts: fsm.Facts{Schema: 1, Links: links}}
	config := fsm.Config{VIPs: map[string]fsm.VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}}}

	s := fsm.New()
	for _, c := range []fsm.Command{
		{Init: &fsm.Init{ClusterID: "c1", Node: node}},
		{Configure: &fsm.Configure{Config: config}},
	} {
		var res fsm.Result
		if s, res = s.Apply(s.Index+1, c); res.Err != nil {
			fmt.Println(res.Err)
		}
	}
	decisions, _ := fsm.Plan(s, fsm.Hints{Able: map[fsm.NodeID]bool{"n1": true}})
	s, _ = s.Apply(s.Index+1, fsm.Command{Decide: &decisions})

	for _, v := range fsm.LocalOf(s, "n1").VIPs {
		fmt.Println(v.VIP.Address, "on", v.Link)
	}
	fmt.Println(s.Events[len(s.Events)-1].Text)
	// Output:
	// 192.0.2.10/24 on eth0
	// web (192.0.2.10): n1: n1 is the only node that is able
}
