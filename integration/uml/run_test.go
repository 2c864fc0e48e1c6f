package uml_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/guest/guesttest"
	"quorate/integration/uml"
)

func need(t *testing.T) {
	t.Helper()
	if m := uml.Missing(); m != "" {
		t.Skip(m)
	}
}

func TestRunCarriesOutputAndStatus(t *testing.T) {
	need(t)
	dir := t.TempDir()
	var out bytes.Buffer
	status, err := uml.Run(t.Context(), uml.Program{
		Path: "/bin/sh", Args: []string{"-c", `echo "$0 $GREETING"; pwd; cat /proc/sys/net/ipv4/vs/conntrack; exit 7`, "it's"},
		Env: []string{"GREETING=hello  'there'"}, Dir: dir, Stdout: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "it's hello  'there'\n" + dir + "\n0\n"; out.String() != want || status != 7 {
		t.Errorf("status %d, output %q; want 7, %q", status, out.String(), want)
	}
}

// TestRunIsKilled: when the time is over nothing is left, neither a process nor a file.
func TestRunIsKilled(t *testing.T) {
	need(t)
	begin := time.Now()
	guesttest.Killed(t, func(ctx context.Context, out io.Writer) error {
		_, err := uml.Run(ctx, uml.Program{Path: "/bin/sh", Args: []string{"-c", "echo up; exec sleep 1000"}, Stdout: out})
		return err
	})
	if time.Since(begin) > time.Minute {
		t.Errorf("it took %v", time.Since(begin))
	}
}

// inGuest runs a program in a guest as p says.
func inGuest(p uml.Program) guesttest.Guest {
	return func(ctx context.Context, program string, out io.Writer) (int, error) {
		p.Path, p.Stdout = program, out
		return uml.Run(ctx, p)
	}
}

// guestTest runs the tests of a package in a guest, all of which must pass, and returns what they said.
func guestTest(t *testing.T, pkg string, limit time.Duration, p uml.Program) string {
	t.Helper()
	need(t)
	return guesttest.Package(t, pkg, limit, inGuest(p))
}

// TestIPVS runs the tests of lvs/ipvs, which the host's kernel may skip, on a kernel that has IPVS.
func TestIPVS(t *testing.T) {
	t.Parallel()
	out := guestTest(t, "quorate/lvs/ipvs", 5*time.Minute, uml.Program{Args: []string{"-test.v", "-test.timeout=4m",
		"-test.skip=FirewallIsRead|Conntrack"}}) // it has no tables of the families ip, ip6 and inet
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "--- SKIP") {
			t.Errorf("skipped on a kernel that has IPVS: %s", line)
		}
	}
}

// TestGate: the ownership gate on a kernel that has no tcx, with interpreted programs, and with VLANs.
func TestGate(t *testing.T) {
	t.Parallel()
	out := guestTest(t, "quorate/vip/gate", 4*time.Minute, uml.Program{
		Args:    []string{"-test.v", "-test.timeout=3m", "-test.skip=NFT"}, // it has no inet and arp tables
		Modules: []string{"veth", "bridge", "macvlan", "8021q", "ipv6", "sch_ingress", "cls_bpf"},
	})
	for line := range strings.Lines(out) {
		if l := strings.TrimSpace(line); strings.HasPrefix(l, "--- SKIP") && !strings.Contains(l, "/tcx") && !strings.Contains(l, "TestStalePins") {
			t.Errorf("skipped: %s", l)
		}
	}
}

// TestRealServer: every kind of tunnel, none of which the host's kernel may have.
func TestRealServer(t *testing.T) {
	t.Parallel()
	out := guestTest(t, "quorate/lvs/realserver", 4*time.Minute, uml.Program{
		Args:    []string{"-test.v", "-test.timeout=3m", "-test.run=FailedSetup|EveryForward|Traffic|Silent"},
		Modules: []string{"veth", "bridge", "ipv6", "ipip", "ip6_tunnel", "ip_gre", "ip6_gre", "fou", "fou6"},
	})
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			t.Errorf("skipped: %s", line)
		}
	}
}

// TestConnSync: connections outlive their director, by relay without multicast and by multicast.
func TestConnSync(t *testing.T) {
	t.Parallel()
	out := guestTest(t, "quorate/lvs/connsync", 4*time.Minute, uml.Program{
		Args: []string{"-test.run=^(TestConnectionsSurvive|TestWithoutSync|TestForeignDaemon)$", "-test.v", "-test.timeout=3m"}, Memory: "2G",
	})
	for _, want := range []string{"--- PASS: TestConnectionsSurvive/relay", "--- PASS: TestConnectionsSurvive/multicast", "--- PASS: TestForeignDaemon"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not said", want)
		}
	}
}

// TestProbePath: probes that come to a server as its clients do, by every way of forwarding.
func TestProbePath(t *testing.T) {
	t.Parallel()
	out := guestTest(t, "quorate/lvs/probepath", 4*time.Minute, uml.Program{
		Args:    []string{"-test.v", "-test.timeout=3m", "-test.skip=Firewall"}, // it has no ip tables
		Modules: slices.Concat(uml.Modules, []string{"ipv6", "ip_gre", "ip6_gre", "fou", "fou6"}),
	})
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimSpace(line), "--- SKIP") {
			t.Errorf("skipped: %s", line)
		}
	}
}
