package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// candidacy is how long a candidate is given before the next one in turn stands, too: until its request has surely come to the others. Two
// who stand at the same time divide the votes, and then Raft's timeouts pass; 5 ms was not enough in one of twelve elections on a busy machine.
func candidacy(p fsm.Profile) time.Duration { return p.Timing().Raft * 2 / 5 }

// outrun reports whether a lease ends before Raft's followers have surely missed their leader: after one to two of its timeouts.
func outrun(p fsm.Profile) bool { return p.Timing().TTL < 2*p.Timing().Raft }

// succeed stands for election in place of a leader that a majority of the grantors does not hear, when it is this node's turn, where the lease
// is faster than Raft.
//
// It takes the way of a leader that hands over (Raft's TimeoutNow, to this node itself), without the question whether others would vote:
// they would not as long as they believe in the leader, and the majority has answered it. Raft's rules of who may be elected are untouched.
// A leader that Raft hears is left alone, whatever the lease hears.
func (c *consensus) succeed(ctx context.Context, e lease.LeaderSilent) {
	trans, p := c.trans.Load(), c.running.Load()
	if trans == nil || p == nil || !outrun(*p) || !pause(ctx, time.Duration(e.Turn)*candidacy(*p)) {
		return
	}
	// The last heartbeat may be young yet; after Raft's timeout its followers stand by themselves.
	for end := time.Now().Add(p.Timing().Raft); time.Now().Before(end) && trans.mayFollow(e.Leader, c.self); {
		if trans.misses(*p) && trans.stand(raft.RPC{Command: c.timeoutNow(trans), RespChan: make(chan raft.RPCResponse, 1)}) {
			c.log.Info("standing for election", "peer", string(e.Leader), "reason", "a majority of the grantors does not hear the leader")
			return
		}
		if !pause(ctx, time.Millisecond) {
			return
		}
	}
}

// timeoutNow is the request to stand for election at once, from this node.
func (c *consensus) timeoutNow(trans *raftTransport) *raft.TimeoutNowRequest {
	return &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(c.self), Addr: trans.EncodePeer(c.self, trans.LocalAddr()),
	}}
}

// mayFollow reports whether this node is a voter that follows that leader, or nobody: one that has refused another candidate, whose log
// was older, knows of no leader.
func (t *raftTransport) mayFollow(n fsm.NodeID, self raft.ServerID) bool {
	r := t.raft.Load()
	if r == nil || r.State() != raft.Follower {
		return false
	}
	if _, id := r.LeaderWithID(); id != "" {
		if leader, ok := splitServerID(id); !ok || leader.Node != n {
			return false
		}
	}
	// Raft looks for its vote before it stands by itself, not when it is told to.
	return slices.ContainsFunc(r.GetConfiguration().Configuration().Servers, func(s raft.Server) bool { return s.ID == self && s.Suffrage == raft.Voter })
}

// misses reports whether neither a leader nor a candidate that this node voted for was heard for one and a half intervals of heartbeats.
func (t *raftTransport) misses(p fsm.Profile) bool {
	r := t.raft.Load()
	return r != nil && time.Since(r.LastContact()) > beatOf(p)*3/2
}
