package fsm

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
)

// bigWorld has 1,000 VIPs on 50 nodes.
func bigWorld(b *testing.B) *world {
	w := newWorld(b)
	w.form(slices.Repeat([]int{2, 3}, 25)...)
	w.configure(vips(1000))
	return w
}

func BenchmarkPlanFresh1000VIPs50Nodes(b *testing.B) {
	w := bigWorld(b)
	for b.Loop() {
		if d, _ := Plan(w.s, w.hints); len(d.Assign) != 1000 {
			b.Fatal(len(d.Assign))
		}
	}
}

func BenchmarkPlanNothing1000VIPs50Nodes(b *testing.B) {
	w := bigWorld(b)
	w.settle()
	for b.Loop() {
		if _, ok := Plan(w.s, w.hints); ok {
			b.Fatal("there is something to do")
		}
	}
}

func BenchmarkPlanFence1000VIPs50Nodes(b *testing.B) {
	w := bigWorld(b)
	w.settle()
	for b.Loop() {
		PlanFence(w.s, w.hints, "n7", w.s.Nodes["n7"].Epoch, w.s.Grantors.Index, "silent")
	}
}

func BenchmarkApplyDecide1000VIPs(b *testing.B) {
	w := bigWorld(b)
	d, _ := Plan(w.s, w.hints)
	for b.Loop() {
		if _, res := w.s.Apply(w.s.Index+1, Command{Decide: &d}); len(res.Refused) > 0 {
			b.Fatal(res.Refused)
		}
	}
}

func BenchmarkLocalOf1000VIPs50Nodes(b *testing.B) {
	w := bigWorld(b)
	w.settle()
	for b.Loop() {
		LocalOf(w.s, "n7")
	}
}

// manyServers has 10,000 servers in 100 services.
func manyServers(b *testing.B) *world {
	w := newWorld(b)
	w.form(1, 1, 1)
	c := vips(100)
	c.Services = map[string]Service{}
	for i := range 100 {
		s := Service{Name: fmt.Sprintf("s%d", i), VIP: fmt.Sprintf("v%04d", i), Port: 80, Protocol: TCP, Scheduler: "rr", Forward: NAT,
			Checks: []Check{{Type: CheckTCP, Interval: 1e9, Timeout: 1e9, Rise: 1, Fall: 1}}}
		for j := range 100 {
			s.Servers = append(s.Servers, Server{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i), byte(j)}), 80), Weight: 1})
		}
		c.Services[s.Name] = s
	}
	w.configure(c)
	w.settle()
	return w
}

func BenchmarkApplyVerdict10000Servers(b *testing.B) {
	w := manyServers(b)
	c := Command{SetHealth: &SetHealth{Verdicts: []ServerVerdict{{Server: ServerKey{"s7", netip.MustParseAddrPort("10.1.7.7:80")}, Verdict: Up}}}}
	for b.Loop() {
		w.s.Apply(w.s.Index+1, c)
	}
}

func BenchmarkLocalOf10000Servers(b *testing.B) {
	w := manyServers(b)
	for b.Loop() {
		LocalOf(w.s, "n1")
	}
}

func BenchmarkObservers10000Servers(b *testing.B) {
	w := manyServers(b)
	for b.Loop() {
		for k := range w.s.Servers {
			Observers(w.s, k)
		}
	}
}

func BenchmarkPreview10000Servers(b *testing.B) {
	w := manyServers(b)
	c := w.s.Config
	c.Settings.Profile = WAN
	for b.Loop() {
		if _, ps := PreviewConfig(w.s, c, w.hints); len(ps) > 0 {
			b.Fatal(ps)
		}
	}
}

// BenchmarkConfigureOneWeight is what a leader does with a configuration in which one weight of 10,000 has changed.
func BenchmarkConfigureOneWeight(b *testing.B) {
	w := manyServers(b)
	c := w.s.Config
	c.Services = maps.Clone(c.Services)
	s := c.Services["s50"]
	s.Servers = slices.Clone(s.Servers)
	s.Servers[7].Weight++
	c.Services["s50"] = s
	for b.Loop() {
		p, ps := PreviewConfig(w.s, c, w.hints)
		if len(ps) > 0 || len(p.Changes) != 1 {
			b.Fatal(p, ps)
		}
		if _, res := w.s.Apply(w.s.Index+1, Command{Configure: &Configure{Base: w.s.ConfigVersion, Config: c}}); res.Err != nil {
			b.Fatal(res.Err)
		}
	}
}

// What a leader of three does again and again while 1,000 VIPs move.
func BenchmarkPlanNothing1000VIPs3Nodes(b *testing.B) {
	w := newWorld(b)
	w.form(1, 1, 1)
	w.configure(vips(1000))
	w.settle()
	for b.Loop() {
		if _, ok := Plan(w.s, w.hints); ok {
			b.Fatal("there is something to do")
		}
	}
}
