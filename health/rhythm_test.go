package health

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func TestFastIntervalWhileChanging(t *testing.T) {
	run(t, func(b *bed) {
		web := target("web")
		web.Interval, web.FastInterval, web.Timeout = 10*time.Second, time.Second, 500*time.Millisecond
		b.net.set(server, open)
		b.engine.Set([]Target{web})
		b.at(9 * time.Second) // 0 and, as there is no verdict, 1; then at rest
		b.expect("1s web up: connected in 0s")
		if n := b.net.dials(server); n != 2 {
			t.Errorf("%d probes in 9 s, want 2", n)
		}
		b.net.set(server, refusing)
		b.at(19500 * time.Millisecond) // 10, 11, 12
		b.expect("12s web down: connection refused")
		if n := b.net.dials(server); n != 5 {
			t.Errorf("%d probes in 19.5 s, want 5: it is at rest again once it is down", n)
		}
		b.net.set(server, open)
		b.at(20500 * time.Millisecond) // 20: the first success
		b.net.set(server, refusing)
		b.at(21500 * time.Millisecond) // 21: a failure, as the verdict has it: at rest
		b.net.set(server, open)
		b.at(40 * time.Second) // 30, 31
		b.expect("31s web up: connected in 0s")
	})
}

// weighing answers with the weight that is set.
type weighing struct{ weight func() (Weight, error) }

func (p weighing) Probe(context.Context, Target) (Answer, error) {
	w, err := p.weight()
	return Answer{Detail: "well", Weight: w}, err
}

func TestWeightsReachTheCaller(t *testing.T) {
	var mu sync.Mutex
	var got []Transition
	var weight Weight
	var fail error
	set := func(w Weight, err error) {
		mu.Lock()
		defer mu.Unlock()
		weight, fail = w, err
	}
	run(t, func(b *bed) {
		b.engine.probers["agent"] = weighing{func() (Weight, error) {
			mu.Lock()
			defer mu.Unlock()
			return weight, fail
		}}
		x := target("x")
		x.Type, x.Interval, x.Rise, x.Fall = "agent", time.Second, 2, 2
		last := func(n int, up bool, w Weight) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if len(got) != n || got[n-1].Up != up || got[n-1].Weight != w || b.state("x").Weight != w {
				t.Errorf("transitions %+v, state %+v; want %d, the last of them up %v with %+v", got, b.state("x").Weight, n, up, w)
			}
		}
		half, none := Weight{Asked: true, Percent: true, Value: 50}, Weight{Asked: true, Percent: true}
		set(half, nil)
		b.engine.Set([]Target{x})
		b.at(500 * time.Millisecond)
		if b.state("x").Weight != (Weight{}) {
			t.Error("a weight before there is a verdict")
		}
		b.at(5500 * time.Millisecond)
		last(1, true, half)
		set(none, nil)
		b.at(7500 * time.Millisecond)
		last(2, true, none)
		set(Weight{}, errors.New("away")) // once: the weight stays
		b.at(8500 * time.Millisecond)
		last(2, true, none)
		b.at(9500 * time.Millisecond)
		last(3, false, Weight{})
		set(none, nil)
		b.at(11500 * time.Millisecond)
		last(4, true, none)
		set(Weight{}, nil) // it asks for nothing any more
		b.at(14500 * time.Millisecond)
		last(5, true, Weight{})
		set(half, ErrNotAsked)
		b.at(20 * time.Second)
		last(5, true, Weight{})
	}, func(o *Options) {
		o.OnTransition = func(tr Transition) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, tr)
		}
	})
}
