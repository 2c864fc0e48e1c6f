package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// IPVSAdm is a table of services in the words of ipvsadm(8).
type IPVSAdm struct {
	Node fsm.NodeID `json:"node,omitempty" doc:"Whose kernel has it; absent: it is the one that is agreed"`
	Text string     `json:"text" doc:"As ipvsadm -Sn writes it; ipvsadm -R takes it"`
	Left []string   `json:"left_out,omitempty" doc:"What ipvsadm has no words for"`
}

type (
	ipvsadmInput struct {
		Node fsm.NodeID `query:"node" maxLength:"200" doc:"What this director's kernel has of the cluster's services; left out: what is agreed of all of them, on any director"`
	}
	ipvsadmOutput struct{ Body IPVSAdm }
)

func (s *Server) registerIPVSAdm(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "ipvsadm", Method: "GET", Path: "/v1/ipvsadm", Tags: []string{"services"},
		Summary: "The services in the words of ipvsadm",
	}, func(ctx context.Context, in *ipvsadmInput) (*ipvsadmOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		if _, ok := st.Nodes[in.Node]; in.Node != "" && !ok {
			return nil, noSuchNode(st, in.Node)
		}
		ctx, cancel := context.WithTimeout(ctx, listLimit)
		defer cancel()
		out, err := s.balancer.IPVSAdm(ctx, in.Node)
		if err != nil {
			return nil, problemOf(said(ctx, in.Node, listLimit, err))
		}
		return &ipvsadmOutput{Body: out}, nil
	})
}
