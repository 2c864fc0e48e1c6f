package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// errHandingOver is why a leader takes nothing for a moment.
var errHandingOver = errors.New("the leadership is being handed over")

// handOverLimit bounds each of the two halves of a hand-over of the leadership: until the successor has all entries, and
// until it has been elected.
func handOverLimit(p fsm.Profile) time.Duration { return 3 * p.Timing().Raft }

// handOver gives the leadership to another voter: nothing more is appended, the successor gets what it lacks, and is told to
// stand for election at once (Ongaro's thesis, §3.10). While that goes on, await refuses everything with errNotLeader. An
// error says that this node still leads; whoever was told may be elected all the same.
//
// Raft's own LeadershipTransferToServer is not used: in 1.7.3 a second attempt at a successor that still has the first one
// before it may wait for good for a replication that has ended (raft.go, leadershipTransfer: a send to triggerDeferErrorCh
// that nobody reads), and from then on that Raft takes no entry any more, in this term or in any later one.
func (c *consensus) handOver(ctx context.Context, to raft.ServerID) error {
	trans := c.trans.Load()
	if trans == nil {
		return errNotLeader
	}
	r := trans.raft.Load()
	term, limit := r.CurrentTerm(), handOverLimit(*c.running.Load())
	addr, err := c.directory.ServerAddr(to)
	if err != nil {
		return err
	}
	lost := func() bool { return r.State() != raft.Leader || r.CurrentTerm() != term }
	if !c.yielding.CompareAndSwap(false, true) { // before what was asked is counted, see await
		return errors.New("it is being handed over already")
	}
	defer func() {
		c.yielding.Store(false)
		c.ring()
	}()
	ready := func() bool {
		return lost() || c.asked.Load() == 0 && trans.answers.has(to, term, r.LastIndex())
	}
	if !poll(ctx, limit, ready) {
		return errors.New("it does not have all entries yet")
	}
	if lost() {
		return nil
	}
	told := make(chan error, 1)
	go func() { // ends with the transport's timeout, or with the transport
		told <- trans.TimeoutNow(to, addr, c.timeoutNow(trans), &raft.TimeoutNowResponse{})
	}()
	var deaf error
	done := func() bool {
		select {
		case deaf = <-told:
		default:
		}
		return lost() || deaf != nil
	}
	switch poll(ctx, limit, done); {
	case lost():
		return nil
	case deaf != nil:
		return fmt.Errorf("tell it to stand for election: %w", deaf)
	}
	return errors.New("it was not elected in time")
}

// Resign hands the leadership over, if this node has it: before its agent ends, so that nobody has to find out that it did. It is over when
// this node leads no more, which is when another one stands for election with all entries; an error says why it still leads. Who has not been asked
// to end is preferred, and who has not answered one of the last heartbeats is not considered.
func (n *Node) Resign(ctx context.Context) error {
	m := n.current.Load()
	if m == nil || !m.consensus.leading() || len(m.consensus.servers()) < 2 {
		return nil
	}
	c := standings{state: m.view.state.Load(), servers: m.consensus.servers(), self: m.self, alive: m.consensus.hears, ending: m.lease.Hints().Ending}
	to, ok := c.successor()
	if !ok {
		return errors.New("no other voter answers")
	}
	return m.transfer(ctx, to, "this agent ends")
}

// poll waits until ok, for d at most; it returns what ok says at the end.
func poll(ctx context.Context, d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); !ok(); {
		if time.Now().After(end) || !pause(ctx, time.Millisecond) {
			return ok()
		}
	}
	return true
}
