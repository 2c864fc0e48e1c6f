package cluster

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"quorate/cluster/simnet"
)

// tcpStreams is a stream layer without a mux.
type tcpStreams struct {
	net.Listener
	host *simnet.Host
}

func (s tcpStreams) Dial(to raft.ServerAddress, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.host.Dial(ctx, string(to))
}

// slowTerm takes its time to store one term, and calls meanwhile before it stores any.
type slowTerm struct {
	*raft.InmemStore
	slow   uint64
	before func(term uint64)
}

func (s *slowTerm) SetUint64(key []byte, v uint64) error {
	if string(key) == string(keyTerm) {
		if v == s.slow {
			time.Sleep(100 * time.Millisecond)
		}
		if s.before != nil {
			s.before(v)
		}
	}
	return s.InmemStore.SetUint64(key, v)
}

// tapped is our transport, and what Raft would do with a heartbeat that is let through.
type tapped struct {
	*raftTransport
	beat func(raft.RPC)
}

func (t *tapped) SetHeartbeatHandler(beat func(raft.RPC)) {
	t.beat = beat
	t.raftTransport.SetHeartbeatHandler(beat)
}

// loneRaft is a Raft of server "a", with a voter "b" that is not there, behind our transport at 10.0.0.1:1; peer is what b would
// speak with.
func loneRaft(t *testing.T, stable *slowTerm) (r *raft.Raft, trans *tapped, peer *raft.NetworkTransport) {
	n := simnet.New(1, simnet.Link{Latency: time.Millisecond})
	layer := func(ip string) *raft.NetworkTransport {
		host := n.Host(ip)
		l, err := host.Listen(ip + ":1")
		if err != nil {
			t.Fatal(err)
		}
		return raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: tcpStreams{l, host}, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: 10 * time.Second, Logger: newHCLog(testLog(t), "raft"),
		})
	}
	peer = layer("10.0.0.2")
	trans = &tapped{raftTransport: newRaftTransport(layer("10.0.0.1"), stable)}
	conf := raft.DefaultConfig()
	conf.LocalID, conf.Logger = "a", newHCLog(testLog(t), "raft")
	snapshots := raft.NewInmemSnapshotStore()
	servers := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: "10.0.0.1:1"}, {ID: "b", Address: "10.0.0.2:1"}}}
	if err := raft.BootstrapCluster(conf, stable, stable, snapshots, trans, servers); err != nil {
		t.Fatal(err)
	}
	r, err := raft.NewRaft(conf, &tenure{machine: newMachine(newView(), nil)}, stable, stable, snapshots, trans)
	if err != nil {
		t.Fatal(err)
	}
	trans.raft.Store(r)
	t.Cleanup(func() {
		_ = peer.Close()
		peer.CloseStreams()
		if err := r.Shutdown().Error(); err != nil {
			t.Error(err)
		}
		trans.stop()
		time.Sleep(20 * time.Second) // what waits for the peer
	})
	return r, trans, peer
}

// A heartbeat in a newer term, whose term takes long to store, does not set back a term that comes after it.
func TestHeartbeatSetsNoTermBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _, peer := loneRaft(t, &slowTerm{InmemStore: raft.NewInmemStore(), slow: 5})
		from := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("b"), Addr: []byte("10.0.0.2:1")}
		beat := make(chan error, 1)
		go func() {
			beat <- peer.AppendEntries("a", "10.0.0.1:1", &raft.AppendEntriesRequest{RPCHeader: from, Term: 5}, &raft.AppendEntriesResponse{})
		}()
		time.Sleep(20 * time.Millisecond)
		ask := &raft.RequestVoteRequest{RPCHeader: from, Term: 9, LastLogIndex: 9, LastLogTerm: 9, LeadershipTransfer: true}
		if err := peer.RequestVote("a", "10.0.0.1:1", ask, &raft.RequestVoteResponse{}); err != nil {
			t.Error(err)
		}
		if err := <-beat; err != nil {
			t.Error(err)
		}
		if term := r.CurrentTerm(); term != 9 {
			t.Errorf("term %d after one of 9", term)
		}
	})
}

// A candidate that still names the leader that asked it to take over, and that nobody talks to any more, asks whether it is
// still a member.
func TestUnsureThoughRaftNamesALeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stable := &slowTerm{InmemStore: raft.NewInmemStore()}
		r, trans, peer := loneRaft(t, stable)
		from := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("b"), Addr: []byte("10.0.0.2:1")}
		beat := raft.AppendEntriesRequest{RPCHeader: from, Term: 5}
		if err := peer.AppendEntries("a", "10.0.0.1:1", &beat, &raft.AppendEntriesResponse{}); err != nil {
			t.Fatal(err)
		}
		m := &membership{view: newView(), ready: make(chan struct{}), consensus: &consensus{}}
		m.consensus.raft.Store(r)
		if m.unsure() {
			t.Error("it has just heard its leader")
		}
		// A heartbeat that was let through before the node became a candidate comes to an end while the new term is being stored.
		stable.before = func(term uint64) {
			if term == 6 {
				done := make(chan raft.RPCResponse, 1)
				trans.beat(raft.RPC{Command: &beat, RespChan: done})
			}
		}
		if err := peer.TimeoutNow("a", "10.0.0.1:1", &raft.TimeoutNowRequest{RPCHeader: from}, &raft.TimeoutNowResponse{}); err != nil {
			t.Fatal(err)
		}
		peer.Close()
		time.Sleep(2 * lonely)
		if _, id := r.LeaderWithID(); id != "b" || r.State() == raft.Leader {
			t.Fatalf("it is %v and names %q", r.State(), id)
		}
		if !m.unsure() {
			t.Error("it does not ask")
		}
	})
}

// What a peer refuses of an earlier term, and a heartbeat that is refused, does not reach Raft: it would depose a leader that was elected since.
func TestRefusalOfAnEarlierTerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, trans, peer := loneRaft(t, &slowTerm{InmemStore: raft.NewInmemStore()})
		success := true
		end := make(chan struct{})
		defer close(end)
		go func() {
			for {
				var rpc raft.RPC
				select {
				case rpc = <-peer.Consumer():
				case <-end:
					return
				}
				switch req := rpc.Command.(type) {
				case *raft.AppendEntriesRequest:
					rpc.Respond(&raft.AppendEntriesResponse{Term: req.Term + 1, Success: success}, nil)
				default: // somebody stands for election
					rpc.Respond(nil, errors.New("not asked for"))
				}
			}
		}()
		from := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("a"), Addr: []byte("10.0.0.1:1")}
		for what, req := range map[string]*raft.AppendEntriesRequest{
			"a heartbeat": {RPCHeader: from, Term: 1},
			"an entry":    {RPCHeader: from, Term: 1, PrevLogEntry: 3, PrevLogTerm: 1, Entries: []*raft.Log{{Index: 4, Term: 1}}},
		} {
			for _, success = range []bool{true, false} {
				err := trans.AppendEntries("b", "10.0.0.2:1", req, &raft.AppendEntriesResponse{})
				if success != (err == nil) || !success && !errors.Is(err, errTermOver) {
					t.Errorf("%s, success %v: %v", what, success, err)
				}
			}
		}
	})
}
