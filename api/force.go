package api

import (
	"context"
	"fmt"
	"time"

	"quorate/fsm"
)

// Forcer claims addresses without a quorum, on an operator's word.
type Forcer interface {
	// Force makes this node claim the VIP for d, whoever owns it, and returns when that ends at the latest. It returns [ErrNotPossible]
	// where there is a quorum, where this node cannot carry the VIP, and where another host is heard to have it.
	Force(ctx context.Context, v fsm.VIP, by string, d time.Duration) (until time.Time, err error)
}

// Limits of how long a VIP may be forced.
const (
	MinForce = time.Second
	MaxForce = 24 * time.Hour
)

// ForceRequest asks this node to claim a VIP without a quorum.
type ForceRequest struct {
	For    string `json:"for" doc:"For how long, 1s to 24h; it ends by itself then, or when there is a quorum" example:"10m"`
	Accept bool   `json:"accept_split_brain" doc:"Must be true: two nodes may claim the VIP at the same time, each to a part of the clients"`
}

// Forced is the answer to a ForceRequest.
type Forced struct {
	VIP   string     `json:"vip"`
	Node  fsm.NodeID `json:"node"`
	Until time.Time  `json:"until" doc:"When it ends by itself at the latest"`
}

type (
	forceInput struct {
		Name string `path:"name" maxLength:"200"`
		Body ForceRequest
	}
	forceOutput struct{ Body Forced }
)

// SplitBrainText says what an operator accepts.
const SplitBrainText = "without a quorum nobody can know whether another node has the VIP: if one that this node cannot hear has it, both claim it, each to a part " +
	"of the clients, and what they write diverges"

// ParseForce reads for how long a VIP is to be forced.
func ParseForce(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < MinForce || d > MaxForce {
		return 0, fmt.Errorf("%q: say for how long, from %v to 24h, like 10m", s, MinForce)
	}
	return d, nil
}

func (s *Server) force(ctx context.Context, in *forceInput) (*forceOutput, error) {
	d, err := ParseForce(in.Body.For)
	if err != nil {
		return nil, invalidRequest("body.for", "%v", err)
	}
	if !in.Body.Accept {
		return nil, invalidRequest("body.accept_split_brain", "it must be true: %s", SplitBrainText)
	}
	st, err := s.agreed() // there is no quorum to ask for a newer one
	if err != nil {
		return nil, err
	}
	if s.reporter.Local().Phase == PhaseStarting {
		return nil, newError(CodeNotPossible, "this agent was started without a majority and does not know what is agreed: start the missing nodes; "+
			"if they are gone for good: `quorate recover`")
	}
	v, err := findVIP(st, in.Name)
	if err != nil {
		return nil, err
	}
	until, err := s.forcer.Force(ctx, v, actor(ctx), d)
	if err != nil {
		return nil, problemOf(err)
	}
	return &forceOutput{Body: Forced{VIP: v.Name, Node: s.reporter.Local().Node, Until: until}}, nil
}
