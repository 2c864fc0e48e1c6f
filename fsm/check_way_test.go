package fsm

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"
)

// What older members cannot do must not be agreed with them, and what they can do must be as they write it.
func TestWayNeedsItsSchema(t *testing.T) {
	plain := Check{Type: CheckTCP, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}
	if got := plain.needs(); got != schemaFirst {
		t.Errorf("a plain check needs schema %d", got)
	}
	text, err := json.Marshal(plain)
	if want := `{"type":"tcp","interval":2000000000,"timeout":1000000000,"rise":2,"fall":3}`; err != nil || string(text) != want {
		t.Errorf("a plain check is %s %v, want %s", text, err, want)
	}
	for name, change := range map[string]func(*Check){
		"fast_interval": func(c *Check) { c.FastInterval = time.Second },
		"address":       func(c *Check) { c.Address = netip.MustParseAddr("10.0.0.1") },
		"source":        func(c *Check) { c.Source = netip.MustParseAddr("10.0.0.1") },
		"interface":     func(c *Check) { c.Interface = "eth0" },
		"fwmark":        func(c *Check) { c.FwMark = 1 },
	} {
		c := plain
		change(&c)
		if got := c.needs(); got != schemaHealth {
			t.Errorf("%s needs schema %d, want %d", name, got, schemaHealth)
		}
		f := fields{}
		if c.fields(f); f[name] == "" {
			t.Errorf("%s is not in the difference of two configurations: %v", name, f)
		}
	}
}
