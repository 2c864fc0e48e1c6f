package fsm

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// drService is one by direct routing with a check through the forwarding path.
func drService() Service {
	return Service{Name: "s", VIP: "web", Port: 80, Protocol: TCP, Scheduler: "rr", Forward: DirectRouting,
		Checks:  []Check{{Type: CheckTCP, Interval: time.Second, Timeout: time.Second, Rise: 1, Fall: 1, Through: ThroughForwarding}},
		Servers: []Server{{Address: netip.MustParseAddrPort("192.0.2.51:80"), Weight: 1}}}
}

func TestValidateThrough(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Service, *Settings)
		want   string // "" = fine
	}{
		{"direct routing", func(*Service, *Settings) {}, ""},
		{"a tunnel", func(s *Service, _ *Settings) { s.Forward = Tunnel; s.Encap.Type = "gre" }, ""},
		{"another port", func(s *Service, _ *Settings) { s.Checks[0].Port = 8081 }, ""},
		{"by a firewall mark", func(s *Service, _ *Settings) {
			s.Port, s.Protocol, s.Mark, s.Checks[0].Port = 0, "", 7, 80
			s.Servers[0].Address = netip.MustParseAddrPort("192.0.2.51:0")
		}, ""},
		{"without connection sync", func(_ *Service, c *Settings) { c.Sync.Transport = SyncOff }, ""},
		{"a word that is not known", func(s *Service, _ *Settings) { s.Checks[0].Through = "vip" },
			`service.s.check.0: through = "vip": this is not a known value; use "forwarding", or leave it out`},
		{"nat", func(s *Service, _ *Settings) { s.Forward = NAT }, `service.s.check.0: through = "forwarding": server 192.0.2.51:80 gets its connections by nat`},
		{"one server by nat", func(s *Service, _ *Settings) {
			s.Servers = append(s.Servers, Server{Address: netip.MustParseAddrPort("192.0.2.52:80"), Weight: 1, Forward: NAT})
		}, `server 192.0.2.52:80 gets its connections by nat`},
		{"no port", func(s *Service, _ *Settings) {
			s.Port, s.Persistence.Timeout, s.Servers[0].Address = 0, time.Minute, netip.MustParseAddrPort("192.0.2.51:0")
		}, `service.s.check.0: port = "0": a probe through the forwarding path goes to one port of the VIP`},
		{"by multicast", func(_ *Service, c *Settings) { c.Sync.Transport, c.Sync.Interface = SyncMulticast, "eth0" },
			`through = "forwarding": by multicast the kernels tell each other of the probes' connections`},
		{"a mark of the probes", func(s *Service, _ *Settings) {
			s.Port, s.Protocol, s.Mark, s.Checks[0].Port = 0, "", FirstProbeMark+3, 80
			s.Servers[0].Address = netip.MustParseAddrPort("192.0.2.51:0")
		}, `service.s: fwmark = "1367343107": the firewall marks from 0x51800000 to 0x518fffff are for the probes of the directors; use another mark`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, settings := drService(), DefaultSettings()
			c.change(&s, &settings)
			ps := Config{Settings: settings, VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}},
				Services: map[string]Service{"s": s}}.Validate()
			if c.want == "" && len(ps) > 0 || c.want != "" && (len(ps) != 1 || !strings.Contains(ps[0].String(), c.want)) {
				t.Errorf("%v\nwant %q", ps, c.want)
			}
		})
	}
}

// What only newer members understand is not committed before all do.
func TestThroughNeedsItsSchema(t *testing.T) {
	s := drService()
	if got := s.needs(VIP{Address: netip.MustParsePrefix("192.0.2.10/24")}); got != schemaLVS {
		t.Errorf("schema %d", got)
	}
	s.Checks[0].Through = ""
	if got := s.needs(VIP{Address: netip.MustParsePrefix("192.0.2.10/24")}); got != schemaFirst {
		t.Errorf("without it schema %d", got)
	}
}

func TestThroughTakesIPVS(t *testing.T) {
	c := Config{Settings: DefaultSettings(), VIPs: map[string]VIP{"web": {Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24")}},
		Services: map[string]Service{"s": drService()}}
	old := director("n1", 1) // it can do the service, and its agent knows nothing of paths
	old.Facts.DataPlane, old.Facts.Forwards, old.Facts.Schedulers = "ipvs", []Forward{NAT, DirectRouting, Tunnel}, Schedulers()
	ps := c.CheckNodes(map[NodeID]Node{"n1": old})
	want := `service.s.check.0: through = "forwarding": no director can probe so: it takes ipvs (n1: data plane ipvs); leave it out`
	if len(ps) != 1 || !strings.Contains(ps[0].String(), want) {
		t.Errorf("%v\nwant %s", ps, want)
	}
	old.Facts.Features = []string{throughFeature}
	if ps := c.CheckNodes(map[NodeID]Node{"n1": old}); len(ps) > 0 {
		t.Error(ps)
	}
}
