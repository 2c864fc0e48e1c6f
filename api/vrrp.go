package api

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Router is one virtual router of the cluster: agreed, and as its nodes speak and hear it.
type Router struct {
	RouterStatus
	Nodes []NodeRouter `json:"nodes" nullable:"false" doc:"By node; one that does not answer is absent"`
}

// NodeRouter is a virtual router on one node. Counters are since its agent, or the router there, started.
type NodeRouter struct {
	Node       fsm.NodeID        `json:"node,omitempty"`
	Name       string            `json:"name"`
	VRID       uint8             `json:"vrid"`
	Link       string            `json:"link" doc:"Interface"`
	Family     uint8             `json:"family" enum:"4,6"`
	Source     netip.Addr        `json:"source,omitzero" doc:"From where adverts go"`
	State      string            `json:"state" enum:"initialize,backup,active" doc:"By RFC 9568: active is who advertises"`
	Speaks     bool              `json:"speaks" doc:"It may advertise at this moment"`
	Yielded    bool              `json:"yielded,omitempty" doc:"It fell silent before a router with a better claim, which is still heard"`
	Active     netip.Addr        `json:"active_router,omitzero" doc:"The listed router outside the cluster that is active, by adverts that were accepted"`
	Checksum   string            `json:"checksum" doc:"The form that is sent"`
	Sent       uint64            `json:"sent" doc:"Adverts"`
	LastWords  uint64            `json:"last_words" doc:"Adverts of those that had priority 0"`
	Withheld   uint64            `json:"withheld" doc:"Adverts that were due and not sent, as the lease had ended"`
	Received   uint64            `json:"received" doc:"Adverts that were accepted"`
	Dropped    map[string]uint64 `json:"dropped,omitempty" doc:"Adverts that were not, by reason"`
	Neighbours []RouterNeighbour `json:"neighbours,omitempty"`
	Problem    string            `json:"problem,omitempty" doc:"Why it neither speaks nor hears"`
}

// RouterNeighbour is another router as a node hears it.
type RouterNeighbour struct {
	Source      netip.Addr   `json:"source"`
	Role        string       `json:"role" enum:"stranger,fellow,listed" doc:"listed: its word counts; fellow: another node; stranger: nobody whom the configuration names"`
	State       string       `json:"state" enum:"silent,released,active" doc:"active: it advertises; released: its last word was that it stops; silent: nothing was heard for longer than its backups would wait"`
	Counts      bool         `json:"counts" doc:"It is active by adverts that are accepted"`
	Version     uint8        `json:"version"`
	Priority    uint8        `json:"priority"`
	IntervalMS  int64        `json:"interval_ms"`
	Addresses   []netip.Addr `json:"addresses,omitempty"`
	Destination netip.Addr   `json:"destination,omitzero"`
	Auth        string       `json:"auth" doc:"none, password or ah"`
	Signed      bool         `json:"signed,omitempty"`
	Checksum    string       `json:"checksum,omitempty"`
	HeardMS     int64        `json:"heard_ms" doc:"Since its last advert"`
	Adverts     uint64       `json:"adverts" doc:"Accepted"`
	Dropped     uint64       `json:"dropped"`
	Reason      string       `json:"reason,omitempty" doc:"Why its last advert was dropped"`
	Problems    []string     `json:"problems,omitempty" doc:"In what its adverts differ from ours, what that leads to, and the cure"`
}

type vrrpOutput struct{ Body Router }

func (s *Server) registerVRRP(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "virtual-router", Method: "GET", Path: "/v1/virtual-routers/{name}", Tags: []string{"vips"},
		Summary:     "One virtual router as each node speaks and hears it",
		Description: "What is agreed, and what each node says and hears of it, and in what routers outside the cluster differ. Every node is asked. By the name of its block, or of the VIP that it is written in.",
	}, func(ctx context.Context, in *nameInput) (*vrrpOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		all := map[string]RouterStatus{}
		for _, r := range virtualRoutersOf(st) {
			all[r.Name] = r
		}
		r, ok := all[in.Name]
		if !ok {
			return nil, notFound("no virtual router %.80q: %s", in.Name, have("virtual routers", all))
		}
		return &vrrpOutput{Body: routerOf(r, s.askFor(ctx, st, askLimit))}, nil
	})
}

// routersOf puts together what is agreed and reported, sorted by name.
func routersOf(st *fsm.State, rs reports) []Router {
	out := []Router{}
	for _, r := range virtualRoutersOf(st) {
		out = append(out, routerOf(r, rs))
	}
	return out
}

// routerOf adds to what is agreed of a virtual router what its nodes report.
func routerOf(r RouterStatus, rs reports) Router {
	out := Router{RouterStatus: r, Nodes: []NodeRouter{}}
	for _, id := range slices.Sorted(maps.Keys(rs)) {
		for _, n := range rs[id].status.Routers {
			if rs[id].err == nil && n.Name == r.Name {
				n.Node = id
				out.Nodes = append(out.Nodes, n)
			}
		}
	}
	return out
}

// Problems are what an operator should look at, each once though several nodes see it.
func (r Router) Problems() []string {
	var out []string
	say := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, n := range r.Nodes {
		if n.Problem != "" {
			say(fmt.Sprintf("node %s: %s", n.Node, n.Problem))
		}
		if n.Withheld > 0 && n.State == "active" && !n.Speaks {
			say(fmt.Sprintf("node %s keeps its adverts back: it holds no lease", n.Node))
		}
		for _, x := range n.Neighbours {
			if x.State != "active" {
				continue
			}
			if x.Role == "stranger" {
				say(fmt.Sprintf("router %v is active with priority %d, and is not among the peers: list it if it may have the addresses, or find out who it is", x.Source, x.Priority))
			}
			for _, p := range x.Problems {
				say(p)
			}
		}
	}
	if r.Foreign != nil {
		until := "until it stops, or until our priority is higher"
		if !r.Foreign.Better {
			until = "until it stops, as preempt is off"
			if r.Preempt {
				until = "for as long as preempt_delay says"
			}
		}
		say(fmt.Sprintf("%v has it, heard by %s: the cluster leaves it the VIPs %s", r.Foreign, names(r.Foreign.Reporters), until))
	}
	return out
}

func names(ids []fsm.NodeID) string {
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return strings.Join(out, ", ")
}
