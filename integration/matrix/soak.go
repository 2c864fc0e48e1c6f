package matrix

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"quorate/integration/lab"
)

// Soak makes faults of the list in random order for a while, and says each in turn. The same seed makes the same order; what
// a real cluster does in between is not replayed. Faults that stall or fill disks are among them if the trial has disks.
// It goes on through broken promises and returns all of them; an error ends it. The end of ctx ends it early:
// the fault that is under way then does not count.
func (t *Trial) Soak(ctx context.Context, length time.Duration, seed uint64, say func(format string, args ...any)) (broken []string, err error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var rows []Row
	for _, r := range Rows() {
		if !r.Disk || len(t.disks) > 0 {
			rows = append(rows, r)
		}
	}
	for n, from := 1, lab.Now(); lab.Since(from) < length && ctx.Err() == nil; n++ {
		row := rows[rng.IntN(len(rows))]
		// Another length each time, so that leases, announcements and elections are met in every state.
		share := rng.Float64()
		hold := row.Hold
		if row.Brief > 0 {
			hold = row.Brief
		}
		row.Hold, row.Brief = time.Duration(float64(hold)*2*share), 0
		began := lab.Now()
		r, err := t.Once(ctx, row)
		if err != nil && ctx.Err() != nil {
			return broken, nil // what it waited for came to its end with the programs of the lab
		}
		if err != nil {
			return broken, fmt.Errorf("fault %d: %w", n, err)
		}
		say("%4d %6.1f s %-18s %s", n, lab.Since(from).Seconds(), row.Name, r)
		for _, x := range r.Noted {
			say("     noted: %s", x)
		}
		for _, x := range r.Broken {
			say("     BROKEN: %s", x)
			broken = append(broken, fmt.Sprintf("fault %d (%s): %s", n, row.Name, x))
		}
		t.capture.Forget(began) // nothing looks back further
	}
	return broken, nil
}
