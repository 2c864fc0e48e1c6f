package cluster

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/hashicorp/raft"
)

// memorySnapshots keeps the newest snapshots. As on a disk, one is there when it is complete, and not before; in Raft's own
// store in memory it replaces its predecessor when it is begun, so that a crash would leave a part of it.
type memorySnapshots struct {
	mu     sync.Mutex
	all    []memorySnapshot // the newest first
	serial int
}

// memorySnapshot never changes.
type memorySnapshot struct {
	meta  *raft.SnapshotMeta
	bytes []byte
}

func (m *memorySnapshots) clone() *memorySnapshots {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &memorySnapshots{all: slices.Clone(m.all), serial: m.serial}
}

// Create implements raft.SnapshotStore.
func (m *memorySnapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, cIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != 1 {
		return nil, fmt.Errorf("unsupported snapshot version %d", version)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serial++
	return &memorySink{store: m, meta: raft.SnapshotMeta{
		Version: version, ID: fmt.Sprintf("%d-%d-%d", term, index, m.serial), Index: index, Term: term,
		Configuration: raft.Configuration{Servers: slices.Clone(c.Servers)}, ConfigurationIndex: cIndex,
	}}, nil
}

// List implements raft.SnapshotStore.
func (m *memorySnapshots) List() ([]*raft.SnapshotMeta, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*raft.SnapshotMeta
	for _, s := range m.all {
		out = append(out, s.meta)
	}
	return out, nil
}

// Open implements raft.SnapshotStore.
func (m *memorySnapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.all {
		if s.meta.ID == id {
			return s.meta, io.NopCloser(bytes.NewReader(s.bytes)), nil
		}
	}
	return nil, nil, fmt.Errorf("snapshot %s is not there", id)
}

type memorySink struct {
	store *memorySnapshots
	meta  raft.SnapshotMeta
	buf   bytes.Buffer
	over  bool
}

// Write implements raft.SnapshotSink.
func (s *memorySink) Write(b []byte) (int, error) { return s.buf.Write(b) }

// ID implements raft.SnapshotSink.
func (s *memorySink) ID() string { return s.meta.ID }

// Close implements raft.SnapshotSink. The snapshot is there from now on.
func (s *memorySink) Close() error {
	m := s.store
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.over {
		return nil
	}
	s.over = true
	s.meta.Size = int64(s.buf.Len())
	m.all = append([]memorySnapshot{{&s.meta, s.buf.Bytes()}}, m.all...)
	slices.SortStableFunc(m.all, func(a, b memorySnapshot) int {
		return cmp.Or(cmp.Compare(b.meta.Term, a.meta.Term), cmp.Compare(b.meta.Index, a.meta.Index))
	})
	m.all = m.all[:min(len(m.all), keptSnapshots)]
	return nil
}

// Cancel implements raft.SnapshotSink.
func (s *memorySink) Cancel() error {
	s.over = true
	return nil
}
