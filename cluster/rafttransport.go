package cluster

import (
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// raftTransport is Raft's transport, which lets heartbeats pass beside Raft's main goroutine only where they change nothing.
//
// Raft takes heartbeats from the connection's goroutine, so that a slow disk does not hold them up (raft.go,
// processHeartbeat). But one that comes to a candidate, or in a newer term, writes the term and makes a follower of the node,
// in parallel to the main goroutine, which may win an election in a still newer term while that write is under way, and be
// set back by its end: a leader in a term that its followers have left, which commits nothing and is not replaced. So such a
// heartbeat takes the way of all other requests.
type raftTransport struct {
	*raft.NetworkTransport
	rpcs chan raft.RPC
	done chan struct{}
	raft atomic.Pointer[raft.Raft] // nil = all goes to the main goroutine
}

// newRaftTransport takes t over. Its goroutine ends with stop.
func newRaftTransport(t *raft.NetworkTransport) *raftTransport {
	out := &raftTransport{NetworkTransport: t, rpcs: make(chan raft.RPC), done: make(chan struct{})}
	go func() {
		for {
			select {
			case rpc := <-t.Consumer():
				out.hand(rpc)
			case <-out.done:
				return
			}
		}
	}()
	return out
}

// stop ends it, after Raft.
func (t *raftTransport) stop() {
	close(t.done)
	_ = t.Close()
	t.CloseStreams()
}

// hand gives a request to the main goroutine.
func (t *raftTransport) hand(rpc raft.RPC) {
	select {
	case t.rpcs <- rpc:
	case <-t.done:
		rpc.Respond(nil, raft.ErrTransportShutdown)
	}
}

// Consumer implements raft.Transport.
func (t *raftTransport) Consumer() <-chan raft.RPC { return t.rpcs }

// SetHeartbeatHandler implements raft.Transport.
func (t *raftTransport) SetHeartbeatHandler(beat func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		if t.plain(rpc) {
			beat(rpc)
		} else {
			t.hand(rpc)
		}
	})
}

// plain reports whether a heartbeat finds a follower in its own term.
func (t *raftTransport) plain(rpc raft.RPC) bool {
	r := t.raft.Load()
	req, ok := rpc.Command.(*raft.AppendEntriesRequest)
	return ok && r != nil && r.State() == raft.Follower && r.CurrentTerm() == req.Term
}
