package whole

import (
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster"
	"quorate/cluster/lease"
)

// disk is a data directory whose writes take time. A crash in the middle of a write may find it done or not.
type disk struct {
	*cluster.Memory
	p *process
}

// fsync is how long a write takes on a disk that is well.
const fsync = 300 * time.Microsecond

// write does f in the middle of the time that it takes.
func (d disk) write(f func() error) error {
	d.p.wait()
	half := (fsync + time.Duration(d.p.m.slow.Load())) / 2
	time.Sleep(half)
	err := f()
	time.Sleep(half)
	d.p.wait()
	return err
}

// Open implements cluster.StoreFactory.
func (d disk) Open(fresh bool) (*cluster.Stores, error) {
	s, err := d.Memory.Open(fresh)
	if err != nil {
		return nil, err
	}
	if all, _ := s.Snapshots.List(); len(all) > 0 {
		d.p.m.w.did("start from a snapshot")
	}
	s.Snapshots = slowSnapshots{s.Snapshots, d, s.Log}
	s.Log, s.Stable, s.Lease = slowLog{s.Log, d}, slowStable{s.Stable, d}, slowLease{s.Lease, d}
	return s, nil
}

type slowLog struct {
	raft.LogStore
	d disk
}

func (l slowLog) StoreLog(x *raft.Log) error { return l.StoreLogs([]*raft.Log{x}) }

func (l slowLog) StoreLogs(x []*raft.Log) error {
	return l.d.write(func() error { return l.LogStore.StoreLogs(x) })
}

func (l slowLog) DeleteRange(from, to uint64) error {
	return l.d.write(func() error { return l.LogStore.DeleteRange(from, to) })
}

type slowStable struct {
	raft.StableStore
	d disk
}

func (s slowStable) Set(k, v []byte) error {
	return s.d.write(func() error { return s.StableStore.Set(k, v) })
}

func (s slowStable) SetUint64(k []byte, v uint64) error {
	if now, err := s.StableStore.GetUint64(k); err == nil && now == v {
		return s.StableStore.SetUint64(k, v) // the node knows better than to write it
	}
	return s.d.write(func() error { return s.StableStore.SetUint64(k, v) })
}

type slowLease struct {
	lease.DurableStore
	d disk
}

func (l slowLease) Save(x lease.Durable) error {
	return l.d.write(func() error { return l.DurableStore.Save(x) })
}

type slowSnapshots struct {
	raft.SnapshotStore
	d   disk
	log raft.LogStore
}

func (s slowSnapshots) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, at uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.SnapshotStore.Create(v, index, term, c, at, t)
	if err != nil {
		return nil, err
	}
	what := "snapshot taken"
	if last, err := s.log.LastIndex(); err == nil && index > last {
		what = "snapshot installed" // it is the leader's
	}
	return &slowSnapshot{SnapshotSink: sink, d: s.d, what: what}, nil
}

type slowSnapshot struct {
	raft.SnapshotSink
	d    disk
	what string
	over bool
}

func (s *slowSnapshot) Close() error {
	if s.over {
		return nil // Raft closes it once more
	}
	s.over = true
	s.d.p.m.w.did(s.what)
	return s.d.write(s.SnapshotSink.Close)
}
