package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"quorate/fsm"
)

// maxHops is how often a call is passed on. A node that hears of a leader too late may send it to a former one.
const maxHops = 3

// A request that found no leader looks again after retryPause, later after up to maxRetryPause, or when there is news.
const (
	retryPause    = 50 * time.Millisecond
	maxRetryPause = 800 * time.Millisecond
)

// target is whom a call goes to.
type target struct {
	addr string
	to   string // server id; "" = whoever answers
	node fsm.NodeID
	// leader is set when the call goes to it because it leads: there is no use in waiting for it once it does not.
	leader fsm.Grantor
	// instead is set when the call goes to some peer because no leader is known: there is no use in dialling it, who may be dead,
	// once there is one, nor in waiting for its answer to a read.
	instead bool
}

// insteadLimit is how long a peer that may be dead is dialled before the next is tried; in a wan a stream takes some 0.6 s.
const insteadLimit = 2 * time.Second

// leaderGrace is how long the answer of a leader that has been replaced is waited for. If it lives, it answers at once.
const leaderGrace = 500 * time.Millisecond

// call makes one call.
func (m *membership) call(ctx context.Context, t target, req request, in, out any) error {
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		req.Body = b
	}
	dial, cancel := m.whileLeads(ctx, t, 0)
	defer cancel()
	if t.instead {
		dial, cancel = context.WithTimeout(dial, insteadLimit)
		defer cancel()
	}
	conn, err := m.node.mux.dial(dial, m.face, streamCall, t.addr, t.to)
	if err != nil {
		return nodeError(t.node, fmt.Errorf("%w: %w", errNotSent, err))
	}
	if req.Op != opRead {
		t.instead = false // it passes the call on, and only a read may be asked again without harm
	}
	wait, cancel := m.whileLeads(ctx, t, leaderGrace)
	defer cancel()
	return nodeError(t.node, callOn(wait, conn, req, out))
}

// whileLeads is a context that also ends when the leader is another one than the call was meant for, for some time. A call that
// was not meant for a leader has no such end.
func (m *membership) whileLeads(ctx context.Context, t target, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if t.leader == (fsm.Grantor{}) && !t.instead {
		return ctx, func() { cancel(nil) }
	}
	go func() { // ends with ctx
		for {
			moved := m.consensus.wake()
			if now, ok := m.consensus.leader(); ok && now != t.leader {
				if grace == 0 || pause(ctx, grace) {
					cancel(fmt.Errorf("%s leads now", now.Node))
				}
				return
			}
			select {
			case <-moved:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// callMember makes one call to a member.
func (m *membership) callMember(ctx context.Context, g fsm.Grantor, req request, in, out any) error {
	addr, ok := m.directory.address(g)
	if !ok {
		return fmt.Errorf("%w: no address of %s is known", errNotSent, g.Node)
	}
	return m.call(ctx, target{addr: addr, to: string(serverID(g.Node, g.Store)), node: g.Node}, req, in, out)
}

// passOn sends a call that only the leader can answer to the leader that this node knows.
func (m *membership) passOn(ctx context.Context, req request) (json.RawMessage, error) {
	leader, ok := m.consensus.leader()
	if !ok || leader == m.self || req.Hops >= maxHops {
		return nil, ErrNoLeader
	}
	req.Hops++
	var out json.RawMessage
	err := m.callMember(ctx, leader, req, nil, &out)
	if errors.Is(err, errNotSent) || errors.Is(err, errNotLeader) {
		return nil, fmt.Errorf("%w: %w", ErrNoLeader, err)
	}
	return out, uncertain(err)
}

// toLeader gets something done by the leader: here when it is this node, else by a call to the one that is known, else
// through any peer, which is how a node that the leader cannot reach yet finds it. It tries again until ctx ends as long as
// certainly nothing has happened.
func (m *membership) toLeader(ctx context.Context, here func(context.Context) error, there func(context.Context, target) error) error {
	var last error
	for try := 0; ; try++ {
		moved := m.consensus.wake()
		err := m.tryLeader(ctx, try, here, there)
		if !errors.Is(err, errNotLeader) && !errors.Is(err, ErrNoLeader) && !errors.Is(err, errNotSent) {
			return err
		}
		last = err
		t := time.NewTimer(min(retryPause<<min(try, 8), maxRetryPause))
		select {
		case <-moved:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w (last: %w)", ErrNoLeader, context.Cause(ctx), last)
		}
	}
}

func (m *membership) tryLeader(ctx context.Context, try int, here func(context.Context) error, there func(context.Context, target) error) error {
	leader, known := m.consensus.leader()
	switch {
	case leader == m.self:
		return here(ctx)
	case known:
		addr, ok := m.directory.address(leader)
		if !ok {
			return fmt.Errorf("%w: no address of the leader %s is known", ErrNoLeader, leader.Node)
		}
		return there(ctx, target{addr: addr, to: string(serverID(leader.Node, leader.Store)), node: leader.Node, leader: leader})
	}
	all := m.seeds()
	if len(all) == 0 {
		return ErrNoLeader
	}
	via := all[try%len(all)]
	via.instead = via.node != "" // who joins has one address, and is a member when it hears of a leader
	return there(ctx, via)
}

// seeds are all peers, for a node that knows no leader.
func (m *membership) seeds() []target {
	var out []target
	for n, addr := range m.directory.peers() {
		out = append(out, target{addr: addr, node: n})
	}
	if seed := m.identity().Seed; seed != "" {
		out = append(out, target{addr: seed})
	}
	slices.SortFunc(out, func(a, b target) int { return cmp.Compare(a.node, b.node) })
	return out
}

// propose commits a command and returns what the state machine said of it, as a value and, when it refused, as an error.
func (m *membership) propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	var result fsm.Result
	err := m.toLeader(ctx, func(ctx context.Context) (err error) {
		result, err = m.commit(ctx, cmd)
		return err
	}, func(ctx context.Context, via target) error {
		var w wireResult
		if err := m.call(ctx, via, request{Op: opPropose}, cmd, &w); err != nil {
			return uncertain(err)
		}
		result = w.result()
		return nil
	})
	if err != nil {
		return result, err
	}
	return result, result.Err
}

// uncertain marks an error of a call after which it is not known whether the other end acted.
func uncertain(err error) error {
	var w *wireError
	if err == nil || errors.As(err, &w) || errors.Is(err, errNotSent) {
		return err // it said so itself, or never got it
	}
	return fmt.Errorf("%w: %w", ErrUncertain, err)
}

// commit applies a command while this node leads.
func (m *membership) commit(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	if !m.consensus.leading() {
		return fsm.Result{}, errNotLeader
	}
	cmd.Schema = m.view.state.Load().Schema
	return m.consensus.apply(ctx, cmd)
}

// servePropose takes a command from another node.
func (m *membership) servePropose(ctx context.Context, _ caller, req request) (any, error) {
	cmd, err := fsm.Decode(req.Body)
	if err != nil {
		return nil, err
	}
	r, err := m.commit(ctx, cmd)
	if errors.Is(err, errNotLeader) {
		return m.passOn(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	return toWireResult(r), nil
}
