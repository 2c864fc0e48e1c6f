package uml_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quorate/integration/guest/guesttest"
	"quorate/integration/uml"
)

// TestCluster is the demo on a kernel that has IPVS: three directors, two web servers with direct routing and a client,
// all in one guest. The guest's only processor, on which a system call takes 16 µs, bears neither the default profile's
// renewals nor 500 requests/s. No other guest runs beside it: it judges what the demo promises, one request at a time.
func TestCluster(t *testing.T) {
	out := guesttest.Program(t, built(t, "quorate-lab"), 4*time.Minute, inGuest(ofHosts(uml.Program{
		Args: []string{"demo", "--data-plane", "ipvs", "--profile", "wan", "--rate", "25", "--patience", "6", "--logs"},
	})))
	if !strings.Contains(out, "IPVS carries it") {
		t.Error("the demo has not looked into IPVS")
	}
}

// TestWallClock runs that test of the hosts on a machine whose clock is its own to set.
func TestWallClock(t *testing.T) {
	t.Parallel()
	hostsTest(t, "TestWallClock", 4*time.Minute, uml.Program{Env: []string{"QUORATE_MAY_SET_CLOCK=1"}})
}

// TestServerLacksVIP runs that test of the hosts on a kernel that has IPVS.
func TestServerLacksVIP(t *testing.T) {
	t.Parallel()
	hostsTest(t, "TestServerLacksVIP", 6*time.Minute, uml.Program{})
}

// TestAgents runs those tests of the hosts on a kernel that has IPVS that are about what agents balance: connections that outlive their director,
// what happens to services and their servers, and what the traffic says of servers.
func TestAgents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ test, says string }{
		{"TestConnectionsOutliveTheirDirector", "planned move: "}, {"TestServices", "--- PASS: TestServices/drift"}, {"TestPassive", "ipvs: hint after "},
	} {
		t.Run(c.test, func(t *testing.T) {
			t.Parallel()
			if out := hostsTest(t, c.test, 5*time.Minute, uml.Program{Env: []string{slow}}); !strings.Contains(out, c.says) {
				t.Errorf("it has not run on IPVS: %q is not said", c.says)
			}
		})
	}
}

// TestKeepalivedOwnPath runs that test of the hosts, of keepalived alone, on a kernel that has IPVS.
func TestKeepalivedOwnPath(t *testing.T) {
	t.Parallel()
	if out := hostsTest(t, "TestKeepalivedOwnPath", 3*time.Minute, uml.Program{Env: []string{slow}}); !strings.Contains(out, "it keeps the VIP") {
		t.Error("it does not say what keepalived does")
	}
}

// TestMigration runs that test of the hosts, from keepalived to a cluster, on a kernel that has IPVS.
func TestMigration(t *testing.T) {
	t.Parallel()
	docs, err := filepath.Abs("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	hostsTest(t, "TestMigration", 5*time.Minute, uml.Program{Env: []string{slow, "QUORATE_DOCS=" + docs}})
}
