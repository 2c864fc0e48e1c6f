package agent

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quorate/api"
	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
)

// What a node sees of a server is what it has told the leader, and each of its probes.
func TestSees(t *testing.T) {
	s := checked(t)
	a := &Agent{o: Options{Name: "n1"}, engine: health.New(health.Options{})}
	a.observer = newObserver("n1", func([]cluster.Observation) {}, func([]fsm.ServerKey) {})
	key := fsm.ServerKey{Service: "b", Address: s.Config.Services["b"].Servers[0].Address}
	if v := a.sees(key); v.Sees != api.ViewUnknown || v.Problem == "" || v.Node != "n1" {
		t.Errorf("of a server that it does not probe: %+v", v)
	}
	targets := a.observer.targets(s)
	a.engine.Set(targets)
	if v := a.sees(key); v.Sees != api.ViewUnknown || v.Problem != "" || len(v.Probes) != 2 {
		t.Errorf("before the first probe: %+v", v)
	}
	for _, x := range targets {
		a.observer.transition(health.Transition{ID: x.ID, Up: true, Weight: health.Weight{Asked: true, Percent: true, Value: 50}})
	}
	if v := a.sees(key); v.Sees != "up" || v.Asked != "50 %" {
		t.Errorf("all checks pass: %+v", v)
	}
	a.observer.transition(health.Transition{ID: targets[0].ID, Detail: "refused"})
	if v := a.sees(key); v.Sees != "down" || v.Asked != "" {
		t.Errorf("one fails: %+v", v)
	}
}

func TestProbeMetrics(t *testing.T) {
	m := newProbeMetrics()
	m.count(health.Probed{Type: health.TypeTCP, Took: time.Millisecond})
	m.count(health.Probed{Type: health.TypeTCP, Result: health.Failed, Took: time.Second})
	m.count(health.Probed{Type: health.TypeTCP, Result: health.NotAsked})
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.total)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 3 {
		t.Fatalf("%v, %v", families, err)
	}
	for _, x := range families[0].GetMetric() {
		if x.GetCounter().GetValue() != 1 {
			t.Errorf("%v", x)
		}
	}
}
