package main

import (
	"strings"
	"testing"

	"quorate/api"
	"quorate/fsm"
)

// TestWriteSync: who has whose connections, those of whom all is well together; a note that several nodes have stands there once.
func TestWriteSync(t *testing.T) {
	node := func(id fsm.NodeID, sync *api.SyncStatus) api.NodeSummary {
		return api.NodeSummary{Member: api.Member{ID: id}, Sync: sync}
	}
	var b strings.Builder
	many := &api.SyncStatus{Peers: []api.SyncPeer{{Node: "n9", Reached: true}}}
	for range 48 {
		many.Peers = append(many.Peers, api.SyncPeer{Node: "x", Reached: true, Synced: true, Connections: 2, Lost: 1, LagMS: 5})
	}
	(&app{}).writeSync(&b, []api.NodeSummary{
		node("n1", &api.SyncStatus{Notes: []string{"set this", "and that"}, Peers: []api.SyncPeer{{Node: "n2", Reached: true, Synced: true, Connections: 7, LagMS: 3}, {Node: "n4"},
			{Node: "n3", Reached: true, Synced: true, Connections: 1, LagMS: 1}}}),
		node("n2", &api.SyncStatus{Notes: []string{"and that"}, Peers: []api.SyncPeer{{Node: "n1", Reached: true}}}),
		node("n3", many),
		node("w1", nil),
	})
	want := `
CONNECTIONS OF  ON  STATE      LAG   RECEIVED  LOST
n4              n1  not heard  0 ms  0         0
n2, n3          n1  here       3 ms  8         0
n1              n2  coming     0 ms  0         0
n9              n3  coming     0 ms  0         0
48 others       n3  here       5 ms  96        48
  note: n1: set this
  note: n1, n2: and that
`
	if b.String() != want {
		t.Errorf("%s\nwant%s", b.String(), want)
	}
	b.Reset()
	if (&app{}).writeSync(&b, []api.NodeSummary{node("n1", nil)}); b.Len() > 0 {
		t.Errorf("%q where nothing is synchronised", b.String())
	}
}
