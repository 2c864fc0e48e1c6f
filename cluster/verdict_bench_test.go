package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"quorate/fsm"
)

// manyServers is a cluster of so many directors with 10,000 servers in 100 services on 10 VIPs, and what each observer sees: all up.
func manyServers(directors int) (*fsm.State, sightings) {
	s := fsm.New()
	s.ClusterID, s.Schema = "c", fsm.MaxSchema
	s.Config = fsm.Config{Settings: fsm.DefaultSettings(), VIPs: map[string]fsm.VIP{}, Services: map[string]fsm.Service{}}
	s.Services = map[string]fsm.ServiceState{}
	seen := sightings{}
	for i := range directors {
		n := fsm.NodeID(fmt.Sprintf("n%d", i+1))
		s.Nodes[n] = fsm.Node{ID: n, Store: "s", Role: fsm.Director, Epoch: 1, Weight: 1}
		seen[n] = map[fsm.ServerKey]Observation{}
	}
	for i := range 100 {
		vip := fsm.VIP{Name: fmt.Sprintf("v%d", i%10), Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i%10)}), 24)}
		s.Config.VIPs[vip.Name] = vip
		s.Assignments[vip.Key()] = fsm.Assignment{Key: vip.Key(), VIP: vip.Name, Owner: fsm.NodeID(fmt.Sprintf("n%d", i%10%directors+1)), Epoch: 2}
		svc := fsm.Service{Name: fmt.Sprintf("service-%d", i), VIP: vip.Name, Port: 80, Forward: fsm.NAT,
			Checks: []fsm.Check{{Type: fsm.CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}}}
		for j := range 100 {
			k := fsm.ServerKey{Service: svc.Name, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), byte(j + 1)}), 80)}
			svc.Servers = append(svc.Servers, fsm.Server{Address: k.Address, Weight: 1})
			s.Servers[k] = fsm.ServerState{Verdict: fsm.Up, Admin: fsm.Enabled}
		}
		s.Config.Services[svc.Name], s.Services[svc.Name] = svc, fsm.ServiceState{Quorum: true}
	}
	for k := range s.Servers {
		for n := range s.Nodes {
			if fsm.Watches(s, k, n) {
				seen[n][k] = Observation{Server: k, Up: true}
			}
		}
	}
	return s, seen
}

// BenchmarkVerdicts is what a leader's round costs it: when one observer has said another thing of one server, and when all servers have to be looked at, as at the begin of a
// term and when a director comes or goes.
func BenchmarkVerdicts(b *testing.B) {
	for _, directors := range []int{3, 5} {
		s, seen := manyServers(directors)
		fill := func() *book {
			x := &book{}
			x.open(1)
			for n, views := range seen {
				if err := x.write(n, slices.Collect(maps.Values(views)), true); err != nil {
					b.Fatal(err)
				}
			}
			return x
		}
		look := func(b *testing.B, x *book) {
			if v := x.verdicts(s, allAlive, allAble, verdictTime); len(v) > 0 {
				b.Fatal(v)
			}
		}
		b.Run(fmt.Sprintf("one word, %d directors", directors), func(b *testing.B) {
			x := fill()
			look(b, x)
			var o Observation
			for _, o = range seen["n1"] {
				break
			}
			for b.Loop() {
				o.Up = !o.Up
				if err := x.write("n1", []Observation{o}, false); err != nil {
					b.Fatal(err)
				}
				look(b, x)
			}
		})
		b.Run(fmt.Sprintf("all, %d directors", directors), func(b *testing.B) {
			x := fill()
			for b.Loop() {
				x.docket = docket{}
				look(b, x)
			}
		})
	}
}

func BenchmarkPaths(b *testing.B) {
	for _, directors := range []int{3, 5} {
		b.Run(fmt.Sprintf("%d directors", directors), func(b *testing.B) {
			s, seen := manyServers(directors)
			for now := verdictTime; b.Loop(); now = now.Add(time.Second) {
				var p paths
				if e := p.edges(s, seen, allAble, now); len(e) > 0 {
					b.Fatal(e)
				}
			}
		})
	}
}
