package notify

import (
	"fmt"
	"net/netip"
	"testing"

	"quorate/fsm"
)

// BenchmarkLook is what each change costs a node that is asked for 10,000 servers.
func BenchmarkLook(b *testing.B) {
	s := fsm.New()
	s.Schema = fsm.MaxSchema
	s.Config.Services, s.Config.VIPs = map[string]fsm.Service{}, map[string]fsm.VIP{}
	a := netip.MustParseAddr("10.1.0.1")
	for i := range 100 {
		vip := fsm.VIP{Name: fmt.Sprintf("v%d", i), Address: netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 24)}
		svc := fsm.Service{Name: fmt.Sprintf("web-%d", i), VIP: vip.Name, Port: 80, Protocol: fsm.TCP}
		for range 100 {
			svc.Servers = append(svc.Servers, fsm.Server{Address: netip.AddrPortFrom(a, 80), Weight: 1})
			s.Servers[fsm.ServerKey{Service: svc.Name, Address: netip.AddrPortFrom(a, 80)}] = fsm.ServerState{Verdict: fsm.Up}
			a = a.Next()
		}
		s.Config.Services[svc.Name], s.Config.VIPs[vip.Name] = svc, vip
	}
	s.Config.Notifiers = map[string]fsm.Notifier{"pipe": {Name: "pipe", FIFO: &fsm.FIFO{Path: "/run/pipe"}}}
	f := Found{Open: func(netip.Addr) bool { return true }}
	for b.Loop() {
		if n := len(Look(s, "n1", f)); n < 10000 {
			b.Fatal(n)
		}
	}
}
