package config

import (
	"strings"
	"testing"
	"time"

	"quorate/fsm"
)

const timeoutsText = `
cluster {
  ipvs_timeouts {
    tcp = "2h"
    udp = "30s"
  }
}
`

func TestTimeouts(t *testing.T) {
	doc, err := Parse("a.hcl", []byte(timeoutsText))
	if err != nil {
		t.Fatal(err)
	}
	if want := (fsm.Timeouts{TCP: 2 * time.Hour, UDP: 30 * time.Second}); doc.Config.Settings.Timeouts != want {
		t.Errorf("%+v, want %+v", doc.Config.Settings.Timeouts, want)
	}
	for old, c := range map[string][2]string{
		`tcp = "2h"`:  {`tcp = "481h"`, `a.hcl:4:`},
		`udp = "30s"`: {`udp = "1500ms"`, `a.hcl:5:`},
		`udp =`:       {`sctp =`, `a.hcl:5:`},
		`  }`:         {"  }\n  ipvs_timeouts {}", `a.hcl:7:`},
	} {
		_, err := Parse("a.hcl", []byte(strings.Replace(timeoutsText, old, c[0], 1)))
		if err == nil || !strings.Contains(err.Error(), c[1]) || !strings.Contains(err.Error(), "cluster.ipvs_timeouts") {
			t.Errorf("%q: %v", c[0], err)
		}
	}
}
