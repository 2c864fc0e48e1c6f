package lease

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Each mutant breaks one rule of design §3 in the world around the Machines, under the name that it has in the model. The
// walks must find two claimants: otherwise they would not find the same mistake in the code.
func TestWalksCatchMutants(t *testing.T) {
	for _, mutant := range []string{
		"not-durable",   // a promise is not on disk when it is relied upon
		"no-wait",       // a fence is answered before the grant ran out
		"ack-receipt",   // the lease is counted from the reply
		"ack-noboot",    // an acknowledgement of an earlier process is taken for a present one
		"restart-old",   // grants of an earlier process are forgotten at the start
		"no-barrier",    // nothing is asked of a quorum at the start
		"no-confirm",    // a hand-over is not confirmed
		"no-voter-rule", // the grantor set changes without permission
		"no-cas-epoch",  // the epoch is not compared in Apply
	} {
		t.Run(mutant, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(3000) {
				r := rand.New(rand.NewPCG(seed, 2))
				nodes := 3 + r.IntN(3)
				w := newWalk(seed, nodes, 2+r.IntN(nodes-1), mutant)
				w.busy = r.IntN(2) == 0
				if err := w.play(someFaults(r, nodes), 6*time.Second); err != nil {
					t.Logf("seed %d: %v", seed, err)
					return
				}
			}
			t.Fatal("not caught")
		})
	}
}

func someFaults(r *rand.Rand, nodes int) []fault {
	var out []fault
	kinds := []string{faultKinds[r.IntN(len(faultKinds))], faultKinds[r.IntN(len(faultKinds))], faultKinds[r.IntN(len(faultKinds))]}
	for range 5 + r.IntN(20) {
		out = append(out, fault{
			At:   time.Duration(r.Int64N(5000)) * time.Millisecond,
			Kind: kinds[r.IntN(len(kinds))],
			A:    r.IntN(nodes), B: r.IntN(nodes), C: r.IntN(nodes),
			For: time.Duration(1+r.Int64N(1200)) * time.Millisecond,
		}.expand()...)
	}
	return out
}
