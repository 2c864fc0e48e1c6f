package api

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// tableLimit is how long an owner has to tell what its kernel counts.
const tableLimit = 3 * time.Second

// Traffic is the answer of /v1/traffic.
type Traffic struct {
	Services []ServiceTraffic `json:"services" nullable:"false"`
}

// ServiceTraffic is what one director's kernel counts of one service.
type ServiceTraffic struct {
	Service string     `json:"service"`
	Node    fsm.NodeID `json:"node,omitempty" doc:"The director that was asked: the owner of the VIP, unless another was named"`
	Plane   string     `json:"plane,omitempty" doc:"What balances there: ipvs or nft"`
	At      time.Time  `json:"at,omitzero" doc:"When its kernel was read, by its clock"`
	Counted bool       `json:"counted" doc:"The data plane counts by server; without that only what is above 0 is known"`
	Rates   bool       `json:"rates" doc:"The kernel estimates rates, every two seconds; without that they are 0, and the differences of two answers tell them"`
	Wanted  bool       `json:"wanted" doc:"The director should carry it"`
	Present bool       `json:"present" doc:"Its kernel has it"`
	Note    string     `json:"note,omitempty" doc:"How it is carried out otherwise than configured"`
	Problem string     `json:"problem,omitempty" doc:"Why there are no figures, or why the kernel does not have what is wanted"`
	Counters
	Servers []ServerTraffic `json:"servers,omitempty" doc:"Only where servers were asked for"`
}

// ServerTraffic is what one director's kernel counts of one real server in a service.
type ServerTraffic struct {
	Address netip.AddrPort `json:"address"`
	Want    *int           `json:"wanted_weight,omitempty" doc:"Weight that it should have there; absent: it should not be there"`
	Have    *int           `json:"weight,omitempty" doc:"Weight in the kernel; absent: the kernel does not have it"`
	Counters
}

// Counters are since the kernel has the object; rates are for a second.
type Counters struct {
	Active      int    `json:"active" doc:"Connections that are established"`
	Inactive    int    `json:"inactive" doc:"Others that the kernel still remembers"`
	Persistent  int    `json:"persistent" doc:"Clients that persistence binds"`
	Connections uint64 `json:"connections"`
	InPackets   uint64 `json:"in_packets" doc:"From clients"`
	OutPackets  uint64 `json:"out_packets" doc:"To clients, as far as they pass the director"`
	InBytes     uint64 `json:"in_bytes"`
	OutBytes    uint64 `json:"out_bytes"`

	ConnectionRate uint64 `json:"connection_rate"`
	InPacketRate   uint64 `json:"in_packet_rate"`
	OutPacketRate  uint64 `json:"out_packet_rate"`
	InByteRate     uint64 `json:"in_byte_rate"`
	OutByteRate    uint64 `json:"out_byte_rate"`
}

// TrafficQuery asks a director for figures.
type TrafficQuery struct {
	Services []string `json:"services,omitempty"` // nil = all
	Servers  bool     `json:"servers,omitempty"`  // with their servers
}

type (
	trafficInput struct {
		Service []string   `query:"service,explode" maxItems:"1000" doc:"Only these; none = all"`
		Servers bool       `query:"servers" doc:"With the servers of each"`
		Node    fsm.NodeID `query:"node" maxLength:"200" doc:"Ask this director, not the owners"`
	}
	trafficOutput struct{ Body Traffic }
)

func (s *Server) registerTraffic(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "traffic", Method: "GET", Path: "/v1/traffic", Tags: []string{"services"},
		Summary: "What the kernels count of the services",
		Description: "The figures of each service are those of the director that owns its VIP, at most a second old; a service with several VIPs is there once for each " +
			"director that owns some. A director that does not answer is a problem of its services, not an error.",
	}, func(ctx context.Context, in *trafficInput) (*trafficOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		for _, name := range in.Service {
			if _, ok := st.Config.Services[name]; !ok {
				return nil, notFound("no service %.80q: %s", name, have("services", st.Config.Services))
			}
		}
		if _, ok := st.Nodes[in.Node]; in.Node != "" && !ok {
			return nil, noSuchNode(st, in.Node)
		}
		return &trafficOutput{Body: Traffic{Services: s.traffic(ctx, st, in.Node, TrafficQuery{Services: in.Service, Servers: in.Servers})}}, nil
	})
}

// traffic asks the owners of the services' VIPs, or one node, and waits for them together.
func (s *Server) traffic(ctx context.Context, st *fsm.State, node fsm.NodeID, q TrafficQuery) []ServiceTraffic {
	out := []ServiceTraffic{}
	of := map[fsm.NodeID][]string{}
	wanted := make(map[string]bool, len(q.Services))
	for _, name := range q.Services {
		wanted[name] = true
	}
	for name, svc := range st.Config.Services {
		if len(wanted) > 0 && !wanted[name] {
			continue
		}
		asked := ownersOf(st, svc)
		if node != "" {
			asked = []fsm.NodeID{node}
		}
		if len(asked) == 0 {
			out = append(out, ServiceTraffic{Service: name, Problem: unownedText(svc)})
		}
		for _, n := range asked {
			of[n] = append(of[n], name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tableLimit)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n, names := range of {
		wg.Go(func() {
			part, err := s.balancer.Traffic(ctx, n, TrafficQuery{Services: names, Servers: q.Servers})
			problem := fmt.Sprintf("%s does not know it yet: ask again", n)
			if err != nil {
				part, problem = nil, fmt.Sprintf("no figures: %v", said(ctx, n, tableLimit, err))
			}
			told := make(map[string]bool, len(part))
			for _, t := range part {
				told[t.Service] = true
			}
			for _, name := range names {
				if !told[name] {
					part = append(part, ServiceTraffic{Service: name, Node: n, Problem: problem})
				}
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, part...)
		})
	}
	wg.Wait()
	slices.SortFunc(out, func(a, b ServiceTraffic) int {
		return cmp.Or(strings.Compare(a.Service, b.Service), cmp.Compare(a.Node, b.Node))
	})
	return out
}

// unownedText says that a service is nowhere.
func unownedText(svc fsm.Service) string {
	if vips := svc.On(); len(vips) > 1 {
		return fmt.Sprintf("nobody owns any of the VIPs %s: `quorate vip show %s` says why", strings.Join(vips, ", "), vips[0])
	}
	return fmt.Sprintf("nobody owns the VIP %s: `quorate vip show %[1]s` says why", svc.On()[0])
}
