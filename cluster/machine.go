package cluster

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// machine is the replicated state machine as Raft sees it. It only ever goes forward: Raft is started anew when the timing
// profile changes, and then restores a snapshot and entries that were applied before.
type machine struct {
	view *view
	// applied is called after each step, in order; it must not block.
	applied func(*fsm.State)
	// configured is called when a change of Raft's members was committed.
	configured func()

	// changed is the index of the last applied entry that was not empty.
	changed atomic.Uint64

	// writing is held while a snapshot is written, and while one is loaded. A channel, because the disk may take long.
	writing chan struct{}
	loaded  atomic.Uint64 // counts the snapshots that were loaded

	origin time.Time
	since  atomic.Int64 // when the Apply under way began, in nanoseconds since origin; 0 = none

	once   sync.Once
	failed chan struct{}
	err    error // set before failed is closed
}

func newMachine(v *view, applied func(*fsm.State)) *machine {
	return &machine{view: v, applied: applied, writing: make(chan struct{}, 1), origin: time.Now(), failed: make(chan struct{})}
}

// busy is for how long the entry being applied has been worked on; 0 when the machine is idle.
func (m *machine) busy() time.Duration {
	since := m.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(m.origin) - time.Duration(since)
}

// fail stops the machine for good: it applies nothing more.
func (m *machine) fail(err error) {
	m.once.Do(func() {
		m.err = err
		close(m.failed)
	})
}

func (m *machine) broken() error {
	select {
	case <-m.failed:
		return m.err
	default:
		return nil
	}
}

// Apply implements raft.FSM; its value is an fsm.Result.
func (m *machine) Apply(l *raft.Log) any {
	if err := m.broken(); err != nil {
		return fsm.Result{Index: l.Index, Err: err}
	}
	s := m.view.state.Load()
	if l.Index <= s.Index {
		return fsm.Result{Index: l.Index, Err: fmt.Errorf("%w: entry %d was applied before", ErrUncertain, l.Index)}
	}
	m.since.Store(int64(max(1, time.Since(m.origin))))
	defer m.since.Store(0)
	c, err := fsm.Decode(l.Data)
	if err != nil {
		// Going on without the entry would make another state of it than the other replicas have.
		m.fail(fmt.Errorf("entry %d of the log cannot be applied: %w", l.Index, err))
		return fsm.Result{Index: l.Index, Err: m.err}
	}
	next, result := s.Apply(l.Index, c)
	if c.Kind() != "empty" {
		m.changed.Store(l.Index)
	}
	m.publish(next)
	return result
}

// tenure is the machine as one run of Raft sees it.
//
// A Raft that is shut down drops entries on their way to the machine, and may still hand it the ones behind them: its
// goroutines choose at random between the next batch and the end (raft.go, processLogs; fsm.go, runFSM). For Raft's own users
// the process ends with it. Here the machine goes on with the next Raft and would never get what was left out, because it
// takes nothing that is older than its state. So it stops listening before Raft is told to end.
type tenure struct {
	*machine
	over atomic.Bool
}

// Apply implements raft.FSM.
func (t *tenure) Apply(l *raft.Log) any {
	if t.over.Load() {
		return fsm.Result{Index: l.Index, Err: fmt.Errorf("%w: entry %d came while raft was being stopped", ErrUncertain, l.Index)}
	}
	return t.machine.Apply(l)
}

// Snapshot implements raft.FSM. Raft counts what it has handed over, also what was not taken: a snapshot now could go by an
// index beyond the state that is in it, and a restart from it would leave entries out for ever.
func (t *tenure) Snapshot() (raft.FSMSnapshot, error) {
	if t.over.Load() {
		return nil, fmt.Errorf("no snapshot of a raft that is being stopped: %w", raft.ErrRaftShutdown)
	}
	return t.machine.Snapshot()
}

// StoreConfiguration implements raft.ConfigurationStore.
func (m *machine) StoreConfiguration(uint64, raft.Configuration) {
	if m.configured != nil {
		m.configured()
	}
}

func (m *machine) publish(s *fsm.State) {
	m.view.set(s)
	if m.applied != nil {
		m.applied(s)
	}
}

// Snapshot implements raft.FSM. A State does not change, so the snapshot is the State.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if err := m.broken(); err != nil {
		return nil, err
	}
	return snapshot{m, m.view.state.Load(), m.loaded.Load()}, nil
}

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	s, err := fsm.Restore(r)
	if err != nil {
		return err
	}
	m.writing <- struct{}{}
	defer func() { <-m.writing }()
	m.loaded.Add(1)
	if s.Index > m.view.state.Load().Index {
		m.changed.Store(s.Index)
		m.publish(s)
	}
	return nil
}

// snapshot is a state on its way to the disk.
type snapshot struct {
	machine *machine
	state   *fsm.State
	loaded  uint64 // as it was when the snapshot was begun
}

var errOvertaken = errors.New("a snapshot came from the leader meanwhile")

// Persist implements raft.FSMSnapshot. It refuses where the leader's snapshot has overtaken this one: Raft would go by the
// index of the one that was finished last (raft.go, installSnapshot; snapshot.go, takeSnapshot; both set the last snapshot),
// miss its log before the newer one, and as a leader send the newer one to a node that needs it again and again, for ever.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	s.machine.writing <- struct{}{}
	defer func() { <-s.machine.writing }()
	if s.machine.loaded.Load() != s.loaded {
		return errors.Join(errOvertaken, sink.Cancel())
	}
	if err := s.state.Snapshot(sink); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (snapshot) Release() {}
