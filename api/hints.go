package api

import (
	"context"

	"quorate/fsm"
)

// hints are what a preview needs beyond the agreed state. The leader knows which nodes are able to own VIPs. Any other node
// asks them, and takes those that say that they are ready and hold a lease.
func (s *Server) hints(ctx context.Context, st *fsm.State) fsm.Hints {
	return s.hintsFrom(func() reports { return s.askFor(ctx, st, askLimit) })
}

// hintsFrom is hints that asks the nodes by the given function, if it has to.
func (s *Server) hintsFrom(ask func() reports) fsm.Hints {
	me := s.reporter.Local().Node
	h := s.inspector.Hints()
	if leader, ok := s.inspector.Leader(); ok && leader == me && len(h.Able) > 0 {
		return h
	}
	h = fsm.Hints{Able: map[fsm.NodeID]bool{}, Now: h.Now}
	for id, r := range ask() {
		if r.err == nil && r.status.Phase == PhaseReady && r.status.Lease.Held {
			h.Able[id] = true
		}
	}
	return h
}
