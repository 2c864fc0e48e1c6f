package api

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"quorate/fsm"
)

// TestVIPState: what is agreed, what the kernels have and who answers, to a state and the words beside it.
func TestVIPState(t *testing.T) {
	addr := netip.MustParsePrefix("192.0.2.10/24")
	key := fsm.AddressKey{Addr: addr.Addr()}
	has := report{status: NodeStatus{Node: "x", Lease: Lease{Held: true}, Addresses: []Address{{Prefix: addr, Wanted: true, Present: true}}}}
	has2 := report{status: NodeStatus{Node: "x", Lease: Lease{Held: true}, Addresses: []Address{{Prefix: addr, Network: "dmz", Present: true}}}}
	not := report{status: NodeStatus{Node: "x", Lease: Lease{Held: true}}}
	noLease := report{status: NodeStatus{Node: "x"}}
	complains := report{status: NodeStatus{Node: "x", Lease: Lease{Held: true}, Addresses: []Address{{Prefix: addr, Wanted: true, Present: true, Problem: "removed by another program 9 times"}}}}
	silent := report{err: errors.New("no answer")}
	for _, c := range []struct {
		name       string
		owner      fsm.NodeID
		release    *fsm.Release
		configured bool
		reports    reports
		want       VIPState
		says       string // part of the problem; "" = none
	}{
		{"held", "n1", nil, true, reports{"n1": has, "n2": not}, VIPHeld, ""},
		{"the same address on another network", "n1", nil, true, reports{"n1": has, "n2": has2}, VIPHeld, ""},
		{"nobody", "", nil, true, reports{"n1": not}, VIPUnowned, "nobody owns it"},
		{"the owner is silent", "n1", nil, true, reports{"n1": silent, "n2": not}, VIPUnknown, "n1 owns it and does not answer"},
		{"nobody was asked", "n1", nil, true, reports{}, VIPUnknown, "does not answer"},
		{"not up yet", "n1", nil, true, reports{"n1": not}, VIPMissing, "does not have it on an interface"},
		{"no lease", "n1", nil, true, reports{"n1": noLease}, VIPMissing, "holds no lease"},
		{"asked to give up", "n1", &fsm.Release{Index: 7, To: "n2"}, true, reports{"n1": has}, VIPMoving, ""},
		{"two have it", "n1", nil, true, reports{"n1": has, "n2": has}, VIPDuplicate, "n1, n2"},
		{"leftover", "n1", &fsm.Release{Index: 7}, false, reports{"n1": has}, VIPReleasing, "no longer configured"},
		{"the node complains", "n1", nil, true, reports{"n1": complains}, VIPHeld, "n1: removed by another program"},
	} {
		st := fsm.New()
		st.Config.VIPs = map[string]fsm.VIP{}
		if c.configured {
			st.Config.VIPs["web"] = fsm.VIP{Name: "web", Address: addr}
		}
		st.Assignments = map[fsm.AddressKey]fsm.Assignment{key: {Key: key, VIP: "web", Owner: c.owner, Epoch: 5, Release: c.release}}
		got := vipsOf(st, c.reports)
		if len(got) != 1 {
			t.Errorf("%s: %d VIPs", c.name, len(got))
			continue
		}
		if got[0].State != c.want || !strings.Contains(got[0].Problem, c.says) || c.says == "" && got[0].Problem != "" {
			t.Errorf("%s: %s, %q; want %s, %q", c.name, got[0].State, got[0].Problem, c.want, c.says)
		}
	}
}
