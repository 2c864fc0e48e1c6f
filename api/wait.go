package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quorate/fsm"
)

const (
	// quickLimit bounds what should take a few round trips: a quorum read, a commit.
	quickLimit = 5 * time.Second
	// slowLimit bounds joining and leaving, which wait for the hand-over of VIPs.
	slowLimit = 5 * time.Minute
	// MaxWait bounds the wait parameter.
	MaxWait = 10 * time.Minute
	// askLimit bounds asking another node for its report.
	askLimit = 1500 * time.Millisecond
	// pollEvery is how often a node is asked again while a caller waits for its kernel.
	pollEvery = 50 * time.Millisecond
)

// ParseWait reads a wait parameter: a Go duration from 0 to MaxWait; empty means 0, do not wait.
func ParseWait(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("wait %.40q is not a duration: write it like 30s or 2m", s)
	}
	if d < 0 || d > MaxWait {
		return 0, fmt.Errorf("wait %.40q is out of range: 0s to %s", s, MaxWait)
	}
	return d, nil
}

// fresh is a linearizable read; without a quorum it gives up after quickLimit.
func (s *Server) fresh(ctx context.Context) (*fsm.State, error) {
	if err := s.member(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, quickLimit)
	defer cancel()
	st, err := s.reader.Read(ctx)
	switch {
	case err == nil:
		return st, nil
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %s: %w", quickLimit, ErrNoQuorum)
	case codeOf(err) == CodeInternal:
		// Whatever the log calls it, a read that no majority confirmed means this.
		err = fmt.Errorf("%w: %w", ErrNoQuorum, err)
	}
	return nil, problemOf(err)
}

// propose commits c and waits until this node has applied it, so that the caller's next read here sees it.
func (s *Server) propose(ctx context.Context, c fsm.Command) (fsm.Result, *fsm.State, error) {
	ctx, cancel := context.WithTimeout(ctx, quickLimit)
	defer cancel()
	c.Actor = actor(ctx)
	res, err := s.proposer.Propose(ctx, c)
	if err == nil {
		err = res.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not committed within %s (it may still be): %w", quickLimit, ErrNoQuorum)
	}
	if err != nil {
		return res, nil, problemOf(err)
	}
	st, err := s.await(ctx, func(st *fsm.State) bool { return st.Index >= res.Index })
	if err != nil {
		return res, nil, newError(CodeTimeout, "committed as entry %d, but this node has not applied it yet: look again in a moment", res.Index)
	}
	return res, st, nil
}

// await returns the first state for which ok holds, or ctx's error.
func (s *Server) await(ctx context.Context, ok func(*fsm.State) bool) (*fsm.State, error) {
	for {
		changed := s.reader.Changed()
		st := s.reader.State()
		if ok(st) {
			return st, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return st, ctx.Err()
		case <-s.closing:
			return st, ErrUnreachable
		}
	}
}

// member refuses what needs a cluster while this agent belongs to none.
func (s *Server) member() error {
	if s.reporter.Local().Phase == PhaseWaiting {
		return problemOf(ErrNoCluster)
	}
	return nil
}

// agreed is the state applied here, refused while there is none.
func (s *Server) agreed() (*fsm.State, error) {
	if err := s.member(); err != nil {
		return nil, err
	}
	return s.reader.State(), nil
}
