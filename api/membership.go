package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quorate/fsm"
)

// Member is one node of the cluster as this node sees it.
type Member struct {
	ID            fsm.NodeID `json:"id"`
	Addr          string     `json:"addr" doc:"host:port at which peers reach it"`
	Role          fsm.Role   `json:"role" doc:"director or witness"`
	Zone          string     `json:"zone,omitempty"`
	Weight        int        `json:"weight"`
	Voter         bool       `json:"voter" doc:"It counts for the majority"`
	Leader        bool       `json:"leader"`
	Grantor       bool       `json:"grantor" doc:"It grants leases, a moment after it has become a voter"`
	Alive         bool       `json:"alive" doc:"Gossip reaches it; a hint, nothing is decided by it"`
	Draining      bool       `json:"draining"`
	Leaving       bool       `json:"leaving"`
	LastContactMS int64      `json:"last_contact_ms,omitempty" doc:"Since it was last heard of, where this node knows"`
	Applied       uint64     `json:"applied,omitempty" doc:"Last entry that it is known to have applied"`
	Version       string     `json:"version,omitempty"`
}

// Members is the answer of /v1/members.
type Members struct {
	Node    fsm.NodeID `json:"node" doc:"The node that answers"`
	Index   uint64     `json:"index"`
	Members []Member   `json:"members" nullable:"false"`
}

// Token lets a node join.
type Token struct {
	Token string `json:"token"`
	Addr  string `json:"addr" doc:"Where to join: this node's address"`
	Join  string `json:"join" doc:"The command to run on the other node"`
}

// Bootstrapped is the answer of /v1/bootstrap.
type Bootstrapped struct {
	ClusterID  string     `json:"cluster_id"`
	Node       fsm.NodeID `json:"node"`
	Token      string     `json:"token,omitempty" doc:"Only over the unix socket"`
	Addr       string     `json:"addr"`
	Join       string     `json:"join,omitempty" doc:"The command to run on the other nodes; only over the unix socket"`
	Redundancy string     `json:"redundancy,omitempty" doc:"What the cluster cannot survive, and the cure"`
}

// JoinRequest names a cluster by one of its members.
type JoinRequest struct {
	Addr  string `json:"addr" doc:"host:port of any member" example:"10.0.0.1:7300" minLength:"1" maxLength:"300"`
	Token string `json:"token" doc:"From quorate token on a member" minLength:"1" maxLength:"4096"`
}

// Joined is the answer of /v1/join, /v1/leave and /v1/nodes/{id}/remove.
type Joined struct {
	ClusterID  string     `json:"cluster_id" doc:"Empty when a node gave up joining before it heard of the cluster"`
	Node       fsm.NodeID `json:"node"`
	Redundancy string     `json:"redundancy,omitempty" doc:"What the cluster cannot survive from now on, and the cure"`
	Note       string     `json:"note,omitempty" doc:"What may be left to do"`
}

type (
	membersOutput  struct{ Body Members }
	tokenOutput    struct{ Body Token }
	bootstrapInput struct {
		Profile fsm.Profile `query:"profile" enum:"lan,wan" doc:"Timing profile of the new cluster, until a configuration names another; lan when left out"`
	}
	bootstrapOutput struct{ Body Bootstrapped }
	joinInput       struct{ Body JoinRequest }
	joinedOutput    struct{ Body Joined }
	leaveInput      struct {
		Wait string `query:"wait" doc:"How long to wait until it is done, e.g. 60s; empty = 5 minutes" example:"60s"`
	}
)

func (s *Server) registerMembership(h huma.API) {
	huma.Register(h, huma.Operation{
		OperationID: "bootstrap", Method: "POST", Path: "/v1/bootstrap", Tags: []string{"cluster"},
		Summary:     "Make this node the first of a new cluster",
		Description: "Refused with already-member when the agent belongs to a cluster.",
	}, s.bootstrap)
	huma.Register(h, huma.Operation{
		OperationID: "join", Method: "POST", Path: "/v1/join", Tags: []string{"cluster"}, MaxBodyBytes: maxBody,
		Summary:     "Add this node to a cluster",
		Description: "Answers when the node is a member. Refused with already-member, bad-token, name-taken or unreachable.",
	}, s.join)
	huma.Register(h, huma.Operation{
		OperationID: "leave", Method: "POST", Path: "/v1/leave", Tags: []string{"cluster"},
		Summary:     "Take this node out of its cluster",
		Description: "Hands its VIPs over first and answers when it is no member any more. A node that is joining gives that up.",
	}, func(ctx context.Context, in *leaveInput) (*joinedOutput, error) {
		wait, err := ParseWait(in.Wait)
		if err != nil {
			return nil, invalidRequest("query.wait", "%v", err)
		}
		if _, known := s.reader.State().Nodes[s.reporter.Local().Node]; known {
			if _, err := s.fresh(ctx); err != nil { // without a majority nothing begins
				return nil, err
			}
		}
		return s.leave(ctx, "", wait)
	})
	huma.Register(h, huma.Operation{
		OperationID: "node-remove", Method: "POST", Path: "/v1/nodes/{id}/remove", Tags: []string{"cluster"},
		Summary:     "Take a node out of the cluster, whether it answers or not",
		Description: "For a machine that is lost, or whose data directory is. What it owned goes to others first.",
	}, func(ctx context.Context, in *resumeInput) (*joinedOutput, error) {
		st, err := s.fresh(ctx)
		if err != nil {
			return nil, err
		}
		id := fsm.NodeID(in.ID)
		if _, known := st.Nodes[id]; !known {
			return nil, noSuchNode(st, id)
		}
		return s.leave(ctx, id, 0)
	})
	huma.Register(h, huma.Operation{
		OperationID: "token", Method: "GET", Path: "/v1/token", Tags: []string{"cluster"},
		Summary:     "The join token",
		Description: "Only over the unix socket: the token is the key of the cluster.",
	}, s.token)
	huma.Register(h, huma.Operation{
		OperationID: "members", Method: "GET", Path: "/v1/members", Tags: []string{"cluster"},
		Summary: "The nodes of the cluster",
	}, func(context.Context, *struct{}) (*membersOutput, error) {
		st, err := s.agreed()
		if err != nil {
			return nil, err
		}
		return &membersOutput{Body: Members{Node: s.reporter.Local().Node, Index: st.Index, Members: s.members(st)}}, nil
	})
}

