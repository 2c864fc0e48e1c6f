package whole

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster"
	"quorate/cluster/lease"
)

// disk is a data directory whose writes take time. A crash in the middle of a write may find it done or not.
type disk struct {
	*cluster.Memory
	slow *atomic.Int64 // nanoseconds, of the machine
}

// fsync is how long a write takes on a disk that is well.
const fsync = 300 * time.Microsecond

// write does f in the middle of the time that it takes.
func (d disk) write(f func() error) error {
	half := (fsync + time.Duration(d.slow.Load())) / 2
	time.Sleep(half)
	err := f()
	time.Sleep(half)
	return err
}

// Open implements cluster.StoreFactory.
func (d disk) Open(fresh bool) (*cluster.Stores, error) {
	s, err := d.Memory.Open(fresh)
	if err == nil {
		s.Log, s.Stable, s.Lease = slowLog{s.Log, d}, slowStable{s.Stable, d}, slowLease{s.Lease, d}
	}
	return s, err
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
