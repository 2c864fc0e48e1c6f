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
// renewals nor 500 requests/s.
func TestCluster(t *testing.T) {
	need(t)
	dir := guesttest.Build(t, "quorate/cmd/quorate", "quorate/cmd/quorate-lab")
	out := guesttest.Program(t, filepath.Join(dir, "quorate-lab"), 4*time.Minute, inGuest(uml.Program{
		Args: []string{"demo", "--data-plane", "ipvs", "--profile", "wan", "--rate", "25", "--patience", "6", "--logs"},
		Env:  []string{"TMPDIR=/run", "GOGC=400"}, // /run is the guest's own; a guest has memory, but page faults are dear
		Dir:  "/", Memory: "2G",
	}))
	if !strings.Contains(out, "IPVS carries it") {
		t.Error("the demo has not looked into IPVS")
	}
}

// TestWallClock runs that test of the hosts on a machine whose clock is its own to set.
func TestWallClock(t *testing.T) {
	need(t)
	dir := guesttest.Build(t, "quorate/cmd/quorate")
	out := guestTest(t, "quorate/integration", 4*time.Minute, uml.Program{
		Args: []string{"-test.run=^TestWallClock$", "-test.v", "-test.timeout=3m"},
		Env:  []string{"TMPDIR=/run", "GOGC=400", "QUORATE_PROGRAM=" + filepath.Join(dir, "quorate"), "QUORATE_MAY_SET_CLOCK=1"},
		Dir:  "/", Memory: "2G",
	})
	if !strings.Contains(out, "--- PASS: TestWallClock") {
		t.Error("it has not run")
	}
}

// TestServerLacksVIP runs that test of the hosts on a kernel that has IPVS.
func TestServerLacksVIP(t *testing.T) {
	t.Parallel()
	need(t)
	dir := guesttest.Build(t, "quorate/cmd/quorate")
	out := guestTest(t, "quorate/integration", 6*time.Minute, uml.Program{
		Args: []string{"-test.run=^TestServerLacksVIP$", "-test.v", "-test.timeout=5m"},
		Env:  []string{"TMPDIR=/run", "GOGC=400", "QUORATE_PROGRAM=" + filepath.Join(dir, "quorate")},
		Dir:  "/", Memory: "2G",
	})
	if !strings.Contains(out, "--- PASS: TestServerLacksVIP") {
		t.Error("it has not run")
	}
}

// TestAgents runs those tests of the hosts on a kernel that has IPVS that are about what agents balance: connections that outlive their director,
// what happens to services and their servers, and what the traffic says of servers.
func TestAgents(t *testing.T) {
	need(t)
	dir := guesttest.Build(t, "quorate/cmd/quorate")
	for _, c := range []struct{ test, says string }{
		{"TestConnectionsOutliveTheirDirector", "planned move: "}, {"TestServices", "--- PASS: TestServices/drift"}, {"TestPassive", "ipvs: hint after "},
	} {
		t.Run(c.test, func(t *testing.T) {
			t.Parallel()
			out := guestTest(t, "quorate/integration", 5*time.Minute, uml.Program{
				Args: []string{"-test.run=^" + c.test + "$", "-test.v", "-test.timeout=4m"},
				Env:  []string{"TMPDIR=/run", "GOGC=400", "QUORATE_PROGRAM=" + filepath.Join(dir, "quorate"), "QUORATE_SLOW_MACHINE=1"},
				Dir:  "/", Memory: "2G",
			})
			if !strings.Contains(out, "--- PASS: "+c.test) || !strings.Contains(out, c.says) {
				t.Errorf("it has not run, or not on IPVS: %q is not said", c.says)
			}
		})
	}
}

// TestKeepalivedOwnPath runs that test of the hosts, of keepalived alone, on a kernel that has IPVS.
func TestKeepalivedOwnPath(t *testing.T) {
	t.Parallel()
	need(t)
	dir := guesttest.Build(t, "quorate/cmd/quorate")
	out := guestTest(t, "quorate/integration", 3*time.Minute, uml.Program{
		Args: []string{"-test.run=^TestKeepalivedOwnPath$", "-test.v", "-test.timeout=2m"},
		Env:  []string{"TMPDIR=/run", "GOGC=400", "QUORATE_PROGRAM=" + filepath.Join(dir, "quorate"), "QUORATE_SLOW_MACHINE=1"},
		Dir:  "/", Memory: "2G",
	})
	if !strings.Contains(out, "it keeps the VIP") {
		t.Error("it has not run")
	}
}

// TestMigration runs that test of the hosts, from keepalived to a cluster, on a kernel that has IPVS.
func TestMigration(t *testing.T) {
	t.Parallel()
	need(t)
	dir := guesttest.Build(t, "quorate/cmd/quorate")
	docs, err := filepath.Abs("../../docs")
	if err != nil {
		t.Fatal(err)
	}
	out := guestTest(t, "quorate/integration", 5*time.Minute, uml.Program{
		Args: []string{"-test.run=^TestMigration$", "-test.v", "-test.timeout=4m"},
		Env:  []string{"TMPDIR=/run", "GOGC=400", "QUORATE_PROGRAM=" + filepath.Join(dir, "quorate"), "QUORATE_SLOW_MACHINE=1", "QUORATE_DOCS=" + docs},
		Dir:  "/", Memory: "2G",
	})
	if !strings.Contains(out, "--- PASS: TestMigration") {
		t.Error("it has not run")
	}
}
