package integration

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"quorate/integration/lab"
	"quorate/integration/matrix"
)

// TestMatrix makes every fault of the documentation's table once. `quorate-lab bench matrix` repeats them.
func TestMatrix(t *testing.T) {
	t.Run("hosts", func(t *testing.T) { testMatrix(t, matrix.Options{}, all) })
	t.Run("disks", func(t *testing.T) { testMatrix(t, matrix.Options{Disks: true}, all) })
}

// TestMatrixOfWeakerFences makes those faults in which a fence has something to do, on clusters that have to go without the strongest.
func TestMatrixOfWeakerFences(t *testing.T) {
	names := []string{"kill", "freeze", "power", "leader+owner", "move", "cable", "deaf", "mute", "mute-to-peers", "majority", "deleted"}
	for _, n := range names {
		if !slices.ContainsFunc(matrix.Rows(), func(r matrix.Row) bool { return r.Name == n }) {
			t.Fatalf("there is no fault %q", n)
		}
	}
	fenced := func(r matrix.Row) bool { return slices.Contains(names, r.Name) }
	for _, fence := range []string{"nft", "address-lifetime"} {
		t.Run(fence, func(t *testing.T) { testMatrix(t, matrix.Options{Fence: fence}, fenced) })
	}
}

func all(matrix.Row) bool { return true }

func testMatrix(t *testing.T, o matrix.Options, want func(matrix.Row) bool) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	before, err := lab.TakeFootprint()
	must(t, err)
	o.Binary, o.Brief = quorate, true
	trial, err := matrix.New(context.Background(), o)
	if errors.Is(err, lab.ErrNoDisk) || errors.Is(err, matrix.ErrNoFence) {
		t.Skip(err)
	}
	must(t, err)
	t.Cleanup(func() { closeBed(t, trial.Bed, before) })
	for _, row := range matrix.Rows() {
		if row.Disk != o.Disks || !want(row) {
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
