//go:build !linux

package health

import "testing"

func byLoop(t testing.TB, target Target) (Answer, error) {
	return probers(dialTarget, nil)[TypeHTTP].Probe(t.Context(), target)
}
