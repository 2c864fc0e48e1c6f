package api

import (
	"context"

	"quorate/fsm"
)

// hints are what a preview needs beyond the agreed state. The leader knows which nodes are able to own VIPs. Any other node
// asks them, and takes those that say that they are ready and hold a lease.
func (s *Server) hints(ctx context.Context, st *fsm.State) fsm.Hints {
	me := s.reporter.Local().Node
	h := s.inspector.Hints()
	if leader, ok := s.inspector.Leader(); ok && leader == me && len(h.Able) > 0 {
		return h
	}
	h = fsm.Hints{Able: map[fsm.NodeID]bool{}}
	for id, r := range s.askFor(ctx, st, askLimit) {
		if r.err == nil && r.status.Phase == PhaseReady && r.status.Lease.Held {
			h.Able[id] = true
		}
	}
	return h
}
