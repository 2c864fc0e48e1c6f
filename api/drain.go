package api

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Drained is the answer to draining or resuming a node.
type Drained struct {
	Node     fsm.NodeID `json:"node"`
	Draining bool       `json:"draining"`
	Owns     []string   `json:"owns" nullable:"false" doc:"VIPs that it still owns"`
	Done     bool       `json:"done" doc:"Draining: it owns nothing any more. Resuming: always true"`
	Took     int64      `json:"took_ms"`
	Note     string     `json:"note,omitempty"`
}

type (
	drainInput struct {
		ID   string `path:"id" maxLength:"63"`
		Wait string `query:"wait" doc:"How long to wait until it owns nothing, e.g. 60s; empty = do not wait" example:"60s"`
	}
	resumeInput struct {
		ID string `path:"id" maxLength:"63"`
	}
	drainOutput struct{ Body Drained }
)

func (s *Server) registerDrain(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "node-drain", Method: "POST", Path: "/v1/nodes/{id}/drain", Tags: []string{"cluster"},
		Summary:     "Move all VIPs away from a node and give it none",
		Description: "It stays a member and a voter.",
	}, func(ctx context.Context, in *drainInput) (*drainOutput, error) {
		wait, err := ParseWait(in.Wait)
		if err != nil {
			return nil, invalidRequest("query.wait", "%v", err)
		}
		return s.drain(ctx, fsm.NodeID(in.ID), true, wait)
	})
	huma.Register(h, huma.Operation{
		OperationID: "node-resume", Method: "POST", Path: "/v1/nodes/{id}/resume", Tags: []string{"cluster"},
		Summary: "End a drain",
	}, func(ctx context.Context, in *resumeInput) (*drainOutput, error) {
		return s.drain(ctx, fsm.NodeID(in.ID), false, 0)
	})
}

// drain starts or ends draining id and, when it starts, waits up to wait until the node owns nothing.
func (s *Server) drain(ctx context.Context, id fsm.NodeID, draining bool, wait time.Duration) (*drainOutput, error) {
	start := time.Now()
	st, err := s.fresh(ctx)
	if err != nil {
		return nil, err
	}
	n, ok := st.Nodes[id]
	if !ok {
		return nil, noSuchNode(st, id)
	}
	if n.Leaving && !draining {
		return nil, newError(CodeNotPossible, "%s is leaving the cluster, which is not taken back: let it leave and join again", id)
	}
	if n.Draining != draining {
		if _, st, err = s.propose(ctx, fsm.Command{SetDrain: &fsm.SetDrain{Node: id, Draining: draining}}); err != nil {
			return nil, err
		}
	}
	if wait > 0 {
		wctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		st, _ = s.await(wctx, func(st *fsm.State) bool { return len(st.Owned(id)) == 0 })
	}
	out := Drained{Node: id, Draining: draining, Owns: []string{}, Took: time.Since(start).Milliseconds()}
	for _, k := range st.Owned(id) {
		out.Owns = append(out.Owns, st.Assignments[k].VIP)
	}
	out.Done = !draining || len(out.Owns) == 0
	if !out.Done && wait > 0 {
		out.Note = fmt.Sprintf("%d VIPs are still on %s: is there another node that can carry them? `quorate status` says", len(out.Owns), id)
	}
	return &drainOutput{Body: out}, nil
}

func noSuchNode(st *fsm.State, id fsm.NodeID) error {
	names := map[string]bool{}
	for id := range st.Nodes {
		names[string(id)] = true
	}
	return notFound("no node %.80q: %s", id, have("nodes", names))
}
