package cluster

import (
	"errors"
	"io/fs"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
)

// Memory keeps a node in memory, for clusters in virtual time: what was written survives the node that wrote it, as a disk
// does when a machine loses power after each fsync.
type Memory struct {
	mu       sync.Mutex
	locked   bool
	identity []byte
	stores   *memoryStores
}

type memoryStores struct {
	log       *raft.InmemStore
	snapshots *memorySnapshots
	lease     memoryLease
}

// NewMemory is an empty data directory.
func NewMemory() *Memory { return &Memory{} }

// Clone is what a crash leaves of the directory: all that is stored now. The process that dies may go on writing into the
// old one.
func (m *Memory) Clone() (*Memory, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Memory{identity: slices.Clone(m.identity)}
	if m.stores == nil {
		return c, nil
	}
	c.stores = &memoryStores{}
	var err error
	if c.stores.log, err = cloneLog(m.stores.log); err != nil {
		return nil, err
	}
	if c.stores.lease.d, err = m.stores.lease.Load(); err != nil {
		return nil, err
	}
	c.stores.snapshots = m.stores.snapshots.clone() // after the log, of which a new one may replace a part
	return c, nil
}

// cloneLog copies the log and what Raft keeps beside it. What is written later is read earlier: so the copy is what a disk
// held at some moment, even while it is written to.
func cloneLog(from *raft.InmemStore) (*raft.InmemStore, error) {
	to := raft.NewInmemStore()
	first, err := from.FirstIndex()
	if err != nil {
		return nil, err
	}
	last, err := from.LastIndex()
	if err != nil {
		return nil, err
	}
	for i := first; i <= last && i > 0; i++ {
		var entry raft.Log
		if err := from.GetLog(i, &entry); err != nil {
			continue // cut off meanwhile, or before a snapshot that was installed: Raft leaves a hole there
		}
		if err := to.StoreLog(&entry); err != nil {
			return nil, err
		}
	}
	voteTerm, err := from.GetUint64(keyVoteTerm)
	if err != nil {
		return nil, err
	}
	if who, err := from.Get(keyVoteCandidate); err == nil { // an error says that there is none
		if err := to.Set(keyVoteCandidate, slices.Clone(who)); err != nil {
			return nil, err
		}
	}
	term, err := from.GetUint64(keyTerm)
	if err != nil {
		return nil, err
	}
	return to, errors.Join(to.SetUint64(keyVoteTerm, voteTerm), to.SetUint64(keyTerm, term))
}

// Lock implements StoreFactory.
func (m *Memory) Lock() (func() error, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked {
		return nil, errors.New("memory store is in use")
	}
	m.locked = true
	return func() error {
		m.mu.Lock()
		m.locked = false
		m.mu.Unlock()
		return nil
	}, nil
}

// Identity implements StoreFactory.
func (m *Memory) Identity() IdentityStore { return memoryIdentity{m} }

// Open implements StoreFactory.
func (m *Memory) Open(fresh bool) (*Stores, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stores == nil {
		if !fresh {
			return nil, damaged("memory store", fs.ErrNotExist)
		}
		m.stores = &memoryStores{log: raft.NewInmemStore(), snapshots: new(memorySnapshots)}
	}
	return &Stores{
		Log:       memoryLog{m.stores.log},
		Stable:    newVoteOrder(m.stores.log),
		Snapshots: m.stores.snapshots,
		Lease:     &m.stores.lease,
		Close:     func() error { return nil },
	}, nil
}

// memoryLog deletes only what is there: in Raft's store, after a deletion from an empty log, the last entry is 2⁶⁴-1.
type memoryLog struct{ *raft.InmemStore }

// DeleteRange implements raft.LogStore.
func (l memoryLog) DeleteRange(from, to uint64) error {
	first, err := l.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.LastIndex()
	if from, to = max(from, first), min(to, last); err != nil || last == 0 || from > to {
		return err
	}
	return l.InmemStore.DeleteRange(from, to)
}

// Retire implements StoreFactory.
func (m *Memory) Retire() error {
	m.mu.Lock()
	m.stores = nil
	m.mu.Unlock()
	return nil
}

type memoryIdentity struct{ m *Memory }

func (memoryIdentity) String() string { return "identity in memory" }

func (i memoryIdentity) Load() ([]byte, error) {
	i.m.mu.Lock()
	defer i.m.mu.Unlock()
	if i.m.identity == nil {
		return nil, fs.ErrNotExist
	}
	return i.m.identity, nil
}

func (i memoryIdentity) Save(b []byte) error {
	i.m.mu.Lock()
	i.m.identity = append([]byte(nil), b...)
	i.m.mu.Unlock()
	return nil
}

// memoryLease keeps a grantor's promises.
type memoryLease struct {
	mu sync.Mutex
	d  lease.Durable
}

// Load implements lease.DurableStore.
func (l *memoryLease) Load() (lease.Durable, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.Clone(), nil
}

// Save implements lease.DurableStore.
func (l *memoryLease) Save(d lease.Durable) error {
	l.mu.Lock()
	l.d = d.Clone()
	l.mu.Unlock()
	return nil
}
