package api_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"quorate/api"
	"quorate/fsm"
)

// TestCompoundService: a service of several VIPs goes through the API as it was written, and is told of with all of its owners.
func TestCompoundService(t *testing.T) {
	s, _ := cluster(t)
	before, err := s.unix.Config(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := before.Config
	svc := c.Services["http"]
	svc.VIP, svc.VIPs, svc.Port = "", []string{"web", "lone"}, 0
	svc.Ports = []fsm.PortRange{{From: 80, To: 80}, {From: 8000, To: 8099}}
	svc.Addresses = []fsm.AddressRange{{First: netip.MustParseAddr("203.0.113.10"), Last: netip.MustParseAddr("203.0.113.19")}}
	svc.Servers = []fsm.Server{{Address: netip.MustParseAddrPort("10.0.0.1:80"), Weight: 1}}
	c.Services = map[string]fsm.Service{"http": svc}
	if _, err := s.unix.Apply(t.Context(), c, before.Version, false); err != nil {
		t.Fatal(err)
	}
	now, err := s.unix.Config(t.Context())
	if got := now.Config.Services["http"]; err != nil || !slices.Equal(got.VIPs, []string{"lone", "web"}) || !slices.Equal(got.Ports, svc.Ports) || !slices.Equal(got.Addresses, svc.Addresses) {
		t.Fatalf("%+v, %v", got, err)
	}
	st := s.State()
	owners := map[fsm.NodeID]bool{}
	for _, vip := range svc.VIPs {
		if o := st.Assignments[c.VIPs[vip].Key()].Owner; o != "" {
			owners[o] = true
		}
	}
	got, err := s.unix.Service(t.Context(), "http", "")
	if err != nil || got.Given != fsm.DefaultMarkBase || got.VIP != "" || got.Address.IsValid() || len(got.Owners) != len(owners) || len(owners) == 0 || got.Traffic == nil ||
		len(got.Elsewhere) != len(owners)-1 {
		t.Errorf("owned by %v: %+v, %v", owners, got, err)
	}
	for _, vip := range svc.VIPs {
		v, err := s.unix.VIP(t.Context(), vip)
		if err != nil || !slices.Contains(v.Services, "http") {
			t.Errorf("%s: %+v, %v", vip, v, err)
		}
	}

	other := svc
	other.Name, other.VIPs, other.VIP, other.Ports, other.Port, other.Addresses = "other", nil, "lone", nil, 8050, nil
	c.Services = map[string]fsm.Service{"http": svc, "other": other}
	_, err = s.unix.Apply(t.Context(), c, now.Version, false)
	if e := wantCode(t, err, api.CodeInvalidConfig); len(e.Problems) != 1 || e.Problems[0].Object != "service.other" || e.Problems[0].Key != "port" {
		t.Errorf("%+v", e.Problems)
	}
	const rest = `"name": "s", "vips": ["lone"], "protocol": "tcp", "scheduler": "wrr", "forward": "nat"`
	for part, want := range map[string]string{
		`"ports": ["9-1"]`: "ends before it begins",
		`"ports": [80]`:    "expected string",
		`"port": 80, "addresses": ["203.0.113.1/24"]`:          "203.0.113.0/24",
		`"port": 80, "addresses": ["203.0.113.1-2001:db8::1"]`: "two address families",
	} {
		resp, text := raw(t, "POST", s.url+"/v1/plan", `{"config": {"settings": {"profile": "lan", "data_plane": "auto", "observers": 1}, "services": {"s": {`+rest+`, `+part+`}}}}`,
			"Content-Type", "application/json")
		if resp.StatusCode != 422 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", part, resp.StatusCode, text)
		}
	}
}
