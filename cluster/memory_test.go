package cluster

import (
	"io"
	"testing"

	"github.com/hashicorp/raft"

	"quorate/cluster/lease"
	"quorate/fsm"
)

// A clone holds what was stored before, and nothing of what is written into the old one afterwards.
func TestMemoryClone(t *testing.T) {
	m := NewMemory()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(m.Identity().Save([]byte("who")))
	s, err := m.Open(true)
	must(err)
	must(s.Log.StoreLogs([]*raft.Log{{Index: 1, Term: 1}, {Index: 2, Term: 1, Data: []byte("x")}}))
	must(s.Stable.SetUint64(keyTerm, 7))
	must(s.Stable.SetUint64(keyVoteTerm, 7))
	must(s.Stable.Set(keyVoteCandidate, []byte("n1")))
	must(s.Lease.Save(lease.Durable{Floors: map[fsm.NodeID]fsm.Epoch{"n2": 5}, Promises: 1}))
	_, trans := raft.NewInmemTransport("")
	servers := raft.Configuration{Servers: []raft.Server{{ID: "n1/a", Address: "10.0.0.1:7300"}}}
	sink, err := s.Snapshots.Create(1, 1, 1, servers, 1, trans)
	must(err)
	_, err = io.WriteString(sink, "state")
	must(err)
	must(sink.Close())
	sink, err = s.Snapshots.Create(1, 2, 1, servers, 1, trans)
	must(err)
	_, err = io.WriteString(sink, "half of")
	must(err)

	c, err := m.Clone()
	must(err)
	must(sink.Close())
	must(s.Log.StoreLog(&raft.Log{Index: 3, Term: 1}))
	must(s.Stable.SetUint64(keyTerm, 8))
	must(s.Lease.Save(lease.Durable{Floors: map[fsm.NodeID]fsm.Epoch{"n2": 9}, Promises: 2}))
	must(m.Identity().Save([]byte("nobody")))

	s, err = c.Open(false)
	must(err)
	if last, _ := s.Log.LastIndex(); last != 2 {
		t.Errorf("last index %d", last)
	}
	var e raft.Log
	if must(s.Log.GetLog(2, &e)); string(e.Data) != "x" {
		t.Errorf("entry 2 is %q", e.Data)
	}
	term, _ := s.Stable.GetUint64(keyTerm)
	vote, _ := s.Stable.GetUint64(keyVoteTerm)
	if who, _ := s.Stable.Get(keyVoteCandidate); term != 7 || vote != 7 || string(who) != "n1" {
		t.Errorf("term %d, vote for %q in %d", term, who, vote)
	}
	must(s.Log.DeleteRange(1, 9))
	must(s.Log.DeleteRange(0, 9))
	if last, _ := s.Log.LastIndex(); last != 0 {
		t.Errorf("the last entry of an empty log is %d", last)
	}
	if d, _ := s.Lease.Load(); d.Floors["n2"] != 5 || d.Promises != 1 {
		t.Errorf("promises %+v", d)
	}
	metas, _ := s.Snapshots.List()
	if len(metas) != 1 || metas[0].Index != 1 || len(metas[0].Configuration.Servers) != 1 {
		t.Fatalf("snapshots %+v", metas)
	}
	_, r, err := s.Snapshots.Open(metas[0].ID)
	must(err)
	if b, _ := io.ReadAll(r); string(b) != "state" {
		t.Errorf("snapshot %q", b)
	}
	if id, _ := c.Identity().Load(); string(id) != "who" {
		t.Errorf("identity %q", id)
	}
}

// A snapshot that came from the leader may be all that a node has got: it counts for how far the store has come.
func TestLastCountsTheSnapshot(t *testing.T) {
	s, err := NewMemory().Open(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what   string
		change func() error
		want   uint64
	}{
		{"nothing", func() error { return nil }, 0},
		{"the log", func() error { return s.Log.StoreLogs([]*raft.Log{{Index: 1, Term: 1}, {Index: 2, Term: 1}}) }, 2},
		{"a snapshot after the log", func() error {
			_, trans := raft.NewInmemTransport("")
			sink, err := s.Snapshots.Create(1, 9, 1, raft.Configuration{}, 1, trans)
			if err != nil {
				return err
			}
			if err := fsm.New().Snapshot(sink); err != nil {
				return err
			}
			return sink.Close()
		}, 9},
		{"the log after the snapshot", func() error { return s.Log.StoreLog(&raft.Log{Index: 10, Term: 1}) }, 10},
	} {
		if err := x.change(); err != nil {
			t.Fatal(err)
		}
		if last, err := s.last(); err != nil || last != x.want {
			t.Errorf("%s: last is %d, %v; want %d", x.what, last, err, x.want)
		}
	}
}
