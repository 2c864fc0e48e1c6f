package cluster

import (
	"fmt"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
)

// StoreFactory is where a node keeps what must survive: a data directory, or, in a simulation, memory that outlives a
// simulated crash (see NewMemory).
type StoreFactory interface {
	// Lock keeps other processes out until unlock. It comes before everything else, the start time of the lease included.
	Lock() (unlock func() error, err error)
	// Identity is there before membership.
	Identity() IdentityStore
	// Open opens what a member keeps. fresh says that the store was never part of a cluster's decisions, so that what is
	// missing is made; otherwise a missing file is as bad as a damaged one: promises and votes would be forgotten. The error
	// names the file and what to do.
	Open(fresh bool) (*Stores, error)
	// Retire puts what a member kept aside for good, after the cluster has confirmed that the member is no more. The
	// stores must be closed.
	Retire() error
}

// IdentityStore keeps one small document. Load returns fs.ErrNotExist when there is none. Save is atomic and durable.
type IdentityStore interface {
	fmt.Stringer // where it is, for messages
	Load() ([]byte, error)
	Save([]byte) error
}

// Stores are what a member keeps.
type Stores struct {
	Log       raft.LogStore
	Stable    raft.StableStore
	Snapshots raft.SnapshotStore
	Lease     lease.DurableStore
	Close     func() error
}

// last is the last entry that the stores have got hold of. After a snapshot came from the leader the log may end before it, or
// be empty; counted by the log alone, a node that restarts then would seem to its peers to have gone back.
func (s *Stores) last() (uint64, error) {
	last, err := s.Log.LastIndex()
	if err != nil {
		return 0, fmt.Errorf("read the raft log: %w", err)
	}
	snap, _ := newestSnapshot(s.Snapshots) // what cannot be read has been reported when the stores were opened
	return max(last, snap), nil
}
