package agent

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"quorate/cluster"
	"quorate/fsm"
	"quorate/health"
)

// observing is a node that probes 10,000 servers of 100 services, and the state by which it does.
func observing() (*observer, *fsm.State) {
	s := fsm.New()
	s.Schema = fsm.MaxSchema
	s.Config.Services, s.Config.VIPs = map[string]fsm.Service{}, map[string]fsm.VIP{}
	a := netip.MustParseAddr("10.1.0.1")
	for i := range 100 {
		vip := fsm.VIP{Name: fmt.Sprintf("v%d", i), Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 24)}
		svc := fsm.Service{Name: fmt.Sprintf("web-%d", i), VIP: vip.Name, Checks: []fsm.Check{{Type: fsm.CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}}}
		for range 100 {
			svc.Servers = append(svc.Servers, fsm.Server{Address: netip.AddrPortFrom(a, 80), Weight: 1})
			a = a.Next()
		}
		s.Config.Services[svc.Name], s.Config.VIPs[vip.Name] = svc, vip
		s.Assignments[vip.Key()] = fsm.Assignment{Key: vip.Key(), Owner: "n1"}
	}
	for _, n := range []fsm.NodeID{"n1", "n2", "n3", "n4", "n5"} {
		s.Nodes[n] = fsm.Node{ID: n, Role: fsm.Director}
	}
	return newObserver("n1", func([]cluster.Observation) {}, func([]fsm.ServerKey) {}), s
}

// BenchmarkTargets is what it costs to work out the probes of 10,000 servers, when those may have changed.
func BenchmarkTargets(b *testing.B) {
	o, s := observing()
	for b.Loop() {
		if n := len(o.targets(s)); n != 10_000 {
			b.Fatalf("%d targets", n)
		}
	}
}

// BenchmarkStands is what it costs to see that they have not, when VIPs move.
func BenchmarkStands(b *testing.B) {
	o, s := observing()
	o.targets(s)
	for b.Loop() {
		if !o.stands(s) {
			b.Fatal("other probes")
		}
	}
}

// BenchmarkTransition is what the change of one probe costs.
func BenchmarkTransition(b *testing.B) {
	o, s := observing()
	t := health.Transition{ID: o.targets(s)[5000].ID}
	for b.Loop() {
		t.Up = !t.Up
		o.transition(t)
	}
}
