package integration

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"quorate/integration/lab"
	"quorate/integration/matrix"
)

// TestMatrix makes every fault of the documentation's table once. `quorate-lab bench matrix` repeats them.
func TestMatrix(t *testing.T) {
	t.Run("hosts", func(t *testing.T) { testMatrix(t, false) })
	t.Run("disks", func(t *testing.T) { testMatrix(t, true) })
}

func testMatrix(t *testing.T, disks bool) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	before, err := lab.TakeFootprint()
	must(t, err)
	trial, err := matrix.New(context.Background(), matrix.Options{Binary: quorate, Disks: disks, Brief: true})
	if errors.Is(err, lab.ErrNoDisk) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { closeBed(t, trial.Bed, before) })
	for _, row := range matrix.Rows() {
		if row.Disk != disks {
			continue
		}
		if !t.Run(row.Name, func(t *testing.T) {
			from := time.Now()
			r, err := trial.Once(t.Context(), row)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%v: %s", time.Since(from).Round(100*time.Millisecond), r)
			for _, n := range r.Noted {
				t.Logf("noted: %s", n)
			}
			for _, b := range r.Broken {
				t.Error(b)
			}
		}) && t.Context().Err() != nil {
			return
		}
	}
}
