package config

import (
	"strings"
	"testing"

	"quorate/fsm"
)

const throughText = `
vip "web" { address = "192.0.2.10/24" }
service "web" {
  vip     = "web"
  port    = 80
  forward = "dr"
  check "http" {
    path    = "/healthz"
    through = "forwarding"
  }
  check "tcp" {}
  server "192.0.2.51:80" {}
}
`

func TestThrough(t *testing.T) {
	doc, err := Parse("a.hcl", []byte(throughText))
	if err != nil {
		t.Fatal(err)
	}
	checks := doc.Config.Services["web"].Checks
	if checks[0].Through != fsm.ThroughForwarding || checks[1].Through != "" {
		t.Errorf("%+v", checks)
	}
	text := Format(doc.Config)
	again, err := Parse("b.hcl", text)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, again.Config, doc.Config)
	if strings.Count(string(text), "through") != 1 {
		t.Errorf("a check without it shows it:\n%s", text)
	}
}

func TestThroughMistakes(t *testing.T) {
	for old, c := range map[string][]string{
		`through = "forwarding"`: {`through = "vip"`, "a.hcl:9:", `use "forwarding"`},
		`forward = "dr"`:         {`forward = "nat"`, "a.hcl:9:", "192.0.2.51:80 gets its connections by nat"},
		`vip "web" {`:            {"cluster {\nsync {\ntransport = \"multicast\"\ninterface = \"eth0\"\n}\n}\nvip \"web\" {", "a.hcl:15:", "multicast"},
	} {
		_, err := Parse("a.hcl", []byte(strings.Replace(throughText, old, c[0], 1)))
		for _, want := range c[1:] {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", c[0], err, want)
			}
		}
	}
}
