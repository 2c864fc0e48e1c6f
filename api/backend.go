package api

import (
	"context"

	"quorate/fsm"
)

// DefaultSocket is where an agent listens unless told otherwise.
const DefaultSocket = "/run/quorate/quorate.sock"

// Reader gives the agreed state. All methods may be called from any goroutine.
type Reader interface {
	// State is the last state applied on this node: immutable, never nil, possibly old.
	State() *fsm.State
	// Read returns a state at least as new as every write that was answered before the call, which a quorum has
	// confirmed. Without a quorum it waits until ctx ends.
	Read(ctx context.Context) (*fsm.State, error)
	// Changed is closed when State next changes. Get it before State, or a change between the two is missed.
	Changed() <-chan struct{}
}

// Proposer commits a command. The error is that of fsm.State.Apply (errors.Is with fsm's sentinels holds, whichever node
// applied it), [ErrNoQuorum], or the context's.
type Proposer interface {
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
}

// Membership changes what this agent is a member of.
type Membership interface {
	// Bootstrap makes this node the first of a new cluster, with this timing profile, and returns the token with which others join.
	Bootstrap(ctx context.Context, profile fsm.Profile) (token string, err error)
	// Join adds this node to the cluster of the agent at addr ("host:port").
	Join(ctx context.Context, addr, token string) error
	// Leave hands a node's VIPs over, then removes it from the cluster; it returns when that is done. "" is this node;
	// another one is removed whether it answers or not.
	Leave(ctx context.Context, node fsm.NodeID) error
	// Token is the current join token.
	Token() (string, error)
}

// Inspector tells what this node knows of the others, apart from what is agreed.
type Inspector interface {
	// Members of the cluster, this node included, in any order. Zone, weight and drain state are filled in from the
	// agreed state by the server.
	Members() []Member
	// Leader as this node knows it.
	Leader() (fsm.NodeID, bool)
	// Hints for a preview. What they say of nodes counts only where this node leads; Now is always set.
	Hints() fsm.Hints
}

// Reporter tells what a node's own kernel and programs do.
type Reporter interface {
	// Local is this node's report. It never waits for the network.
	Local() NodeStatus
	// Ask fetches another node's report.
	Ask(ctx context.Context, node fsm.NodeID) (NodeStatus, error)
}

// Observatory tells what nodes see of real servers.
type Observatory interface {
	// View is what a node sees of a server: Sees, Through, Asked, Probes and Problem.
	View(ctx context.Context, node fsm.NodeID, server fsm.ServerKey) (ServerView, error)
	// Disputed are the servers of which an observer has told the leader something else than what is agreed.
	Disputed(ctx context.Context) ([]fsm.ServerKey, error)
}

// Balancer tells what the data planes hold.
type Balancer interface {
	// Traffic is what a director's kernel counts, at most about a second old. The services that are named and not known there are left out.
	Traffic(ctx context.Context, node fsm.NodeID, q TrafficQuery) ([]ServiceTraffic, error)
	// Connections reads up to q.Limit of a director's connections.
	Connections(ctx context.Context, node fsm.NodeID, q ConnectionQuery) (Connections, error)
	// IPVSAdm is what a director's kernel has of our services, or with "" what is agreed of all of them.
	IPVSAdm(ctx context.Context, node fsm.NodeID) (IPVSAdm, error)
}

// Examiner looks at what a configuration needs of the machines of the cluster.
type Examiner interface {
	// Examine asks the directors that are concerned whether they have the files that the checks name, as they have to be. It does not wait long for a
	// director that does not answer, and warns of it.
	Examine(ctx context.Context, c fsm.Config) (problems, warnings fsm.Problems)
}
