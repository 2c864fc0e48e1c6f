package integration

import (
	"context"
	"os"
	"testing"
	"time"

	"quorate/integration/lab"
	"quorate/integration/matrix"
)

// TestThousandVIPs: all VIPs of a node are served elsewhere within a second of its loss, and it can be drained.
func TestThousandVIPs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	before, err := lab.TakeFootprint()
	must(t, err)
	m, err := matrix.NewMany(context.Background(), matrix.Options{Binary: quorate}, 1000)
	must(t, err)
	t.Cleanup(func() { closeBed(t, m.Bed, before) })
	strain := m.Bed.StartStrain()
	for _, c := range []struct {
		name  string
		lose  func(context.Context) (matrix.Spread, error)
		limit time.Duration
	}{{"power", m.Power, time.Second}, {"drain", m.Drain, 5 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			from := lab.Now()
			s, err := c.lose(t.Context())
			must(t, err)
			t.Log(s)
			wait := strain.Longest(lab.Span{From: from, To: lab.Now()})
			if s.All > c.limit && wait.Length < 100*time.Millisecond {
				t.Errorf("all were served elsewhere after %s, want at most %s", lab.Millis(s.All), lab.Millis(c.limit))
			}
			if s.Dual > 0 {
				t.Errorf("an address had two owners for %s; %s", lab.Millis(s.Dual), wait)
			}
		})
	}
}
