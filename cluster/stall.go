package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// errDiskStalled is why a leader does not speak to its peers for a while.
var errDiskStalled = errors.New("the disk has not finished a write of the raft log for too long")

// stallLimit is how long a write of the log may take before a leader is to be replaced: far above a slow disk's fsync, and
// a few elections long.
func stallLimit(p fsm.Profile) time.Duration { return max(time.Second, 5*p.Timing().Raft) }

// stallWatch is a log store that tells when a write takes longer than limit, and when it is over. Raft's heartbeats do not
// pass the disk, so a leader whose disk hangs would lead for ever and commit nothing.
type stallWatch struct {
	raft.LogStore
	limit   time.Duration
	stalled func(bool)

	mu      sync.Mutex
	writing int // counts writes, to tell the one that a timer was set for
	told    bool
}

// StoreLog implements raft.LogStore.
func (w *stallWatch) StoreLog(l *raft.Log) error { return w.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (w *stallWatch) StoreLogs(ls []*raft.Log) error {
	w.mu.Lock()
	w.writing++
	current := w.writing
	w.mu.Unlock()
	t := time.AfterFunc(w.limit, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.writing == current {
			w.told = true
			w.stalled(true)
		}
	})
	err := w.LogStore.StoreLogs(ls)
	t.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing++
	if w.told {
		w.told = false
		w.stalled(false)
	}
	return err
}
