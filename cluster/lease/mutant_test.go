package lease

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Each mutant breaks one rule of design §3 in the world around the Machines, under the name that it has in the model. The
// walks must find two claimants: otherwise they would not find the same mistake in the code.
func TestWalksCatchMutants(t *testing.T) {
	for _, x := range []struct {
		mutant, kind string // kind is the fault that leads there soonest; others come in too
	}{
		{"not-durable", "FORGET"},      // a promise is not on disk when it is relied upon
		{"no-wait", "BEHIND"},          // a fence is answered before the grant ran out
		{"ack-receipt", "LATE"},        // the lease is counted from the reply
		{"ack-noboot", "REBORN"},       // an acknowledgement of an earlier process is taken for a present one
		{"restart-old", "BEHIND"},      // grants of an earlier process are forgotten at the start
		{"no-barrier", "kill"},         // nothing is asked of a quorum at the start
		{"no-confirm", "lag"},          // a hand-over is not confirmed
		{"confirm-unbound", "isolate"}, // a confirmation is taken for a later release of the same address
		{"no-voter-rule", "BEHIND"},    // the grantor set changes without permission
		{"no-cas-epoch", "isolate"},    // the epoch is not compared in Apply
		{"cap-volatile", "BEHIND"},     // the cap is raised in memory only
	} {
		t.Run(x.mutant, func(t *testing.T) {
			for seed := range uint64(2000) {
				r := rand.New(rand.NewPCG(seed, 2))
				nodes := 3 + r.IntN(4)/2
				w := newWalk(seed, nodes, 2+r.IntN(nodes-1), x.mutant)
				w.busy = r.IntN(2) == 0
				if err := w.play(someFaults(r, nodes, x.kind), 6*time.Second); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Fatal("not caught")
		})
	}
}

func someFaults(r *rand.Rand, nodes int, kind string) []fault {
	var out []fault
	kinds := []string{kind, kind, faultKinds[r.IntN(len(faultKinds))]}
	for range 3 + r.IntN(12) {
		who := r.Perm(nodes)
		out = append(out, fault{
			At:   time.Duration(r.Int64N(5000)) * time.Millisecond,
			Kind: kinds[r.IntN(len(kinds))],
			A:    who[0], B: who[1], C: who[2],
			For: time.Duration(1+r.Int64N(1200)) * time.Millisecond,
		}.expand()...)
	}
	return out
}
