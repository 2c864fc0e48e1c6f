package cluster

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// crashingStable loses power after a number of writes.
type crashingStable struct {
	raft.StableStore
	left int
}

var errPower = errors.New("power lost")

func (c *crashingStable) Set(k, v []byte) error {
	if c.left--; c.left < 0 {
		return errPower
	}
	return c.StableStore.Set(k, v)
}

func (c *crashingStable) SetUint64(k []byte, v uint64) error {
	if c.left--; c.left < 0 {
		return errPower
	}
	return c.StableStore.SetUint64(k, v)
}

// A term that is stored is not written again.
func TestTermIsWrittenOnce(t *testing.T) {
	writes := &crashingStable{raft.NewInmemStore(), 2}
	s := newVoteOrder(writes)
	for _, term := range []uint64{3, 3, 4, 4, 4} {
		if err := s.SetUint64(keyTerm, term); err != nil {
			t.Fatalf("term %d: %v", term, err)
		}
	}
	if err := s.SetUint64(keyTerm, 5); !errors.Is(err, errPower) {
		t.Errorf("the third write: %v", err)
	}
}

// Whatever write of a vote is the last before a crash, the disk never holds the new term beside the candidate of an earlier
// vote: Raft would take a request of that candidate for a repetition and grant it.
func TestVoteIsNeverMixed(t *testing.T) {
	for left := range 3 {
		disk := raft.NewInmemStore()
		first := newVoteOrder(disk)
		vote := func(s raft.StableStore, term uint64, who string) error {
			return errors.Join(s.SetUint64(keyVoteTerm, term), s.Set(keyVoteCandidate, []byte(who)))
		}
		if err := vote(first, 3, "old"); err != nil {
			t.Fatal(err)
		}
		_ = vote(newVoteOrder(&crashingStable{disk, left}), 4, "new")
		term, err := disk.GetUint64(keyVoteTerm)
		if err != nil {
			t.Fatal(err)
		}
		who, _ := disk.Get(keyVoteCandidate)
		if term == 4 && string(who) != "new" {
			t.Errorf("crash after %d writes: term %d beside %s", left, term, who)
		}
		if left == 2 && (term != 4 || string(who) != "new") {
			t.Errorf("a whole vote was stored as term %d, %s", term, who)
		}
	}
}

// hangingLog is a disk that can hang.
type hangingLog struct {
	raft.LogStore
	gate chan struct{}
}

func (h *hangingLog) StoreLogs(l []*raft.Log) error {
	if h.gate != nil {
		<-h.gate
	}
	return h.LogStore.StoreLogs(l)
}

func TestStallWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []bool
		disk := &hangingLog{LogStore: raft.NewInmemStore()}
		w := &stallWatch{LogStore: disk, limit: time.Second, stalled: func(on bool) { told = append(told, on) }}
		if err := w.StoreLog(&raft.Log{Index: 1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if told != nil {
			t.Errorf("a write that was over was called stalled: %v", told)
		}
		disk.gate = make(chan struct{})
		done := make(chan error)
		go func() { done <- w.StoreLog(&raft.Log{Index: 2}) }()
		time.Sleep(1100 * time.Millisecond)
		synctest.Wait()
		if len(told) != 1 || !told[0] {
			t.Errorf("told %v after 1.1 s", told)
		}
		close(disk.gate)
		if err := <-done; err != nil || len(told) != 2 || told[1] {
			t.Errorf("told %v, %v", told, err)
		}
	})
}

// A leader whose disk hangs is replaced, and its VIPs stay where they are: leases do not come from the leader.
func TestSimLeaderDiskHangs(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		configure(c.t, c.nodes[0].testNode, vips(3))
		c.owned(10 * time.Second)
		first := c.leader()
		other := c.other(first)
		gate := make(chan struct{})
		first.current.Load().consensus.stores.Log.(*slowLog).hang(gate)
		go func() { _, _ = first.Propose(c.within(time.Second), note("stuck")) }()
		c.until(20*time.Second, "another leader", func() bool {
			id, ok := other.Leader()
			return ok && id != first.name
		})
		if _, err := other.Propose(c.within(10*time.Second), note("x")); err != nil {
			c.t.Error(err)
		}
		for k, a := range other.State().Assignments {
			if a.Owner == "" {
				c.t.Errorf("%s has no owner", k)
			}
		}
		close(gate)
		c.until(20*time.Second, "the old leader follows", func() bool {
			id, ok := first.Leader()
			return ok && id != first.name && first.State().Index >= other.State().Index
		})
	})
}

