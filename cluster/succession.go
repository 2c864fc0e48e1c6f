package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// candidacy is how long a candidate is given before the next one in turn stands, too: until its request has surely come to the others. Two
// who stand at the same time divide the votes, and then Raft's timeouts pass; 5 ms was not enough in one of twelve elections on a busy machine.
func candidacy(p fsm.Profile) time.Duration { return p.Timing().Raft * 2 / 5 }

// succeed stands for election in place of a leader that a majority of the grantors does not hear, when it is this node's turn. Raft's own
// followers wait for one to two of its timeouts, which is longer than a lease where that is short (fast).
//
// It takes the way of a leader that hands over (Raft's TimeoutNow, to this node itself), without the question whether others
// would vote: they would not as long as they believe in the leader, and the majority has answered it. Raft's rules of who may be elected are
// untouched. A leader that was heard by Raft within its interval of heartbeats is left alone, whatever the lease hears.
func (c *consensus) succeed(ctx context.Context, e lease.LeaderSilent) {
	p := c.running.Load()
	if p == nil || !c.misses(e.Leader) || !pause(ctx, time.Duration(e.Turn)*candidacy(*p)) || !c.misses(e.Leader) {
		return
	}
	trans := c.trans.Load()
	if trans == nil {
		return
	}
	c.log.Info("standing for election", "peer", string(e.Leader), "reason", "a majority of the grantors does not hear the leader")
	trans.hand(raft.RPC{
		Command: &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
			ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(c.self), Addr: trans.EncodePeer(c.self, trans.LocalAddr()),
		}},
		RespChan: make(chan raft.RPCResponse, 1), // nobody waits for the answer
	})
}

// misses reports whether this node follows that leader still, and has not heard it for longer than it is silent when it lives.
func (c *consensus) misses(n fsm.NodeID) bool {
	r, p := c.raft.Load(), c.running.Load()
	leader, known := c.leader()
	return r != nil && p != nil && known && leader.Node == n && r.State() == raft.Follower && time.Since(r.LastContact()) > beatOf(*p)
}
