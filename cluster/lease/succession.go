package lease

import (
	"quorate/fsm"
)

// succession sees that the leader is gone. Raft misses one only after its own timeout, and a node that leads and owns could not be fenced
// before another leads. The lease hears more often and from a thread of its own, so where it is the faster of the two, a majority of
// grantors that suspects the leader is reason enough to stand for election.
//
// It decides about no lease: who leads is Raft's affair, and a leader that lives loses nothing but its office.
type succession struct {
	told fsm.NodeID // whose silence has been told, as long as it lasts
}

// tick emits LeaderSilent once for each silence of the leader, at grantors that have noticed it themselves.
func (s *succession) tick(now Instant, self fsm.Grantor, leader fsm.NodeID, t *tally, v *view, emit func(Output)) {
	if leader == "" || leader == self.Node || !v.member || !t.says(now, leader, self, v) || t.count(now, leader, v) < v.set.Majority() {
		s.told = ""
		return
	}
	if s.told == leader {
		return
	}
	s.told = leader
	turn := 0
	for _, g := range v.set.Members {
		if g == self {
			break
		}
		if g.Node != leader {
			turn++
		}
	}
	emit(LeaderSilent{Leader: leader, Turn: turn})
}
