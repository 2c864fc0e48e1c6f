package cluster

import (
	"errors"
	"io/fs"
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
	snapshots *raft.InmemSnapshotStore
	lease     memoryLease
}

// NewMemory is an empty data directory.
func NewMemory() *Memory { return &Memory{} }

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
		m.stores = &memoryStores{log: raft.NewInmemStore(), snapshots: raft.NewInmemSnapshotStore()}
	}
	return &Stores{
		Log:       m.stores.log,
		Stable:    newVoteOrder(m.stores.log),
		Snapshots: m.stores.snapshots,
		Lease:     &m.stores.lease,
		Close:     func() error { return nil },
	}, nil
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
