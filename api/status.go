package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Status is the whole cluster at a glance, as seen from one node.
type Status struct {
	Node      fsm.NodeID       `json:"node" doc:"The node that answers"`
	Phase     Phase            `json:"phase" doc:"Of the node that answers"`
	ClusterID string           `json:"cluster_id,omitempty" doc:"Empty while the agent is in no cluster"`
	Leader    fsm.NodeID       `json:"leader,omitempty"`
	Quorum    Quorum           `json:"quorum"`
	Index     uint64           `json:"index" doc:"Last entry applied on the node that answers"`
	Schema    fsm.Schema       `json:"schema"`
	Version   uint64           `json:"config_version" doc:"Version of the configuration; 0 = none was applied yet"`
	Settings  fsm.Settings     `json:"settings"`
	Nodes     []NodeSummary    `json:"nodes" nullable:"false"`
	VIPs      []VIP            `json:"vips" nullable:"false"`
	Services  []ServiceSummary `json:"services" nullable:"false"`
	Routers   []Router         `json:"virtual_routers,omitempty"`
	Healthy   bool             `json:"healthy" doc:"There is a quorum, and every VIP is where it should be"`
	Problems  []string         `json:"problems,omitempty" doc:"What an operator should look at, worst first"`
}

// Quorum says whether a majority answers.
type Quorum struct {
	OK         bool   `json:"ok" doc:"A majority of the voters answered just now"`
	Voters     int    `json:"voters"`
	Answer     int    `json:"answer" doc:"Voters that answered this node just now, itself included"`
	Needed     int    `json:"needed" doc:"The smallest majority"`
	Reason     string `json:"reason,omitempty" doc:"Why there is none"`
	Redundancy string `json:"redundancy,omitempty" doc:"What the cluster cannot survive, and the cure"`
}

// NodeSummary is one node of the cluster with the gist of its own report.
type NodeSummary struct {
	Member
	Reached   bool              `json:"reached" doc:"It answered this node; without it the rest is unknown"`
	Phase     Phase             `json:"phase,omitempty"`
	Lease     Lease             `json:"lease"`
	Fence     Fence             `json:"fence"`
	DataPlane DataPlane         `json:"data_plane"`
	Sync      *SyncStatus       `json:"sync,omitempty"`
	Sysctls   []Sysctl          `json:"sysctls,omitempty"`
	Checks    []NodeCheckStatus `json:"checks,omitempty"`
	VIPs      []string          `json:"vips,omitempty" doc:"VIPs that it owns"`
	Problems  []string          `json:"problems,omitempty"`
}

type statusOutput struct{ Body Status }

func (s *Server) registerStatus(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "status", Method: "GET", Path: "/v1/status", Tags: []string{"cluster"},
		Summary: "The whole cluster at a glance",
		Description: "Asks a majority whether it is there and every node for its report. Without a quorum, or where a node does not answer, " +
			"it tells what this node knows, and says so.",
	}, func(ctx context.Context, _ *struct{}) (*statusOutput, error) {
		return &statusOutput{Body: s.status(ctx)}, nil
	})
}

func (s *Server) status(ctx context.Context) Status {
	me := s.reporter.Local()
	out := Status{Node: me.Node, Phase: me.Phase, Nodes: []NodeSummary{}, VIPs: []VIP{}, Services: []ServiceSummary{}}
	if err := s.member(); err != nil {
		out.Quorum.Reason = ErrNoCluster.Error()
		out.Problems = append([]string{ErrNoCluster.Error()}, me.Problems...)
		return out
	}
	st, rs, err := s.survey(ctx)
	members := s.members(st)
	leader, _ := s.inspector.Leader()
	out.ClusterID, out.Leader, out.Index, out.Schema, out.Version = st.ClusterID, leader, st.Index, st.Schema, st.ConfigVersion
	out.Settings = st.Config.Settings
	out.Quorum = quorumOf(members, rs, err)
	for _, m := range members {
		out.Nodes = append(out.Nodes, summarize(st, m, rs[m.ID]))
	}
	out.VIPs = vipsOf(st, rs)
	out.Services = servicesOf(st)
	out.Routers = routersOf(st, rs)
	out.Problems = append(append(problemsIn(out), healthProblems(st)...), unseenThrough(st, members)...)
	out.Problems = append(out.Problems, notifyProblems(st, rs)...)
	for _, r := range out.Routers {
		for _, p := range r.Problems() {
			out.Problems = append(out.Problems, fmt.Sprintf("virtual router %s: %s", r.Name, p))
		}
	}
	out.Healthy = out.Quorum.OK
	for _, v := range out.VIPs {
		out.Healthy = out.Healthy && (v.State == VIPHeld || v.State == VIPMoving || v.State == VIPShadow || v.State == VIPForeign)
	}
	return out
}

