package cluster

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// raftTransport is Raft's transport, which lets heartbeats pass beside Raft's main goroutine only where they change nothing,
// and candidates be judged by their logs alone (judgeLog).
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
	logs raft.LogStore             // what Raft keeps its log in
	// standing is held while Raft begins a candidacy that it was told to: see stand.
	standing sync.RWMutex

	answers answers
}

// newRaftTransport takes t over. Its goroutine ends with stop.
func newRaftTransport(t *raft.NetworkTransport, logs raft.LogStore) *raftTransport {
	out := &raftTransport{NetworkTransport: t, logs: logs, rpcs: make(chan raft.RPC), done: make(chan struct{})}
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
	if _, is := rpc.Command.(*raft.TimeoutNowRequest); is {
		for !t.stand(rpc) {
			select {
			case <-time.After(time.Millisecond):
			case <-t.done:
				rpc.Respond(nil, raft.ErrTransportShutdown)
				return
			}
		}
		return
	}
	t.judgeLog(rpc)
	t.skipApplied(rpc)
	select {
	case t.rpcs <- rpc:
	case <-t.done:
		rpc.Respond(nil, raft.ErrTransportShutdown)
	}
}

// skipApplied takes out of entries what this node has applied, where its log no longer has the entry before them.
//
// Raft 1.7.3 looks for that entry in the log alone, and in the snapshot only when nothing follows that (raft.go, appendEntries). A node that
// has entries of an earlier term after a snapshot, and nothing of what the snapshot stands for, refuses whatever a new leader sends, its
// snapshots as well, as long as that leader leads: hashicorp/raft issues 86 and 205. What has been applied was committed, and so is
// what the leader has there (the Leader Completeness Property, Ongaro §3.6.3). A leader of an earlier term is refused by Raft before it looks.
func (t *raftTransport) skipApplied(rpc raft.RPC) {
	req, ok := rpc.Command.(*raft.AppendEntriesRequest)
	r := t.raft.Load()
	if !ok || r == nil {
		return
	}
	applied := r.AppliedIndex()
	if req.PrevLogEntry == 0 || req.PrevLogEntry > applied || req.PrevLogEntry == r.LastIndex() {
		return
	}
	var before raft.Log
	if err := t.logs.GetLog(req.PrevLogEntry, &before); !errors.Is(err, raft.ErrLogNotFound) {
		return
	}
	// What follows may be of another term: it is not committed by a leader's word about what is not in this request.
	req.LeaderCommitIndex = min(req.LeaderCommitIndex, req.PrevLogEntry+uint64(len(req.Entries)))
	req.Entries = req.Entries[min(uint64(len(req.Entries)), applied-req.PrevLogEntry):]
	req.PrevLogEntry, req.PrevLogTerm = 0, 0
}

// stand gives the main goroutine the request to stand for election (TimeoutNow), if it waits for requests at this moment: one that comes late,
// after a disk that hung, could depose a leader that was elected meanwhile, because Raft does not ask whom it follows.
//
// No heartbeat is taken beside it. Raft sets the state first and then the mark of such a candidacy (raft.go, timeoutNow); a heartbeat between the two
// would make a follower of it that keeps the mark, and stands without a pre-vote some other time.
func (t *raftTransport) stand(rpc raft.RPC) bool {
	t.standing.Lock()
	defer t.standing.Unlock()
	answer := make(chan raft.RPCResponse, 1)
	select {
	case t.rpcs <- raft.RPC{Command: rpc.Command, RespChan: answer}:
	default:
		return false
	}
	select {
	case a := <-answer:
		rpc.RespChan <- a
	case <-t.done:
		rpc.Respond(nil, raft.ErrTransportShutdown)
	}
	return true
}

// judgeLog makes Raft answer a candidate that its own configuration does not have as a voter.
//
// Raft refuses such a candidate (raft.go, requestVote and requestPreVote: "not in configuration", "not a voter"). But where
// this node lags behind the entry that gave the candidate its vote, and the candidate alone has all that may be committed,
// nobody can be elected any more. What decides is the candidate's configuration, not the voter's: “a server grants a vote to
// a candidate that is not part of its latest configuration” (Ongaro, Consensus: Bridging Theory and Practice, §4.1). DESIGN.md
// says why no removed server gets in that way.
//
// Raft looks at the candidate's id for this refusal alone; a vote is kept by the address, which names the server too. So the
// id becomes that of a voter that is known here.
func (t *raftTransport) judgeLog(rpc raft.RPC) {
	var from *raft.RPCHeader
	switch req := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		from = &req.RPCHeader
	case *raft.RequestPreVoteRequest:
		from = &req.RPCHeader
	default:
		return
	}
	r := t.raft.Load()
	if r == nil || len(from.Addr) == 0 { // no address: an old protocol, which is not spoken here
		return
	}
	servers := r.GetConfiguration().Configuration().Servers
	for _, s := range servers {
		if s.Suffrage == raft.Voter && s.ID == raft.ServerID(from.ID) {
			return
		}
	}
	for _, s := range servers {
		if s.Suffrage == raft.Voter {
			from.ID = []byte(s.ID)
			return
		}
	}
}

// errTermOver says that a peer has refused what was sent in a term that is over.
var errTermOver = errors.New("the term in which this was sent is over")

// isHeartbeat tells a heartbeat from entries, as Raft does (net_transport.go, handleCommand).
func isHeartbeat(a *raft.AppendEntriesRequest) bool {
	return a.Term != 0 && a.PrevLogEntry == 0 && a.PrevLogTerm == 0 && len(a.Entries) == 0 && a.LeaderCommitIndex == 0
}

// AppendEntries implements raft.Transport.
//
// A refusal of what was sent in an earlier term, or of a heartbeat in any, is an error here. To Raft it answers all who have asked whether
// it leads (beat), also those who asked in that earlier term and have their answer: a leader that has just been elected would step down for it
// (replication.go, notifyAll; raft.go, leaderLoop). A refused heartbeat would count as contact with a follower besides. A leader that is
// deposed learns it from the refusal of entries, or from the silence.
func (t *raftTransport) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	err := t.NetworkTransport.AppendEntries(id, target, args, resp)
	if err == nil {
		t.answers.note(id, args, resp)
		if !resp.Success && (isHeartbeat(args) || t.over(args.Term)) {
			return errTermOver
		}
	}
	return err
}

// over reports whether this node does not lead the term.
func (t *raftTransport) over(term uint64) bool {
	r := t.raft.Load()
	return r == nil || r.State() != raft.Leader || r.CurrentTerm() != term
}

// Consumer implements raft.Transport.
func (t *raftTransport) Consumer() <-chan raft.RPC { return t.rpcs }

// SetHeartbeatHandler implements raft.Transport.
func (t *raftTransport) SetHeartbeatHandler(beat func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		t.standing.RLock()
		plain := t.plain(rpc)
		if plain {
			beat(rpc)
		}
		t.standing.RUnlock()
		if !plain {
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
