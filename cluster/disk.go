package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"

	"quorate/cluster/lease"
)

// Names in a data directory.
const (
	lockFile     = "LOCK"
	identityFile = "identity.json"
	raftFile     = "raft.db"
	snapshotDir  = "snapshots" // raft.FileSnapshotStore chooses this name
	leaseFile    = "lease.db"
	retiredDir   = "retired"
)

// keptSnapshots is how many snapshots stay on disk.
const keptSnapshots = 2

// disk is a data directory.
type disk struct {
	dir string
	log *slog.Logger
}

// Disk keeps a node in the directory dir, which is made when it is missing.
func Disk(dir string, log *slog.Logger) StoreFactory { return &disk{dir: dir, log: log} }

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// Lock takes flock on LOCK. The kernel lets go of it when the process dies, however it dies.
func (d *disk) Lock() (func() error, error) {
	if d.dir == "" {
		return nil, errors.New("no data directory: name one with --data-dir")
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory %s: %w; make it writable for this user, or choose another --data-dir", d.dir, err)
	}
	f, err := os.OpenFile(d.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w; make it writable for this user, or choose another --data-dir", d.dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		owner := make([]byte, 32)
		n, _ := f.ReadAt(owner, 0)
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s is in use by process %s: stop that agent first, or choose another --data-dir",
				d.dir, strings.TrimSpace(string(owner[:n])))
		}
		return nil, fmt.Errorf("lock data directory %s: %w", d.dir, err)
	}
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	return f.Close, nil
}

func (d *disk) Identity() IdentityStore { return fileDocument(d.path(identityFile)) }

// Open opens the log, the snapshots and the grantor's file, and reads all of the log once.
func (d *disk) Open(fresh bool) (*Stores, error) {
	promises := lease.NewFileStore(d.path(leaseFile))
	if _, err := os.Stat(d.path(raftFile)); !fresh && errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(d.path(raftFile), errors.New("it is missing"))
	}
	if fresh {
		if err := promises.Create(); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	if _, err := promises.Load(); err != nil {
		return nil, err
	}
	db, err := d.openBolt()
	if err != nil {
		return nil, err
	}
	s := &Stores{Log: db, Stable: newVoteOrder(db), Lease: promises, Close: db.Close}
	if s.Snapshots, err = raft.NewFileSnapshotStoreWithLogger(d.dir, keptSnapshots, newHCLog(d.log, "snapshot")); err == nil {
		err = checkLog(s, fresh, d.path(raftFile), d.path(snapshotDir))
	}
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return s, nil
}

// used reports whether there is a log.
func (d *disk) used() bool {
	_, err := os.Lstat(d.path(raftFile))
	return err == nil
}

// openBolt opens raft.db. What is wrong with the file becomes an error: bbolt panics on damaged pages, and touching a page
// beyond the end of a file that was cut short is a fault.
func (d *disk) openBolt() (db *raftboltdb.BoltStore, err error) {
	path := d.path(raftFile)
	err = guardStore(path, func() error {
		if err := checkBolt(path); err != nil {
			return err
		}
		db, err = raftboltdb.New(raftboltdb.Options{
			Path: path,
			BoltOptions: &bbolt.Options{
				Timeout:        time.Second,
				NoFreelistSync: true, // saves a write of the whole free list at each commit
				FreelistType:   bbolt.FreelistMapType,
			},
			MsgpackUseNewTimeFormat: true,
		})
		return err
	})
	return db, err
}

// Retire moves a former member's files into retired/, replacing what is there: they are of no use to any cluster, but an
// operator may want to look at them. It does nothing when there is none.
func (d *disk) Retire() error {
	fail := func(err error) error { return fmt.Errorf("put the former member's files aside: %w", err) }
	var old []string
	for _, name := range []string{raftFile, snapshotDir, leaseFile} {
		if _, err := os.Lstat(d.path(name)); err == nil {
			old = append(old, name)
		}
	}
	if len(old) == 0 {
		return nil
	}
	to := d.path(retiredDir)
	if err := os.RemoveAll(to); err != nil {
		return fail(err)
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return fail(err)
	}
	for _, name := range old {
		if err := os.Rename(d.path(name), filepath.Join(to, name)); err != nil {
			return fail(err)
		}
	}
	return syncDir(d.dir)
}

// fileDocument is a file that is replaced as a whole.
type fileDocument string

func (f fileDocument) String() string { return string(f) }

func (f fileDocument) Load() ([]byte, error) {
	st, err := os.Stat(string(f))
	if err != nil {
		return nil, err
	}
	if st.Size() > maxIdentity {
		return nil, fmt.Errorf("%s: %d bytes are more than it can have", f, st.Size())
	}
	return os.ReadFile(string(f))
}

// Save is SaveFile.
func (f fileDocument) Save(b []byte) error { return SaveFile(string(f), b) }

// SaveFile writes beside the file, syncs, renames and syncs the directory: after a crash there is the old or the new content. Only the owner may
// read it.
func SaveFile(path string, b []byte) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	defer os.Remove(tmp.Name()) // fails after the rename
	if _, err = tmp.Write(b); err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
