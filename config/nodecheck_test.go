package config

import (
	"testing"
	"time"

	"quorate/fsm"
)

// TestNodeChecks reads the example, with the defaults that its kinds of checks have.
func TestNodeChecks(t *testing.T) {
	doc, err := Parse("nodecheck.hcl", read(t, "testdata/good/nodecheck.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	process := fsm.Check{Type: fsm.CheckProcess, Interval: 2 * time.Second, Timeout: time.Second, Rise: 1, Fall: 1,
		Process: &fsm.ProcessCheck{Process: "haproxy", Arguments: []string{"-Ws"}, Least: 1, Delay: 100 * time.Millisecond}}
	want := map[string]fsm.NodeCheck{
		"haproxy": {Name: "haproxy", Required: true, VIPs: []string{"web"}, Checks: []fsm.Check{process,
			{Type: fsm.CheckTCP, Port: 80, Interval: 2 * time.Second, Timeout: time.Second, Rise: 2, Fall: 3}}},
		"uplink": {Name: "uplink", Weight: -20, Nodes: []fsm.NodeID{"lb1", "lb2"}, Checks: []fsm.Check{
			{Type: fsm.CheckInterface, Interval: 2 * time.Second, Timeout: time.Second, Rise: 1, Fall: 1, Link: &fsm.LinkCheck{Interface: "eth1"}}}},
	}
	equal(t, fsm.Config{NodeChecks: doc.Config.NodeChecks}, fsm.Config{NodeChecks: want})
	checks := doc.Config.Services["web"].Checks
	if c := checks[0]; c.Rise != 2 || c.Fall != 3 || c.Script == nil || c.Script.User != "root" || len(c.Script.Command) != 3 {
		t.Errorf("the script: %+v", c)
	}
	if c := checks[1]; c.Rise != 1 || c.File == nil || c.File.Missing != fsm.FileDown {
		t.Errorf("the file: %+v", c)
	}
}