func (s *Server) bootstrap(ctx context.Context, in *bootstrapInput) (*bootstrapOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, slowLimit)
	defer cancel()
	token, err := s.membership.Bootstrap(ctx, cmp.Or(in.Profile, fsm.LAN))
	if err != nil {
		return nil, problemOf(err)
	}
	st, err := s.await(ctx, func(st *fsm.State) bool { return st.ClusterID != "" })
	if err != nil {
		return nil, problemOf(err)
	}
	me := s.reporter.Local()
	b := Bootstrapped{ClusterID: st.ClusterID, Node: me.Node, Addr: addrOf(st, me), Redundancy: redundancyOf(st, "")}
	if peerOf(ctx).local {
		b.Token, b.Join = token, joinCommand(b.Addr, token)
	}
	return &bootstrapOutput{Body: b}, nil
}

func (s *Server) join(ctx context.Context, in *joinInput) (*joinedOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, slowLimit)
	defer cancel()
	if err := s.membership.Join(ctx, in.Body.Addr, in.Body.Token); err != nil {
		return nil, problemOf(err)
	}
	me := s.reporter.Local().Node
	st, err := s.await(ctx, func(st *fsm.State) bool { _, known := st.Nodes[me]; return known })
	if err != nil {
		return nil, problemOf(fmt.Errorf("joined, but the cluster's state has not arrived here yet: %w", err))
	}
	return &joinedOutput{Body: Joined{ClusterID: st.ClusterID, Node: me, Redundancy: redundancyOf(st, "")}}, nil
}

// leave takes a node out, "" is this one, and waits for it; 0 is slowLimit.
func (s *Server) leave(ctx context.Context, id fsm.NodeID, wait time.Duration) (*joinedOutput, error) {
	if err := s.member(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(wait, slowLimit))
	defer cancel()
	st := s.reader.State()
	out := Joined{ClusterID: st.ClusterID, Node: cmp.Or(id, s.reporter.Local().Node)}
	if _, known := st.Nodes[out.Node]; known {
		out.Redundancy = redundancyOf(st, out.Node)
	} else {
		out.Note = fmt.Sprintf("%[1]s had not become a member yet; should `quorate members` of the cluster list it, take it out there: quorate node remove %[1]s", out.Node)
	}
	if err := s.membership.Leave(ctx, id); err != nil {
		return nil, problemOf(err)
	}
	return &joinedOutput{Body: out}, nil
}

func (s *Server) token(ctx context.Context, _ *struct{}) (*tokenOutput, error) {
	if !peerOf(ctx).local {
		return nil, newError(CodeForbidden, "the join token is given out over the unix socket only: run `quorate token` on that machine")
	}
	st, err := s.agreed()
	if err != nil {
		return nil, err
	}
	token, err := s.membership.Token()
	if err != nil {
		return nil, problemOf(err)
	}
	addr := addrOf(st, s.reporter.Local())
	return &tokenOutput{Body: Token{Token: token, Addr: addr, Join: joinCommand(addr, token)}}, nil
}

// members joins what the backend sees with what is agreed, sorted by name. An agreed node that the backend does not know
// yet is listed as not alive.
func (s *Server) members(st *fsm.State) []Member {
	seen := map[fsm.NodeID]bool{}
	out := make([]Member, 0, len(st.Nodes))
	for _, m := range s.inspector.Members() {
		seen[m.ID] = true
		out = append(out, m)
	}
	for id, n := range st.Nodes {
		if !seen[id] {
			out = append(out, Member{ID: id, Addr: n.Addr})
		}
	}
	for i := range out {
		m := &out[i]
		n, ok := st.Nodes[m.ID]
		if !ok {
			continue
		}
		m.Role, m.Zone, m.Weight = n.Role, n.Zone, n.Weight
		m.Grantor = st.Grantors.Has(fsm.Grantor{Node: m.ID, Store: n.Store})
		m.Draining, m.Leaving, m.Version = n.Draining, n.Leaving, n.Facts.Version
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func addrOf(st *fsm.State, me NodeStatus) string {
	if n, ok := st.Nodes[me.Node]; ok && n.Addr != "" {
		return n.Addr
	}
	return me.Addr
}

func joinCommand(addr, token string) string {
	return "quorate join " + addr + " --token " + token
}
