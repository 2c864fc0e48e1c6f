package lease

import (
	"maps"
	"sync"
	"time"

	"quorate/fsm"
)

// Durable is what a grantor may never forget. It is on disk before it is relied upon, and kept for ever (design §3
// Grantor).
type Durable struct {
	// Floors: this grantor refuses a node at epochs ≤ its floor.
	Floors map[fsm.NodeID]fsm.Epoch
	// SetFloor: it refuses Renews that name a grantor set older than this index.
	SetFloor uint64
	// Cap is the longest ttl that it grants. After a start every node is taken to have a grant of that length.
	Cap time.Duration
	// Promises counts the changes that were made durable.
	Promises uint64
}

// Clone returns a copy that shares nothing with d.
func (d Durable) Clone() Durable {
	d.Floors = maps.Clone(d.Floors)
	return d
}

// DurableStore keeps a Durable. Save returns once the value is on stable storage and replaces the earlier one as a whole.
// It is called from one goroutine.
type DurableStore interface {
	Load() (Durable, error)
	Save(Durable) error
}

// MemoryStore is a DurableStore that lives as long as its variable: for simulations, in which it survives a process that
// "crashes". The zero value is a new store. It is safe for concurrent use.
type MemoryStore struct {
	mu sync.Mutex
	d  Durable
}

// Load implements DurableStore.
func (s *MemoryStore) Load() (Durable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.d.Clone(), nil
}

// Save implements DurableStore.
func (s *MemoryStore) Save(d Durable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.d = d.Clone()
	return nil
}
