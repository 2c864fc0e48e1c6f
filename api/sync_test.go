package api

import (
	"slices"
	"testing"

	"quorate/fsm"
)

func TestSyncProblems(t *testing.T) {
	node := func(id fsm.NodeID, addr string, synced bool, peers ...SyncPeer) NodeSummary {
		return NodeSummary{Member: Member{ID: id, Addr: addr}, Reached: true, Phase: PhaseReady, Sync: &SyncStatus{Synced: synced, Peers: peers}}
	}
	heard := func(id fsm.NodeID) SyncPeer { return SyncPeer{Node: id, Reached: true, Synced: true} }
	whole := []NodeSummary{node("n1", "10.0.0.1:7300", true, heard("n2")), node("n2", "10.0.0.2:7300", true, heard("n1"))}
	for name, c := range map[string]struct {
		change func(n []NodeSummary)
		want   []string
	}{
		"all is well":           {func([]NodeSummary) {}, nil},
		"no datagrams":          {func(n []NodeSummary) { n[0].Sync.Peers[0].Reached = false }, []string{"node n1 does not hear of the connections of n2: is UDP port 7302 of 10.0.0.1 open for it?"}},
		"the other one is dead": {func(n []NodeSummary) { n[0].Sync.Peers[0].Reached, n[1].Reached = false, false }, nil},
		"it does not do it":     {func(n []NodeSummary) { n[0].Sync.Peers[0].Reached, n[1].Sync = false, nil }, nil},
		"it has just started":   {func(n []NodeSummary) { n[0].Sync.Peers[0].Reached, n[0].Sync.Synced = false, false }, nil},
		"what the kernel refuses": {func(n []NodeSummary) { n[1].Sync.Peers[0].Problem = "no buffer space" },
			[]string{"node n2: connection sync with n1: no buffer space"}},
	} {
		nodes := make([]NodeSummary, len(whole))
		for i, n := range whole {
			sync := *n.Sync
			sync.Peers = slices.Clone(sync.Peers)
			nodes[i], nodes[i].Sync = n, &sync
		}
		c.change(nodes)
		if got := syncProblems(nodes); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
