package api

import (
	"fmt"
	"net/netip"

	"quorate/fsm"
)

// syncProblems says which directors do not have each other's connections though both of them answer. One that has just started, and still waits for those
// of others, is given the time.
func syncProblems(nodes []NodeSummary) (out []string) {
	syncing := map[fsm.NodeID]NodeSummary{}
	for _, n := range nodes {
		if n.Reached && n.Phase == PhaseReady && n.Sync != nil && n.Sync.Synced {
			syncing[n.ID] = n
		}
	}
	for _, n := range nodes {
		if _, ok := syncing[n.ID]; !ok {
			continue
		}
		for _, p := range n.Sync.Peers {
			switch _, ok := syncing[p.Node]; {
			case p.Problem != "":
				out = append(out, fmt.Sprintf("node %s: connection sync with %s: %s", n.ID, p.Node, p.Problem))
			case ok && !p.Reached:
				out = append(out, fmt.Sprintf("node %s does not hear of the connections of %s: is UDP %s open for it?", n.ID, p.Node, syncPort(n)))
			}
		}
	}
	return out
}

// syncPort is the port of a node for connection sync, as far as its address tells: the second after its own.
func syncPort(n NodeSummary) string {
	a, err := netip.ParseAddrPort(n.Addr)
	if err != nil {
		return "port for connection sync (the second after that of bind)"
	}
	return fmt.Sprintf("port %d of %s", a.Port()+2, a.Addr())
}
