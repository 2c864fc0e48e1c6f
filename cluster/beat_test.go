package cluster

import (
	"math/rand/v2"
	"testing"
	"time"

	"quorate/fsm"
)

// Heartbeats to two followers, which Raft asks for at random times of their own: they fall in step within a few, and stay so. In
// step a follower hears one twice in the time after which it would elect another, and never less than once.
func TestHeartbeatsLeaveTogether(t *testing.T) {
	for _, p := range []fsm.Profile{fsm.LAN, fsm.WAN, fsm.Fast} {
		beat := beatOf(p)
		rng := rand.New(rand.NewPCG(1, 2))
		for range 1000 {
			at := time.Duration(rng.Int64N(int64(time.Minute)))
			for i := range 30 {
				due := at + beat + time.Duration(rng.Int64N(int64(beat)))
				next := due + onGrid(due, beat)
				if next < due || next-at > 3*beat || next-at >= p.Timing().Raft {
					t.Fatalf("%s: %v between two heartbeats, with a beat of %v and followers that wait for %v", p, next-at, beat, p.Timing().Raft)
				}
				if i >= 15 && (next%(2*beat) != 0 || 2*(next-at) > p.Timing().Raft) {
					t.Fatalf("%s: heartbeat %d goes %v after the last one, %v out of step", p, i, next-at, next%(2*beat))
				}
				at = next
			}
		}
	}
}
