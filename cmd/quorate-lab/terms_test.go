package main

import (
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestOnlyUnderWay: how many requests fail does not matter, but that all of them were under way at one moment, and were told so.
func TestOnlyUnderWay(t *testing.T) {
	const ms = time.Millisecond
	each := func(n int, interval, took time.Duration) (failed []lab.Request) {
		for i := range n {
			failed = append(failed, lab.Request{At: lab.Instant(0).Add(time.Duration(i) * interval), Took: took, Err: "it failed"})
		}
		return failed
	}
	fast, slow := terms{rate: 500, patience: 1}, terms{rate: 25, patience: 6}
	for _, c := range []struct {
		name   string
		terms  terms
		failed []lab.Request
		want   bool
	}{
		{"none", fast, nil, true},
		{"late ones at once", slow, each(20, ms, 650*ms), true},
		{"refused for 20 ms", fast, each(11, 2*ms, 0), true},
		{"refused for 30 ms", fast, each(16, 2*ms, 0), false},
		{"refused for 160 ms", slow, each(5, 40*ms, 0), false},
		{"unanswered for 20 ms", fast, each(10, 2*ms, timeout), true},
		{"unanswered for 500 ms, though all of them wait at its end", fast, each(250, 2*ms, timeout), false},
	} {
		if got := c.terms.onlyUnderWay(c.failed); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
