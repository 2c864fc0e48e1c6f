package cluster

import (
	"bytes"
	"sync"

	"github.com/hashicorp/raft"
)

// voteOrder makes Raft's vote atomic enough.
//
// Raft stores a vote as two values, first the term, then the candidate (raft.go, persistVote). A crash between the two
// leaves the new term beside the candidate of an earlier vote, and that candidate's request in the new term is then taken
// for a repetition and granted without comparing logs. Stored in the other order, what a crash leaves is harmless: requests
// of the old term are refused, because the current term was stored before.
//
// And it does not write a term that is stored already. Raft handles heartbeats beside its main goroutine (raft.go,
// processHeartbeat), and one that finds a candidate sets the current term to its own: to the same value. While that was being
// written, the main goroutine could win an election in the next term, and be set back by the end of the write: a leader with
// a term that its followers have left, for good.
type voteOrder struct {
	raft.StableStore
	mu   sync.Mutex
	term *uint64 // held back until the candidate comes
}

// Keys of raft.go.
var (
	keyTerm          = []byte("CurrentTerm")
	keyVoteTerm      = []byte("LastVoteTerm")
	keyVoteCandidate = []byte("LastVoteCand")
)

func newVoteOrder(s raft.StableStore) raft.StableStore {
	return &voteOrder{StableStore: s}
}

// SetUint64 implements raft.StableStore.
func (v *voteOrder) SetUint64(key []byte, val uint64) error {
	if bytes.Equal(key, keyTerm) {
		if now, err := v.StableStore.GetUint64(key); err == nil && now == val {
			return nil
		}
	}
	if !bytes.Equal(key, keyVoteTerm) {
		return v.StableStore.SetUint64(key, val)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.term = &val
	return nil
}

// Set implements raft.StableStore.
func (v *voteOrder) Set(key, val []byte) error {
	if err := v.StableStore.Set(key, val); err != nil || !bytes.Equal(key, keyVoteCandidate) {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.term == nil {
		return nil
	}
	term := *v.term
	v.term = nil
	return v.StableStore.SetUint64(keyVoteTerm, term)
}
