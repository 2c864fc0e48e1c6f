package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// VIPs is the answer of /v1/vips.
type VIPs struct {
	Index uint64 `json:"index"`
	VIPs  []VIP  `json:"vips" nullable:"false"`
}

// VIPDetail is one VIP with what happened to it.
type VIPDetail struct {
	VIP
	Since  time.Time   `json:"since,omitzero" doc:"When the owner got it; absent if that was before schema 2"`
	Holds  []fsm.Hold  `json:"holds,omitempty" doc:"What keeps it from being moved for preference or balance now"`
	Events []fsm.Event `json:"events" nullable:"false" doc:"Its latest events, oldest first"`
}

// Explanation says why a VIP is where it is, what would move it, what holds it, and where it would go if its owner died.
type Explanation struct {
	Index  uint64 `json:"index"`
	Shadow string `json:"shadow,omitempty" doc:"In shadow: who would own it, and who has it now, as far as it is known"`
	fsm.Explanation
}

type (
	vipsOutput    struct{ Body VIPs }
	vipOutput     struct{ Body VIPDetail }
	explainOutput struct{ Body Explanation }
)

// vipEvents is how many events a VIPDetail carries.
const vipEvents = 10

func (s *Server) registerVIPs(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "vips", Method: "GET", Path: "/v1/vips", Tags: []string{"vips"},
		Summary: "The VIPs, their owners and why",
	}, func(ctx context.Context, _ *struct{}) (*vipsOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		return &vipsOutput{Body: VIPs{Index: st.Index, VIPs: vipsOf(st, s.askFor(ctx, st, askLimit))}}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "vip", Method: "GET", Path: "/v1/vips/{name}", Tags: []string{"vips"},
		Summary:     "One VIP and why it is where it is",
		Description: "By name or by address.",
	}, func(ctx context.Context, in *nameInput) (*vipOutput, error) {
		st, v, err := s.agreedVIP(in.Name)
		if err != nil {
			return nil, err
		}
		rs := s.askFor(ctx, st, askLimit)
		d := VIPDetail{VIP: oneVIP(st, rs, v.Key()), Since: st.Assignments[v.Key()].Since, Events: []fsm.Event{}}
		if x, ok := fsm.Explain(st, s.hintsFrom(func() reports { return rs }), v.Key()); ok {
			d.Holds = x.Holds
		}
		for _, e := range st.Events {
			if e.VIP == v.Name {
				d.Events = append(d.Events, e)
			}
		}
		d.Events = d.Events[max(0, len(d.Events)-vipEvents):]
		return &vipOutput{Body: d}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "vip-explain", Method: "GET", Path: "/v1/vips/{name}/explain", Tags: []string{"vips"},
		Summary: "Why a VIP is where it is, and what would move it",
		Description: "By name or by address: the reason of the last decision, what would move the VIP, what holds it for now, what every node is to it, " +
			"and where it would go if its owner died.",
	}, func(ctx context.Context, in *nameInput) (*explainOutput, error) {
		st, v, err := s.agreedVIP(in.Name)
		if err != nil {
			return nil, err
		}
		rs := s.askFor(ctx, st, askLimit)
		x, _ := fsm.Explain(st, s.hintsFrom(func() reports { return rs }), v.Key())
		return &explainOutput{Body: Explanation{Index: st.Index, Shadow: oneVIP(st, rs, v.Key()).Shadow, Explanation: x}}, nil
	})
	huma.Register(h, huma.Operation{
		OperationID: "vip-move", Method: "POST", Path: "/v1/vips/{name}/move", Tags: []string{"vips"}, MaxBodyBytes: maxBody,
		Summary: "Move a VIP to another node",
		Description: "The whole group moves with it. With wait the answer comes when the new owner's kernel has it, or when the time is up; " +
			"done says which.",
	}, s.move)
	huma.Register(h, huma.Operation{
		OperationID: "vip-force-owner", Method: "POST", Path: "/v1/vips/{name}/force-owner", Tags: []string{"vips"}, MaxBodyBytes: maxBody,
		Summary: "Make this node claim a VIP without a quorum",
		Description: "Break-glass, for this node alone, and not for the VIPs of a group together. Refused while there is a quorum, and when another host is heard to have the address. It ends " +
			"by itself: when the time is up, when there is a quorum, when another host claims the address, and with the agent.",
	}, s.force)
}

// askFor asks all nodes for their reports for at most d.
func (s *Server) askFor(ctx context.Context, st *fsm.State, d time.Duration) reports {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return s.ask(ctx, st)
}

// oneVIP is the VIP with that key.
func oneVIP(st *fsm.State, rs reports, k fsm.AddressKey) VIP {
	for _, v := range vipsOf(st, rs) {
		if v.Address == k.Addr && v.Network == k.Network {
			return v
		}
	}
	return VIP{Address: k.Addr, Network: k.Network}
}
