package cluster

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// answers is what the peers of a leader have answered. Raft knows it too, but does not tell.
type answers struct {
	mu    sync.Mutex
	peers map[raft.ServerID]answer
}

// answer is the last answer of a peer.
type answer struct {
	at      time.Time
	term    uint64 // in which matched was learnt
	matched uint64 // up to this entry the peer's log is the leader's; 0 = not known
}

// note takes the answer to entries that were sent. A heartbeat, which has none and names no previous one, only proves life.
func (c *answers) note(id raft.ServerID, sent *raft.AppendEntriesRequest, got *raft.AppendEntriesResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peers == nil {
		c.peers = make(map[raft.ServerID]answer)
	}
	x := c.peers[id]
	x.at = time.Now()
	if x.term < sent.Term {
		x.term, x.matched = sent.Term, 0
	}
	if got.Success && x.term == sent.Term {
		last := sent.PrevLogEntry
		if n := len(sent.Entries); n > 0 {
			last = sent.Entries[n-1].Index
		}
		x.matched = max(x.matched, last)
	}
	c.peers[id] = x
}

// within reports whether the peer has answered in the last d.
func (c *answers) within(id raft.ServerID, d time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.peers[id]
	return ok && time.Since(x.at) <= d
}

// has reports whether the peer's log has the leader's entry of this index, and all before it.
func (c *answers) has(id raft.ServerID, term, index uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.peers[id]
	return x.term == term && x.matched >= index
}