// A node that cannot store a new term ends with an error that says why; the others do without it.
func TestSimDiskFull(t *testing.T) {
	simulate(t, 5, func(c *simCluster) {
		c.form()
		first := c.leader()
		x := c.other(first)
		x.current.Load().consensus.stores.Stable.(*fullDisk).full.Store(true)
		first.crash()
		err := <-x.done
		wantErr(c.t, err, syscall.ENOSPC)
		wantText(c.t, err, "disk full", "term")
		x.cancel()
		x.testNode = nil
		c.leader()
		if _, err := c.other().Propose(c.within(5*time.Second), note("x")); err != nil {
			c.t.Error(err)
		}
	})
}

func TestMachine(t *testing.T) {
	entry := func(i uint64, c fsm.Command) *raft.Log {
		b, err := fsm.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		return &raft.Log{Index: i, Data: b}
	}
	v := newView()
	var seen []uint64
	m := newMachine(v, func(s *fsm.State) { seen = append(seen, s.Index) })
	begin := fsm.Command{Init: &fsm.Init{ClusterID: "c", Node: fsm.Node{ID: "n1", Store: "s", Addr: "a"}, Settings: fsm.DefaultSettings()}}
	if r := m.Apply(entry(2, begin)).(fsm.Result); r.Err != nil || v.state.Load().ClusterID != "c" {
		t.Fatalf("%+v", r)
	}
	if r := m.Apply(entry(4, fsm.Command{})).(fsm.Result); r.Err != nil || m.changed.Load() != 2 || v.state.Load().Index != 4 {
		t.Errorf("%+v; changed %d", r, m.changed.Load())
	}
	// Raft that is started anew applies again what was applied: nothing goes back.
	if r := m.Apply(entry(2, begin)).(fsm.Result); r.Err == nil || v.state.Load().Index != 4 {
		t.Errorf("%+v", r)
	}
	if len(seen) != 2 {
		t.Errorf("told of %v", seen)
	}
	// An entry that cannot be read stops the machine: the replica would be another one without it.
	r := m.Apply(&raft.Log{Index: 5, Data: []byte(`{"from_the_future":{}}`)}).(fsm.Result)
	if r.Err == nil || m.broken() == nil || !strings.Contains(r.Err.Error(), "entry 5") {
		t.Errorf("%+v", r)
	}
	if r := m.Apply(entry(6, fsm.Command{})).(fsm.Result); r.Err == nil || v.state.Load().Index != 4 {
		t.Errorf("%+v", r)
	}
	if _, err := m.Snapshot(); err == nil {
		t.Error("a broken machine made a snapshot")
	}
}

// A snapshot that was begun before one came from the leader must not be finished after it.
func TestSnapshotOvertaken(t *testing.T) {
	begin := fsm.Command{Init: &fsm.Init{ClusterID: "c", Node: fsm.Node{ID: "n1", Store: "s", Addr: "a"}, Settings: fsm.DefaultSettings()}}
	state, r := fsm.New().Apply(2, begin)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	ahead, _ := state.Apply(9, fsm.Command{})
	v := newView()
	v.set(state)
	m := newMachine(v, nil)
	store := new(memorySnapshots)
	take := func() (raft.FSMSnapshot, raft.SnapshotSink) {
		t.Helper()
		s, err := m.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		sink, err := store.Create(1, v.state.Load().Index, 1, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s, sink
	}
	s, sink := take()
	var b bytes.Buffer
	if err := ahead.Snapshot(&b); err != nil {
		t.Fatal(err)
	}
	if err := m.Restore(io.NopCloser(&b)); err != nil || v.state.Load().Index != 9 {
		t.Fatalf("%v, state of entry %d", err, v.state.Load().Index)
	}
	if err := s.Persist(sink); !errors.Is(err, errOvertaken) {
		t.Errorf("%v", err)
	}
	if all, _ := store.List(); len(all) != 0 {
		t.Errorf("snapshots %+v", all)
	}
	s, sink = take()
	if err := s.Persist(sink); err != nil {
		t.Error(err)
	}
	if all, _ := store.List(); len(all) != 1 || all[0].Index != 9 {
		t.Errorf("snapshots %+v", all)
	}
}
