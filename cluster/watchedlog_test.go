package cluster

import (
	"errors"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"
)

// fullLog fails as a full disk does, while it is full.
type fullLog struct {
	raft.LogStore
	full bool
}

func (f *fullLog) StoreLogs(ls []*raft.Log) error {
	if f.full {
		return syscall.ENOSPC
	}
	return f.LogStore.StoreLogs(ls)
}

// TestStoreError: a log that cannot be written is said as long as it is so.
func TestStoreError(t *testing.T) {
	disk := &fullLog{LogStore: raft.NewInmemStore()}
	w := &watchedLog{LogStore: disk}
	n := &Node{}
	if err := n.StoreError(); err != nil {
		t.Errorf("without a membership: %v", err)
	}
	n.current.Store(&membership{written: w})
	for i, full := range []bool{false, true, false} {
		disk.full = full
		err := w.StoreLog(&raft.Log{Index: uint64(i + 1), Term: 1})
		if said := n.StoreError(); full != (err != nil) || full != (said != nil) || full && !errors.Is(said, syscall.ENOSPC) {
			t.Errorf("full %t: %v, and it says %v", full, err, said)
		}
	}
}
