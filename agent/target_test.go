package agent

import (
	"net/netip"
	"testing"
	"time"

	"quorate/fsm"
)

// BenchmarkTargets is what every change of the state costs a node that probes 10,000 servers.
func BenchmarkTargets(b *testing.B) {
	s := fsm.New()
	svc := fsm.Service{Name: "web", Checks: []fsm.Check{{Type: fsm.CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}}}
	a := netip.MustParseAddr("10.1.0.1")
	for range 10_000 {
		svc.Servers = append(svc.Servers, fsm.Server{Address: netip.AddrPortFrom(a, 80), Weight: 1})
		a = a.Next()
	}
	s.Config.Services = map[string]fsm.Service{"web": svc}
	s.Nodes = map[fsm.NodeID]fsm.Node{"n1": {ID: "n1", Role: fsm.Director}}
	o := newObserver("n1", nil, nil)
	for b.Loop() {
		if n := len(o.targets(s)); n != 10_000 {
			b.Fatalf("%d targets", n)
		}
	}
}
