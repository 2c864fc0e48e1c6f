package cluster

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestRunLeavesNothingBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	nodes, _ := form(t, 2)
	for _, n := range nodes {
		n.stop(t)
	}
	// A probe of memberlist's that is under way ends within its own timeout of a second.
	deadline := time.Now().Add(5 * time.Second)
	err := goleak.Find(before)
	for err != nil && time.Now().Before(deadline) {
		err = goleak.Find(before)
	}
	if err != nil {
		t.Error(err)
	}
}
