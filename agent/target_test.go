package agent

import (
	"net/netip"
	"testing"
	"time"

	"quorate/fsm"
	"quorate/health"
)

func TestTemplateAtServers(t *testing.T) {
	server := netip.MustParseAddrPort("10.0.0.11:8080")
	c := fsm.Check{Type: fsm.CheckTCP, Interval: 5 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}
	plain := templateOf(c).at(server)
	if plain.ID != "tcp 10.0.0.11:8080 5s/1s 2/3" || plain.Addr != server {
		t.Errorf("%q at %v", plain.ID, plain.Addr)
	}

	c.FastInterval, c.Address, c.Port = 2*time.Second, netip.MustParseAddr("10.9.0.5"), 81
	c.Source, c.Interface, c.FwMark = netip.MustParseAddr("10.0.0.2"), "mgmt", 17
	got := templateOf(c).at(server)
	if got.Addr != netip.MustParseAddrPort("10.9.0.5:81") || got.FastInterval != 2*time.Second ||
		got.Egress != (health.Egress{Source: c.Source, Interface: "mgmt", Mark: 17}) {
		t.Errorf("%+v", got)
	}

	// Those that ask the same share a probe, by whatever words; those that do not, do not.
	other := c
	other.Address, other.Port = netip.Addr{}, 0
	if same := templateOf(other).at(got.Addr); same.ID != got.ID {
		t.Errorf("%q and %q ask the same", same.ID, got.ID)
	}
	for name, change := range map[string]func(*fsm.Check){
		"fast interval": func(c *fsm.Check) { c.FastInterval = 3 * time.Second },
		"port":          func(c *fsm.Check) { c.Port = 82 },
		"source":        func(c *fsm.Check) { c.Source = netip.MustParseAddr("10.0.0.3") },
		"interface":     func(c *fsm.Check) { c.Interface = "eth0" },
		"mark":          func(c *fsm.Check) { c.FwMark = 18 },
	} {
		changed := c
		if change(&changed); templateOf(changed).at(server).ID == got.ID {
			t.Errorf("another %s is the same probe", name)
		}
	}
}

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
