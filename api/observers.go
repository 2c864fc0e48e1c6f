package api

import (
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

// viewLimit is how long a node has to tell what it sees of a server, and the leader what it has heard.
const viewLimit = 2 * time.Second

// ServerDetail is the answer of /v1/servers/{service}/{address}.
type ServerDetail struct {
	RealServer
	Policy    string       `json:"policy" doc:"How the views of the observers make the verdict: majority, any, all, owner"`
	Needed    int          `json:"checks_needed" doc:"How many of its checks have to pass for an observer to see it up"`
	Checks    int          `json:"checks" doc:"How many it has; 0 = it is taken to be up"`
	Panic     string       `json:"panic" doc:"Loss at once from which on the service keeps its servers: all, a share, or off"`
	PanicFrom time.Time    `json:"panic_since,omitzero" doc:"Its service is in a panic since then"`
	Views     []ServerView `json:"views" nullable:"false"`
}

// Views of a server that are no verdict.
const (
	ViewUnknown = "unknown"
	ViewSilent  = "silent" // the node did not answer
)

// ServerView is what one node sees of a server.
type ServerView struct {
	Node    fsm.NodeID  `json:"node"`
	Counts  bool        `json:"counts" doc:"It is one of those by whom the verdict is made. Else it looks because it owns the VIP, or did not reach its servers"`
	Owner   bool        `json:"owner,omitempty" doc:"It owns a VIP of the service"`
	Sees    string      `json:"sees" enum:"up,down,unknown,silent" doc:"unknown: too few probes yet; silent: the node did not answer"`
	Differs bool        `json:"differs,omitempty" doc:"It sees something else than what is agreed"`
	Through bool        `json:"through,omitempty" doc:"It probes through the forwarding path"`
	Asked   string      `json:"asked,omitempty" doc:"The weight that the server asks of it: 75 %, weight 3"`
	Path    time.Time   `json:"path_fault_since,omitzero" doc:"It has not reached the servers of the VIP since then, while other nodes did"`
	Problem string      `json:"problem,omitempty" doc:"Why nothing is known"`
	Probes  []ProbeView `json:"probes,omitempty"`
}

// ProbeView is what one node knows by one check.
type ProbeView struct {
	Check       string         `json:"check" doc:"Type of the check"`
	Target      netip.AddrPort `json:"target" doc:"What is probed"`
	Through     string         `json:"through,omitempty" doc:"The forwarding method by which the probe comes to the server"`
	Verdict     string         `json:"verdict" enum:"unknown,up,down"`
	Since       time.Time      `json:"since,omitzero" doc:"Of the verdict"`
	Passed      bool           `json:"passed" doc:"The last probe did"`
	Streak      int            `json:"streak" doc:"How often in a row"`
	Probed      time.Time      `json:"probed,omitzero" doc:"When it was probed last"`
	Next        time.Time      `json:"next,omitzero" doc:"When it is probed next"`
	LatencyUS   int64          `json:"latency_us" doc:"Of the last probe, in microseconds"`
	Detail      string         `json:"detail,omitempty" doc:"What the last probe saw"`
	Asked       string         `json:"asked,omitempty" doc:"The weight that the server asks for by it"`
	LastError   string         `json:"last_error,omitempty"`
	LastErrorAt time.Time      `json:"last_error_at,omitzero"`
}

type (
	serverInput struct {
		Service string `path:"service" maxLength:"200"`
		Address string `path:"address" maxLength:"200" example:"10.0.0.11:8080"`
	}
	serverDetailOutput struct{ Body ServerDetail }
)

func (s *Server) registerObservers(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "server", Method: "GET", Path: "/v1/servers/{service}/{address}", Tags: []string{"services"},
		Summary:     "One real server, and what each node sees of it",
		Description: "The nodes that probe it are asked, for at most two seconds.",
	}, func(ctx context.Context, in *serverInput) (*serverDetailOutput, error) {
		addr, err := netip.ParseAddrPort(in.Address)
		if err != nil {
			return nil, invalidRequest("path.address", "%.80q is not ADDRESS:PORT, e.g. 10.0.0.11:8080 or [2001:db8::1]:80", in.Address)
		}
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		key := fsm.ServerKey{Service: in.Service, Address: addr}
		r, err := findServer(st, key)
		if err != nil {
			return nil, err
		}
		return &serverDetailOutput{Body: s.detailOf(ctx, st, key, r)}, nil
	})
}

