package health

import (
	"context"
	"fmt"
	"os"
	"time"
)

// processProber counts the processes of a program.
type processProber struct{ watch *Watch }

func (p processProber) Probe(_ context.Context, t Target) (Answer, error) {
	if err := p.Inspect(t); err != nil {
		return Answer{}, unasked(err)
	}
	want := t.Machine.Process
	n, well := p.watch.table.count(t.ID, want, time.Now())
	what := fmt.Sprintf("%d processes %s", n, want.Name)
	if n == 1 {
		what = "1 process " + want.Name
	}
	if n == 0 {
		what = "no process " + want.Name
	}
	switch {
	case well:
		return Answer{Detail: what}, nil
	case want.Absent:
		return Answer{}, fmt.Errorf("%s, want none", what)
	case n == 0:
		return Answer{}, fmt.Errorf("no process %s", want.Name)
	case n < want.Least:
		return Answer{}, fmt.Errorf("%s, want %d", what, want.Least)
	default:
		return Answer{}, fmt.Errorf("%s, want at most %d", what, want.Most)
	}
}

// Inspect says whether /proc shows processes.
func (p processProber) Inspect(Target) error {
	if _, err := os.Stat(p.watch.table.proc + "/self/stat"); err != nil {
		return fmt.Errorf("processes cannot be seen: %w; mount proc on %s", err, p.watch.table.proc)
	}
	return nil
}
