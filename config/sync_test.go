package config

import (
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

const syncText = `
cluster {
  set_sysctls = true
  sync {
    transport   = "multicast"
    interface   = "eth1"
    ttl         = 2
    threshold   = "3 50"
    refresh     = "20s"
  }
}
vip "web" { address = "192.0.2.10/24" }
service "web" {
  vip  = "web"
  port = 80
  sync = false
}
service "other" {
  vip  = "web"
  port = 81
}
`

func TestSync(t *testing.T) {
	doc, err := Parse("a.hcl", []byte(syncText))
	if err != nil {
		t.Fatal(err)
	}
	want := fsm.Sync{Transport: "multicast", Interface: "eth1", TTL: 2, Threshold: "3 50", Refresh: 20 * time.Second}
	if got := doc.Config.Settings.Sync; got != want || !doc.Config.Settings.SetSysctls {
		t.Errorf("%+v, want %+v, and what lets the agents set it", got, want)
	}
	if !doc.Config.Services["web"].NoSync || doc.Config.Services["other"].NoSync {
		t.Errorf("%+v", doc.Config.Services)
	}
	again, err := Parse("b.hcl", Format(doc.Config))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, again.Config, doc.Config)
}

func TestSyncMistakes(t *testing.T) {
	for old, c := range map[string][2]string{
		`transport   = "multicast"`: {`transport = "unicast"`, `a.hcl:5:`},
		`interface   = "eth1"`:      {``, `interface`},
		`threshold   = "3 50"`:      {`threshold = "50 3"`, `a.hcl:8:`},
		`refresh     = "20s"`:       {`refresh = "1500ms"`, `a.hcl:9:`},
		`ttl         = 2`:           {`ports = 3`, `a.hcl:7:`},
	} {
		_, err := Parse("a.hcl", []byte(strings.Replace(syncText, old, c[0], 1)))
		if err == nil || !strings.Contains(err.Error(), c[1]) || !strings.Contains(err.Error(), "cluster.sync") {
			t.Errorf("%q: %v", c[0], err)
		}
	}
}
