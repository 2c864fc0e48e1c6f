package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"quorate/fsm"
)

// equal compares configurations, with nil for empty and without regard to how netip keeps addresses.
func equal(t interface{ Errorf(string, ...any) }, got, want fsm.Config) {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{}, netip.AddrPort{}, netip.Addr{})); diff != "" {
		t.Errorf("configuration (- want, + got):\n%s", diff)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// webConfig is what testdata/good/design.hcl says.
func webConfig() fsm.Config {
	return fsm.Config{
		Settings: fsm.DefaultSettings(),
		VIPs: map[string]fsm.VIP{"web": {
			Name: "web", Address: netip.MustParsePrefix("192.0.2.10/24"), Prefer: []fsm.NodeID{"n1", "n2"},
		}},
		Services: map[string]fsm.Service{"web-http": {
			Name: "web-http", VIP: "web", Port: 80, Protocol: fsm.TCP, Scheduler: "wlc", Forward: fsm.NAT,
			Checks: []fsm.Check{{
				Type: fsm.CheckHTTP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
				HTTP: &fsm.HTTPCheck{HTTPRequest: fsm.HTTPRequest{Path: "/healthz", Status: []fsm.StatusRange{{From: 200, To: 299}}}},
			}},
			Servers: []fsm.Server{
				{Address: netip.MustParseAddrPort("10.0.0.11:8080"), Weight: 1},
				{Address: netip.MustParseAddrPort("10.0.0.12:8080"), Weight: 1},
			},
		}},
	}
}

func TestParse(t *testing.T) {
	for _, name := range []string{"design.hcl", "design.json"} {
		doc, err := Parse(name, read(t, "testdata/good/"+name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		equal(t, doc.Config, webConfig())
		if err := doc.Validate(); err != nil {
			t.Errorf("Validate of a configuration that was accepted: %v", err)
		}
	}
}

func TestParseDefaults(t *testing.T) {
	doc, err := Parse("x.hcl", []byte(`
		vip "v6" {
		  address   = "2001:db8::10/64"
		  network   = "dmz"
		  interface = "eth1"
		  group     = "g"
		}
		group g { # a label needs no quotes
		  prefer  = ["n2"]
		  preempt = true
		}
		service "dns" {
		  vip = "v6"
		  port = 53
		  protocol = "udp"
		  check "tcp" { port = 5353 }
		  check "http" {
		    host   = "dns.example.org"
		    status = [200, "204", "300-399"]
		  }
		  server "[2001:db8::11]:53" {}
		  server "[2001:db8::12]:53" { weight = 0 }
		}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, doc.Config, fsm.Config{
		Settings: fsm.DefaultSettings(),
		Groups:   map[string]fsm.Group{"g": {Name: "g", Prefer: []fsm.NodeID{"n2"}, Preempt: true}},
		VIPs: map[string]fsm.VIP{"v6": {
			Name: "v6", Address: netip.MustParsePrefix("2001:db8::10/64"), Network: "dmz", Interface: "eth1", Group: "g",
		}},
		Services: map[string]fsm.Service{"dns": {
			Name: "dns", VIP: "v6", Port: 53, Protocol: fsm.UDP, Scheduler: "wlc", Forward: fsm.NAT,
			Checks: []fsm.Check{
				{Type: fsm.CheckTCP, Port: 5353, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3},
				{Type: fsm.CheckHTTP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3,
					HTTP: &fsm.HTTPCheck{HTTPRequest: fsm.HTTPRequest{Path: "/", Host: "dns.example.org", Status: []fsm.StatusRange{{From: 200, To: 200}, {From: 204, To: 204}, {From: 300, To: 399}}}}},
			},
			Servers: []fsm.Server{
				{Address: netip.MustParseAddrPort("[2001:db8::11]:53"), Weight: 1},
				{Address: netip.MustParseAddrPort("[2001:db8::12]:53"), Weight: 0},
			},
		}},
	})
}

func TestParseEmptyOnPurpose(t *testing.T) {
	doc, err := Parse("x.hcl", []byte("cluster {}"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, doc.Config, fsm.Config{Settings: fsm.DefaultSettings()})
}

func TestParseSniffsJSON(t *testing.T) {
	for name, text := range map[string]string{"stdin": "\n {\"cluster\": {}}", "-": "cluster {}", "x.conf": "# a\ncluster {}"} {
		if _, err := Parse(name, []byte(text)); err != nil {
			t.Error(err)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "has no file that ends in .hcl or .json") {
		t.Errorf("empty directory: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none.hcl")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	write("20-service.json", `{"service": {"web": {"vip": "web", "port": 80}}}`)
	write("10-vip.hcl", `vip "web" { address = "192.0.2.10/24" }`)
	write(".hidden.hcl", "nonsense")
	write("README.md", "nonsense")
	write("empty.hcl", "# nothing in this one")
	doc, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Config.Services["web"].VIP != "web" || len(doc.Config.VIPs) != 1 {
		t.Errorf("configuration %+v", doc.Config)
	}
	write("large.hcl", strings.Repeat("# large\n", MaxBytes/8))
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "large.hcl: the configuration is longer than 4 MiB") {
		t.Errorf("too long: %v", err)
	}
}

// TestLocate asks for the places of problems that package fsm finds only when it knows the nodes.
func TestLocate(t *testing.T) {
	doc, err := ParseAll(
		Source{"a.hcl", read(t, "testdata/good/design.hcl")},
		Source{"b.hcl", []byte("group \"a.b\" {\n  prefer = [\"n1\", \"n9\"]\n}\n")},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		object, key, value string
		want               string // "" = not found
	}{
		{"vip.web", "address", "192.0.2.10/24", "a.hcl:3:13"},
		{"vip.web", "prefer", "n2", "a.hcl:4:20"},
		{"vip.web", "prefer", "n9", "a.hcl:4:13"},
		{"vip.web", "name", "", "a.hcl:2:5"},
		{"vip.web", "interface", "", "a.hcl:2:1"},
		{"vip.web", "", "", "a.hcl:2:1"},
		{"group.a.b", "prefer", "n9", "b.hcl:2:19"},
		{"service.web-http", "forward", "nat", "a.hcl:11:15"},
		{"service.web-http.check.0", "interval", "2s", "a.hcl:12:70"},
		{"service.web-http.check.0", "type", "", "a.hcl:12:9"},
		{"service.web-http.check.0", "host", "", "a.hcl:12:3"},
		{"service.web-http.server.10.0.0.12:8080", "weight", "1", "a.hcl:14:38"},
		{"service.web-http.server.10.0.0.12:8080", "address", "", "a.hcl:14:10"},
		{"service.web-http.server.10.9.9.9:80", "weight", "", "a.hcl:6:1"}, // the service, at least
		{"cluster", "data_plane", "auto", ""},
		{"vip.other", "address", "", ""},
		{"", "", "", ""},
	} {
		pos, ok := doc.Locate(fsm.Problem{Object: c.object, Key: c.key, Value: c.value})
		want, found := c.want, true
		if want == "" {
			want, found = "a.hcl", false
		}
		if pos.String() != want || ok != found {
			t.Errorf("%s %s %s: %v %v, want %s", c.object, c.key, c.value, pos, ok, c.want)
		}
	}

	err = doc.Diagnose(fsm.Problems{
		{Object: "group.a.b", Key: "prefer", Value: "n9", What: "no such node", Cure: "correct it"},
		{Object: "cluster", Key: "data_plane", Value: "auto", What: "n3 has none", Cure: "load ip_vs"},
		{Object: "vip.web", Key: "address", Value: "192.0.2.10/24", What: "no node has this subnet", Cure: "use another"},
	})
	want := `a.hcl: cluster: data_plane = "auto": n3 has none; load ip_vs
a.hcl:3:13: vip.web: address = "192.0.2.10/24": no node has this subnet; use another
b.hcl:2:19: group.a.b: prefer = "n9": no such node; correct it`
	if err == nil || err.Error() != want {
		t.Errorf("Diagnose:\n%v\nwant:\n%s", err, want)
	}
	if err := doc.Diagnose(nil); err != nil {
		t.Errorf("Diagnose of nothing: %v", err)
	}
}

func TestValidateAfterChange(t *testing.T) {
	doc, err := Parse("design.hcl", read(t, "testdata/good/design.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	delete(doc.Config.VIPs, "web")
	err = doc.Validate()
	if err == nil || !strings.HasPrefix(err.Error(), `design.hcl:7:15: service.web-http: vip = "web": there is no such vip`) {
		t.Errorf("%v", err)
	}
}
