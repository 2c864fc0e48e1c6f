package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"quorate/fsm"
)

// A linearizable read asks the leader for a read index and waits until that index is applied here.
//
// The leader answers with the index of an entry that it appended, and a majority stored, after the question came. Raft's own
// VerifyLeader costs less, but takes an answer to a heartbeat that was sent before the question: a leader that was frozen
// (SIGSTOP, a paused virtual machine) and replaced would find such answers in its socket when it is thawed, confirm itself
// with them, and hand out an index of the past. The node that trusts it might be one that has just started, and is to learn
// whether it was fenced (design §3 “Start”). One entry serves all the reads that wait when it is appended.
type reads struct {
	mu      sync.Mutex
	waiting []chan readAnswer
	running bool
}

type readAnswer struct {
	index uint64
	err   error
}

// readTimeout bounds one round on the leader: far longer than an election.
const readTimeout = 5 * time.Second

// readBody is the body of a read call, readReply of its answer. The nonce is new for each question; an answer without it
// is none.
type readBody struct {
	Nonce uint64 `json:"nonce"`
}

type readReply struct {
	Nonce   uint64 `json:"nonce"`
	Index   uint64 `json:"index"`
	Cluster string `json:"cluster"`
}

// leaderIndex makes a read index while this node leads.
func (m *membership) leaderIndex(ctx context.Context) (uint64, error) {
	if !m.consensus.leading() {
		return 0, errNotLeader
	}
	answer := make(chan readAnswer, 1)
	r := &m.reads
	r.mu.Lock()
	r.waiting = append(r.waiting, answer)
	if !r.running {
		r.running = true
		go m.readRounds() // ends with the questions; each round is bounded
	}
	r.mu.Unlock()
	select {
	case a := <-answer:
		return a.index, a.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// readRounds answers in rounds until nobody waits.
func (m *membership) readRounds() {
	r := &m.reads
	for {
		r.mu.Lock()
		batch := r.waiting
		r.waiting = nil
		if len(batch) == 0 {
			r.running = false
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		var a readAnswer
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		_, a.err = m.consensus.apply(ctx, fsm.Command{Schema: m.view.state.Load().Schema})
		cancel()
		if a.err != nil {
			a.err = fmt.Errorf("%w: %w", errNotLeader, a.err) // nothing was changed, so asking again is safe
		}
		// The state at the last entry that was not empty is the state at the entry above. The followers have been told of that
		// one, but learn of the latest commit only with the next.
		a.index = m.machine.changed.Load()
		for _, w := range batch {
			w <- a
		}
	}
}

// serveRead answers a read call, or passes it on to the leader.
func (m *membership) serveRead(ctx context.Context, _ caller, req request) (any, error) {
	var body readBody
	if err := json.Unmarshal(req.Body, &body); err != nil {
		return nil, err
	}
	index, err := m.leaderIndex(ctx)
	if errors.Is(err, errNotLeader) {
		return m.passOn(ctx, req)
	}
	return readReply{Nonce: body.Nonce, Index: index, Cluster: m.view.state.Load().ClusterID}, err
}

// readIndex gets a read index from whoever leads. It tries until ctx ends.
func (m *membership) readIndex(ctx context.Context) (uint64, error) {
	var index uint64
	err := m.toLeader(ctx, func(ctx context.Context) (err error) {
		index, err = m.leaderIndex(ctx)
		return err
	}, func(ctx context.Context, via target) error {
		var b [8]byte
		_, _ = rand.Read(b[:])
		ask := readBody{Nonce: binary.BigEndian.Uint64(b[:])}
		var reply readReply
		if err := uncertain(m.call(ctx, via, request{Op: opRead}, ask, &reply)); errors.Is(err, ErrUncertain) {
			return fmt.Errorf("%w: %w", errNotSent, err) // nothing was changed, so asking again is safe
		} else if err != nil {
			return err
		}
		if reply.Nonce != ask.Nonce {
			return errors.New("the answer is to another question")
		}
		index = reply.Index
		return nil
	})
	return index, err
}

// read returns a state that is at least as new as anything that was committed when it was called.
func (m *membership) read(ctx context.Context) (*fsm.State, error) {
	index, err := m.readIndex(ctx)
	if err != nil {
		return nil, err
	}
	s, err := m.view.wait(ctx, func(s *fsm.State) bool { return s.Index >= index })
	if err != nil {
		return nil, fmt.Errorf("this node has applied entry %d, the read needs %d: %w", s.Index, index, err)
	}
	return s, nil
}

// barrier passes the start barrier: until then the node acts on nothing and renews no lease (design §3 “Start”).
func (m *membership) barrier(ctx context.Context) error {
	for {
		bctx, cancel := context.WithTimeout(ctx, 2*readTimeout)
		s, err := m.read(bctx)
		cancel()
		if s == nil {
			s = m.view.state.Load()
		}
		if err == nil {
			n, in := s.Nodes[m.self.Node]
			if in && n.Store == m.self.Store && m.recovered(s) {
				break
			}
			// Not yet added, or not any more: announce finds out which.
			err = ErrNotMember
		}
		if ctx.Err() != nil {
			return nil
		}
		m.log.Debug("start barrier not passed yet", "reason", err)
		wait, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		_, _ = m.view.wait(wait, func(now *fsm.State) bool { return now.Index > s.Index })
		cancel()
	}
	if err := m.update(func(id *identity) { id.Standing, id.Seed, id.Recovery = standingMember, "", nil }); err != nil {
		return err
	}
	m.lease.BarrierPassed()
	close(m.ready)
	m.log.Info("start barrier passed", "index", m.view.state.Load().Index)
	return nil
}
