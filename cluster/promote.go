package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// progressReply says how far a node is.
type progressReply struct {
	Applied uint64 `json:"applied"`
	Ready   bool   `json:"ready"` // past its start barrier
	Voter   bool   `json:"voter"` // as far as it knows
}

// closeEnough is how many entries a node may lack to get a vote. It applies them in a moment.
const closeEnough = 256

// progressInterval is how often a leader looks at the servers without vote.
const progressInterval = 100 * time.Millisecond

// progress is what the leader knows about the servers without vote.
type progress struct {
	bell
	mu       sync.Mutex
	caughtUp map[raft.ServerID]bool
}

func (p *progress) set(id raft.ServerID, ok bool) {
	p.mu.Lock()
	was := p.caughtUp[id]
	if p.caughtUp == nil || !ok && len(p.caughtUp) > 100 {
		p.caughtUp = make(map[raft.ServerID]bool)
	}
	p.caughtUp[id] = ok
	p.mu.Unlock()
	if ok != was {
		p.ring()
	}
}

func (p *progress) all() map[raft.ServerID]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[raft.ServerID]bool, len(p.caughtUp))
	for id, ok := range p.caughtUp {
		out[id] = ok
	}
	return out
}

func (m *membership) serveProgress(context.Context, caller, request) (any, error) {
	return progressReply{Applied: m.view.state.Load().Index, Ready: isReady(m.ready), Voter: m.votes()}, nil
}

// watchProgress asks the servers without vote how far they are, while this node leads. Raft does not tell.
func (m *membership) watchProgress(ctx context.Context) {
	for {
		moved := m.consensus.wake()
		asked := false
		for _, srv := range m.consensus.servers() {
			g, ok := splitServerID(srv.ID)
			if !ok || srv.Suffrage == raft.Voter {
				continue
			}
			asked = true
			want := m.machine.changed.Load()
			var reply progressReply
			cctx, cancel := context.WithTimeout(ctx, time.Second)
			err := m.callMember(cctx, g, request{Op: opProgress}, nil, &reply)
			cancel()
			m.progress.set(srv.ID, err == nil && reply.Ready && reply.Applied+closeEnough >= want)
		}
		if asked {
			if !pause(ctx, progressInterval) {
				return
			}
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// changeLimit bounds one change of Raft's configuration.
const changeLimit = 10 * time.Second

// carryOut makes one step.
func (m *membership) carryOut(ctx context.Context, st step) error {
	switch st := st.(type) {
	case addServer:
		m.log.Info("new member gets the log", "peer", string(st.id), "addr", st.addr)
		return m.voters(ctx, func(r *raft.Raft) raft.Future {
			return r.AddNonvoter(st.id, raft.ServerAddress(st.addr), 0, changeLimit)
		})
	case promote:
		m.log.Info("member gets a vote", "peer", string(st.id), "addr", st.addr)
		return m.voters(ctx, func(r *raft.Raft) raft.Future {
			return r.AddVoter(st.id, raft.ServerAddress(st.addr), 0, changeLimit)
		})
	case readdress:
		m.log.Info("member has a new address", "peer", string(st.id), "addr", st.addr)
		if st.suffrage == raft.Voter {
			return m.voters(ctx, func(r *raft.Raft) raft.Future {
				return r.AddVoter(st.id, raft.ServerAddress(st.addr), 0, changeLimit)
			})
		}
		return m.voters(ctx, func(r *raft.Raft) raft.Future {
			return r.AddNonvoter(st.id, raft.ServerAddress(st.addr), 0, changeLimit)
		})
	case dropServer:
		m.log.Info("member loses its vote and the log", "peer", string(st.id))
		return m.voters(ctx, func(r *raft.Raft) raft.Future { return r.RemoveServer(st.id, 0, changeLimit) })
	case setGrantors:
		return m.decide(ctx, fsm.Command{Actor: plannerActor, SetGrantors: &fsm.SetGrantors{Prev: st.prev, Members: st.members}})
	case removeNode:
		m.log.Info("member removed", "peer", string(st.who.Node), "store", string(st.who.Store))
		return m.decide(ctx, fsm.Command{Actor: plannerActor, RemoveNode: &fsm.RemoveNode{Node: st.who.Node, Store: st.who.Store}})
	case handOver:
		return m.transfer(ctx, st.to, st.why)
	default:
		return fmt.Errorf("unknown step %T", st)
	}
}

// voters makes a change of Raft's configuration, waits until it is committed and makes it known.
func (m *membership) voters(ctx context.Context, change func(*raft.Raft) raft.Future) error {
	err := m.consensus.await(ctx, change)
	if err == nil {
		m.consensus.ring()
		m.consensus.poke()
	}
	return err
}

// transfer gives the leadership to another voter.
func (m *membership) transfer(ctx context.Context, to raft.ServerID, why string) error {
	g, ok := splitServerID(to)
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknownNode, to)
	}
	m.log.Info("handing over the leadership", "leader", string(g.Node), "reason", why)
	if err := m.consensus.handOver(ctx, to); err != nil {
		return fmt.Errorf("hand the leadership over to %s: %w", g.Node, err)
	}
	return nil
}
