package cluster

import (
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// watchedLog is a log that remembers why it could not be written last; nil after a write that went well. Raft itself tells only its
// own log of that, and then neither leads nor follows.
type watchedLog struct {
	raft.LogStore
	failed atomic.Pointer[error]
}

// StoreLog implements raft.LogStore.
func (w *watchedLog) StoreLog(l *raft.Log) error { return w.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (w *watchedLog) StoreLogs(ls []*raft.Log) error {
	err := w.LogStore.StoreLogs(ls)
	if err == nil {
		w.failed.Store(nil)
	} else {
		w.failed.Store(&err)
	}
	return err
}

// StoreError is why this node's log could not be written when it was last tried; nil when it could, or there is none.
func (n *Node) StoreError() error {
	m := n.current.Load()
	if m == nil {
		return nil
	}
	if err := m.written.failed.Load(); err != nil {
		return fmt.Errorf("the log cannot be written, and this node takes no part in decisions: %w; look at the disk of the data directory", *err)
	}
	return nil
}
