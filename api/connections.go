package api

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// MaxConnections bounds one answer of /v1/connections.
const MaxConnections = 5000

// listLimit is how long a director has to list what its kernel holds; a large table takes it seconds.
const listLimit = 30 * time.Second

// Connections is a part of one director's connection table.
type Connections struct {
	Service     string       `json:"service"`
	Node        fsm.NodeID   `json:"node" doc:"The director that was asked: the owner of the VIP, unless another was named"`
	Plane       string       `json:"plane" doc:"What balances there: ipvs or nft"`
	Connections []Connection `json:"connections" nullable:"false"`
	Others      []fsm.NodeID `json:"others,omitempty" doc:"Other directors that own VIPs of the service, and have connections of their own: ask them by node"`
	Next        int          `json:"next,omitempty" doc:"There are more: the skip of the next request. The table changes meanwhile, so that one may be missed or come twice"`
}

// Connection is one connection that a director balances.
type Connection struct {
	Protocol  string         `json:"protocol"`
	Client    netip.AddrPort `json:"client" doc:"With persistent: the client's network, by the persistence prefix, and port 0"`
	Virtual   netip.AddrPort `json:"virtual" doc:"What the client asked for"`
	Server    netip.AddrPort `json:"server"`
	State     string         `json:"state" doc:"By the kernel's name" example:"ESTABLISHED"`
	ExpiresIn int64          `json:"expires_in_s" doc:"Seconds until the kernel forgets it, if nothing comes"`
	Origin    string         `json:"origin,omitempty" enum:"local,sync" doc:"sync: another director told of it; absent where the kernel does not say"`
	Binding   bool           `json:"persistent,omitempty" doc:"No connection, but what persistence remembers of a client"`
}

// ConnectionQuery asks a director for connections.
type ConnectionQuery struct {
	Service string         `json:"service"`
	Server  netip.AddrPort `json:"server,omitzero"` // only those to it; the zero value = to all
	Skip    int            `json:"skip,omitempty"`
	Limit   int            `json:"limit"`
}

type (
	connectionsInput struct {
		Service string     `query:"service" required:"true" maxLength:"200"`
		Server  string     `query:"server" maxLength:"200" doc:"Only those to this server" example:"10.0.0.11:8080"`
		Limit   int        `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
		Skip    int        `query:"skip" minimum:"0" maximum:"1000000000" doc:"Leave so many out: next of the answer before"`
		Node    fsm.NodeID `query:"node" maxLength:"200" doc:"Ask this director, not the owner of the VIP"`
	}
	connectionsOutput struct{ Body Connections }
)

func (s *Server) registerConnections(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "connections", Method: "GET", Path: "/v1/connections", Tags: []string{"services"},
		Summary: "Who is connected to what",
		Description: "The connections of one service, from the kernel of the director that owns its VIP, in the kernel's order. They are read as they are counted off: an answer " +
			"is bounded, and so is the memory that it takes.",
	}, s.connections)
}

func (s *Server) connections(ctx context.Context, in *connectionsInput) (*connectionsOutput, error) {
	st, err := s.agreed()
	if err != nil {
		return nil, err
	}
	svc, ok := st.Config.Services[in.Service]
	if !ok {
		return nil, notFound("no service %.80q: %s", in.Service, have("services", st.Config.Services))
	}
	q := ConnectionQuery{Service: in.Service, Skip: in.Skip, Limit: in.Limit}
	if in.Server != "" {
		if q.Server, err = netip.ParseAddrPort(in.Server); err != nil {
			return nil, invalidRequest("query.server", "%.80q is not ADDRESS:PORT, e.g. 10.0.0.11:8080 or [2001:db8::1]:80", in.Server)
		}
	}
	node, others, err := director(st, in.Node, svc)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, listLimit)
	defer cancel()
	out, err := s.balancer.Connections(ctx, node, q)
	if err != nil {
		return nil, problemOf(said(ctx, node, listLimit, err))
	}
	out.Others = others
	if out.Connections == nil {
		out.Connections = []Connection{}
	}
	return &connectionsOutput{Body: out}, nil
}

// director is the node to ask about a service: the one that is named, or the owner of its first VIP that has one, with the owners of the others.
func director(st *fsm.State, named fsm.NodeID, svc fsm.Service) (n fsm.NodeID, others []fsm.NodeID, err error) {
	if named != "" {
		if _, ok := st.Nodes[named]; !ok {
			return "", nil, noSuchNode(st, named)
		}
		return named, nil, nil
	}
	owners := ownersOf(st, svc)
	if len(owners) == 0 {
		return "", nil, newError(CodeNotPossible, "%s; --node NAME asks a director all the same", unownedText(svc))
	}
	return owners[0], owners[1:], nil
}

// said is the error of a director that was asked, with its name, and in words of ours where it has not answered within the limit of ctx.
func said(ctx context.Context, node fsm.NodeID, limit time.Duration, err error) error {
	if ctx.Err() == context.DeadlineExceeded {
		return fmt.Errorf("%s has not answered within %v: %w", node, limit, ErrUnreachable)
	}
	if node == "" || strings.HasPrefix(err.Error(), string(node)+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", node, err)
}
