package cluster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"runtime/debug"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// damaged says what is wrong with a file of the data directory and what an operator can do. The log cannot be repaired by
// the node alone: entries that it had acknowledged would be missing, and its vote would be worth nothing. An older copy of the
// file would be the same loss, unnoticed.
func damaged(path string, err error) error {
	return fmt.Errorf("%s is damaged: %w; an older copy must not take its place; have another member remove "+
		"this node, move the data directory away, and join again", path, err)
}

// guardStore runs f and turns a panic or a memory fault of the storage library into an error that names the file.
func guardStore(path string, f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if p := recover(); p != nil {
			err = damaged(path, fmt.Errorf("%v", p))
		}
	}()
	return f()
}

// checkBolt reads the two meta pages of a bbolt file (bbolt internal/common/meta.go) and compares the size of the file with
// the number of pages that the newer one claims. A file that does not exist is fine; an empty one is too, because bbolt
// creates the file before it writes the first page.
func checkBolt(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the raft log: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("open the raft log: %w", err)
	}
	if st.Size() == 0 {
		return nil
	}
	var best boltMeta
	var found bool
	for _, at := range []int64{0, int64(os.Getpagesize()), 4096, 8192, 16384, 65536} { // the second page begins at the page size
		m, ok := readBoltMeta(f, at)
		if ok && (at == 0 || at == int64(m.pageSize)) && (!found || m.txid > best.txid) {
			best, found = m, true
		}
	}
	if !found {
		return damaged(path, errors.New("it does not begin like a bbolt database"))
	}
	if want := int64(best.pages) * int64(best.pageSize); st.Size() < want {
		return damaged(path, fmt.Errorf("it is cut short: %d bytes of %d", st.Size(), want))
	}
	return nil
}

// boltMeta is the part of a meta page that is checked.
type boltMeta struct {
	pageSize    uint32
	pages, txid uint64
}

func readBoltMeta(f io.ReaderAt, at int64) (boltMeta, bool) {
	const (
		header = 16 // of every page
		size   = 64 // of the meta, the checksum included
		magic  = 0xED0CDAED
	)
	b := make([]byte, size)
	if _, err := f.ReadAt(b, at+header); err != nil {
		return boltMeta{}, false
	}
	le := binary.NativeEndian
	h := fnv.New64a()
	h.Write(b[:size-8])
	if le.Uint32(b) != magic || le.Uint64(b[size-8:]) != h.Sum64() {
		return boltMeta{}, false
	}
	return boltMeta{pageSize: le.Uint32(b[8:]), pages: le.Uint64(b[40:]), txid: le.Uint64(b[48:])}, true
}

// checkLog reads every entry of the log and the newest snapshot that can be read, and demands that there is no gap: Raft
// itself panics on one.
//
// A member's log is never empty: one that is, where fresh is false, was replaced.
func checkLog(s *Stores, fresh bool, logPath, snapPath string) error {
	return guardStore(logPath, func() error {
		if term, err := s.Stable.GetUint64(keyTerm); !fresh && (err != nil || term == 0) {
			return damaged(logPath, errors.New("it is empty, though this node is a member"))
		}
		first, err := s.Log.FirstIndex()
		if err != nil {
			return damaged(logPath, err)
		}
		last, err := s.Log.LastIndex()
		if err != nil {
			return damaged(logPath, err)
		}
		snap, snapErr := newestSnapshot(s.Snapshots)
		switch {
		case snap == 0 && snapErr != nil:
			return damaged(snapPath, snapErr)
		case last > 0 && first > snap+1:
			if snapErr == nil {
				snapErr = errors.New("no snapshot is there")
			}
			return damaged(snapPath, fmt.Errorf("the log in %s begins at entry %d, and what was before it cannot be read: %w",
				logPath, first, snapErr))
		}
		for i := max(first, snap+1); i <= last && last > 0; i++ {
			var e raft.Log
			if err := s.Log.GetLog(i, &e); err != nil {
				return damaged(logPath, fmt.Errorf("entry %d of %d to %d: %w", i, first, last, err))
			}
			if e.Index != i {
				return damaged(logPath, fmt.Errorf("entry %d calls itself %d", i, e.Index))
			}
			if e.Type == raft.LogCommand {
				if _, err := fsm.Decode(e.Data); err != nil && !errors.Is(err, fsm.ErrSchema) {
					return damaged(logPath, fmt.Errorf("entry %d: %w", i, err))
				}
			}
		}
		return nil
	})
}

// newestSnapshot returns the index of the newest snapshot that can be restored; 0 when there is none. The error is the
// one of the newest that could not.
func newestSnapshot(s raft.SnapshotStore) (uint64, error) {
	_, index, err := newestState(s)
	return index, err
}

// newestState is the content of that snapshot too; the state before Init when there is none.
func newestState(s raft.SnapshotStore) (*fsm.State, uint64, error) {
	list, err := s.List()
	if err != nil {
		return fsm.New(), 0, err
	}
	var first error
	for _, m := range list {
		_, r, err := s.Open(m.ID)
		if err == nil {
			var state *fsm.State
			state, err = fsm.Restore(r)
			_ = r.Close()
			if err == nil {
				return state, m.Index, first
			}
		}
		if first == nil {
			first = fmt.Errorf("snapshot %s: %w", m.ID, err)
		}
	}
	return fsm.New(), 0, first
}
