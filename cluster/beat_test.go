package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate/fsm"
)

// heard is when the followers of a leader answered it, for a while: each follower's instants, by its id.
func heard(m *membership, d time.Duration) map[raft.ServerID][]time.Time {
	out := map[raft.ServerID][]time.Time{}
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
		a := &m.consensus.trans.Load().answers
		a.mu.Lock()
		for id, x := range a.peers {
			if n := len(out[id]); n == 0 || out[id][n-1] != x.at {
				out[id] = append(out[id], x.at)
			}
		}
		a.mu.Unlock()
	}
	return out
}

// longest is the longest time between two.
func longest(at []time.Time) (gap time.Duration) {
	for i := range at[1:] {
		gap = max(gap, at[i+1].Sub(at[i]))
	}
	return gap
}

// Heartbeats to all followers leave together, and a follower hears two in the time after which it would elect another.
func TestSimHeartbeatsLeaveTogether(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		m := c.leader().current.Load()
		time.Sleep(5 * time.Second) // nothing is left to be replicated
		got := heard(m, 3*time.Second)
		if len(got) != 2 {
			c.t.Fatalf("%d followers answer", len(got))
		}
		var first []time.Time
		for id, at := range got {
			if gap := longest(at); gap > fsm.LAN.Timing().Raft/2 || len(at) < 70 || len(at) > 85 {
				c.t.Errorf("%s answered %d times in 3 s; up to %v between two", id, len(at), gap)
			}
			if first == nil {
				first = at
				continue
			}
			apart := 0
			for _, x := range at {
				if !slices.ContainsFunc(first, func(y time.Time) bool { return x.Sub(y).Abs() < 3*time.Millisecond }) {
					apart++
				}
			}
			if apart > 4 { // an entry now and then has answers of its own
				c.t.Errorf("%d of %d heartbeats did not leave together", apart, len(at))
			}
		}
	})
}

// While the leader's disk takes long, followers go on hearing it.
func TestSimHeartbeatsDoNotWaitForTheDisk(t *testing.T) {
	simulate(t, 3, func(c *simCluster) {
		c.form()
		lead := c.leader()
		m := lead.current.Load()
		term := m.consensus.raft.Load().CurrentTerm()
		gate := make(chan struct{})
		m.consensus.stores.Log.(*slowLog).hang(gate)
		answered := make(chan error, 1)
		go func() {
			_, err := lead.Propose(c.within(5*time.Second), note("takes long"))
			answered <- err
		}()
		got := heard(m, 9*stallLimit(fsm.LAN)/10)
		close(gate)
		for id, at := range got {
			if gap := longest(at); gap >= fsm.LAN.Timing().Raft || len(at) < 10 {
				c.t.Errorf("%s answered %d times while the disk hung; up to %v between two", id, len(at), gap)
			}
		}
		if err := <-answered; err != nil {
			c.t.Error(err)
		}
		if now := m.consensus.raft.Load().CurrentTerm(); !m.consensus.leading() || now != term {
			c.t.Errorf("it led in term %d, and in term %d it leads: %v", term, now, m.consensus.leading())
		}
	})
}