func (s *Server) detailOf(ctx context.Context, st *fsm.State, key fsm.ServerKey, r RealServer) ServerDetail {
	svc := st.Config.Services[key.Service]
	d := ServerDetail{RealServer: r, Policy: svc.Health.Observers.String(), Needed: svc.ChecksNeeded(), Checks: len(svc.Checks),
		Panic: svc.PanicAt(), PanicFrom: st.Services[svc.Name].Panic, Views: []ServerView{}}
	if len(svc.Checks) == 0 {
		return d
	}
	owners, observers := st.OwnersOf(svc.Name), fsm.Observers(st, key)
	heeded := fsm.Heeded(st, svc.Name, observers)
	for id, n := range st.Nodes {
		if !fsm.Watches(st, key, id) {
			continue
		}
		v := ServerView{Node: id, Owner: slices.Contains(owners, id), Counts: slices.Contains(heeded, id)}
		if svc.Health.Observers == fsm.ByOwner && len(owners) > 0 {
			v.Counts = v.Owner
		}
		for _, name := range svc.On() {
			if f, cut := n.PathFault(name); cut {
				v.Path = f.Since
			}
		}
		d.Views = append(d.Views, v)
	}
	slices.SortFunc(d.Views, func(a, b ServerView) int { return strings.Compare(string(a.Node), string(b.Node)) })
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	var wg sync.WaitGroup
	for i := range d.Views {
		wg.Go(func() {
			v := &d.Views[i]
			got, err := s.observatory.View(ctx, v.Node, key)
			if err != nil {
				v.Sees, v.Problem = ViewSilent, err.Error()
				return
			}
			v.Sees, v.Through, v.Asked, v.Probes, v.Problem = got.Sees, got.Through, got.Asked, got.Probes, got.Problem
			v.Differs = (v.Sees == string(fsm.Up) || v.Sees == string(fsm.Down)) && v.Sees != string(r.Verdict)
		})
	}
	wg.Wait()
	d.Disputed = slices.ContainsFunc(d.Views, func(v ServerView) bool { return v.Differs && (v.Counts || slices.Contains(observers, v.Node)) })
	return d
}

// disputed marks the servers of which an observer says something else than what is agreed, as the leader has heard them; without a leader none is.
func (s *Server) disputed(ctx context.Context, servers []RealServer) {
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	keys, err := s.observatory.Disputed(ctx)
	if err != nil || len(keys) == 0 {
		return
	}
	found := make(map[fsm.ServerKey]bool, len(keys))
	for _, k := range keys {
		found[k] = true
	}
	for i := range servers {
		servers[i].Disputed = found[fsm.ServerKey{Service: servers[i].Service, Address: servers[i].Address}]
	}
}

// healthProblems are the services in a panic and the nodes that do not reach servers.
func healthProblems(st *fsm.State) (out []string) {
	for _, name := range st.Panics() {
		kept := 0
		for k, x := range st.Servers {
			if k.Service == name && x.Kept {
				kept++
			}
		}
		out = append(out, fmt.Sprintf("service %s: it is in a panic since %s: %d servers that went down at once still get connections; look for what they have in common, "+
			"and see `quorate server list %s`", name, st.Services[name].Panic.Local().Format(time.DateTime), kept, name))
	}
	var nodes []fsm.NodeID
	for id := range st.Nodes {
		nodes = append(nodes, id)
	}
	slices.Sort(nodes)
	for _, id := range nodes {
		for _, f := range st.Nodes[id].Paths {
			out = append(out, fmt.Sprintf("node %s: it does not reach the servers of vip %s since %s, and other nodes do: look at the network between them", id, f.VIP, f.Since.Local().Format(time.DateTime)))
		}
	}
	return out
}