// survey asks a quorum for the state and, at the same time, every node for its report. The error says why the state is not
// confirmed; state and reports are there all the same.
func (s *Server) survey(ctx context.Context) (*fsm.State, reports, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var wg sync.WaitGroup
	var st *fsm.State
	var readErr error
	wg.Go(func() { st, readErr = s.reader.Read(ctx) })
	rs := s.ask(ctx, s.reader.State())
	wg.Wait()
	if readErr != nil {
		return s.reader.State(), rs, readErr
	}
	return st, rs, nil
}

// ask collects the reports of all agreed nodes, this one's without the network.
func (s *Server) ask(ctx context.Context, st *fsm.State) reports {
	me := s.reporter.Local()
	rs := reports{me.Node: {status: me}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for id := range st.Nodes {
		if id == me.Node {
			continue
		}
		wg.Go(func() {
			ns, err := s.reporter.Ask(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			rs[id] = report{status: ns, err: err}
		})
	}
	wg.Wait()
	return rs
}

func summarize(st *fsm.State, m Member, r report) NodeSummary {
	n := NodeSummary{Member: m}
	for _, k := range st.Owned(m.ID) {
		if st.Assignments[k].Shadow {
			continue // it has nothing of it
		}
		n.VIPs = append(n.VIPs, st.Assignments[k].VIP)
	}
	if r.err != nil || r.status.Node == "" {
		return n
	}
	n.Reached, n.Phase = true, r.status.Phase
	n.Lease, n.Fence, n.DataPlane, n.Sync, n.Sysctls, n.Problems = r.status.Lease, r.status.Fence, r.status.DataPlane, r.status.Sync, r.status.Sysctls, r.status.Problems
	n.Checks = r.status.Checks
	if r.status.Version != "" {
		n.Version = r.status.Version
	}
	return n
}

func quorumOf(members []Member, rs reports, err error) Quorum {
	q := Quorum{OK: err == nil}
	only := fsm.NodeID("")
	for _, m := range members {
		if m.Voter {
			q.Voters++
			only = m.ID
			if r, asked := rs[m.ID]; asked && r.err == nil {
				q.Answer++
			}
		}
	}
	q.Needed = q.Voters/2 + 1
	q.Redundancy = redundancy(q.Voters, only)
	if err != nil {
		q.Reason = err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			q.Reason = fmt.Sprintf("no majority answered within %s", askLimit.Round(time.Millisecond))
		}
	}
	return q
}

// problemsIn says in sentences what an operator should look at, worst first.
func problemsIn(st Status) []string {
	var out []string
	if !st.Quorum.OK {
		out = append(out, fmt.Sprintf("the cluster has no quorum: %d of %d voters answer %s, %d are needed; nothing can be changed, "+
			"and VIPs are off until enough nodes are back, but for those that are held without a quorum", st.Quorum.Answer, st.Quorum.Voters, st.Node, st.Quorum.Needed))
	}
	for _, v := range st.VIPs {
		if v.Problem != "" {
			out = append(out, fmt.Sprintf("VIP %s (%s): %s", v.Name, v.Address, v.Problem))
		}
	}
	for _, n := range st.Nodes {
		switch {
		case !n.Reached:
			out = append(out, fmt.Sprintf("node %s (%s) does not answer %s: is its agent running, and is the network between them up?", n.ID, n.Addr, st.Node))
		case !n.Lease.Held && n.Role != fsm.Witness && n.Phase == PhaseReady:
			why := n.Lease.Reason
			if why == "" {
				why = "it does not reach a majority of the grantors"
			}
			out = append(out, fmt.Sprintf("node %s holds no lease and can carry no VIP: %s", n.ID, why))
		}
		if n.DataPlane.Problem != "" {
			out = append(out, fmt.Sprintf("node %s: data plane %s: %s", n.ID, n.DataPlane.Name, n.DataPlane.Problem))
		}
		for _, c := range n.Checks {
			if c.Verdict == fsm.Down {
				out = append(out, fmt.Sprintf("node %s: check %s fails%s: %s", n.ID, c.Name, c.consequence(), c.Detail))
			}
		}
		for _, p := range n.Problems {
			out = append(out, fmt.Sprintf("node %s: %s", n.ID, p))
		}
	}
	out = append(out, syncProblems(st.Nodes)...)
	for _, svc := range st.Services {
		if svc.Problem != "" {
			out = append(out, fmt.Sprintf("service %s: %s", svc.Name, svc.Problem))
		}
	}
	return out
}
