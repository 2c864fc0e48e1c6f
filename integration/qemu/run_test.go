package qemu_test

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/guest"
	"quorate/integration/guest/guesttest"
	"quorate/integration/qemu"
)

func need(t *testing.T) {
	t.Helper()
	if m := qemu.Missing(); m != "" {
		t.Skip(m)
	}
}

// busybox is a program that is statically linked, as the guest's are.
func busybox(t *testing.T) string {
	t.Helper()
	dir, err := qemu.Dir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "bin/busybox")
}

func TestRunCarriesOutputAndStatus(t *testing.T) {
	need(t)
	var out bytes.Buffer
	status, err := qemu.Run(t.Context(), qemu.Program{
		Path: busybox(t), Args: []string{"sh", "-c", `echo "$0 $GREETING"; cat /proc/sys/net/ipv4/vs/conntrack; ls -1 /; exit 7`, "it's"},
		Env: []string{"GREETING=hello  'there'"}, Stdout: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "it's hello  'there'\n0\nbin\n"; !strings.HasPrefix(out.String(), want) || strings.Contains(out.String(), "home") || status != 7 {
		t.Errorf("status %d, output %q; want 7, %q and no more than the guest has", status, out.String(), want)
	}
}

// TestRunIsKilled: when the time is over nothing is left, neither a process nor a file.
func TestRunIsKilled(t *testing.T) {
	need(t)
	up := guesttest.Killed(t, func(ctx context.Context, out io.Writer) error {
		_, err := qemu.Run(ctx, qemu.Program{Path: busybox(t), Args: []string{"sh", "-c", "echo up; exec sleep 1000"}, Stdout: out})
		return err
	})
	if up.IsZero() || time.Since(up) > time.Minute {
		t.Errorf("it took %v to kill a guest that was up at %v", time.Since(up), up)
	}
}

// inGuest runs a program in a guest as p says.
func inGuest(p qemu.Program) guesttest.Guest {
	return func(ctx context.Context, program string, out io.Writer) (int, error) {
		p.Path, p.Stdout = program, out
		return qemu.Run(ctx, p)
	}
}

// guestTest runs the tests of a package in a guest, all of which must pass; each of want has to be among them.
func guestTest(t *testing.T, pkg string, p qemu.Program, want ...string) {
	t.Helper()
	need(t)
	for _, tool := range p.Tools {
		if _, err := guest.LookPath(tool); err != nil {
			t.Skipf("%v: run apt-get install ipvsadm nftables", err)
		}
	}
	out := guesttest.Package(t, pkg, 5*time.Minute, inGuest(p))
	for _, want := range want {
		if !strings.Contains(out, "--- PASS: "+want+" ") {
			t.Errorf("%s has not passed", want)
		}
	}
}

// TestConntrack: net.ipv4.vs.conntrack beside a firewall, for which User-Mode Linux has no tables.
func TestConntrack(t *testing.T) {
	guestTest(t, "quorate/lvs/ipvs", qemu.Program{Args: []string{"-test.run=^TestConntrack", "-test.v", "-test.timeout=4m"}, Tools: []string{"nft"}},
		"TestConntrackTraffic", "TestConntrackDoesHarm")
}

// TestMarker runs the tests of lvs/marker, of which the host's kernel may do only those on nftables, on a kernel that has IPVS, too.
func TestMarker(t *testing.T) {
	guestTest(t, "quorate/lvs/marker", qemu.Program{Args: []string{"-test.v", "-test.timeout=4m"}, Tools: []string{"ipvsadm", "nft"}},
		"TestContract/ipvs", "TestMatches/ipvs", "TestMatches/nft", "TestKilled/ipvs", "TestTakenMark", "TestReplacedMarks")
}

// TestProbePath: probes through the forwarding path on the kernel that users have, and with a firewall. Every way of forwarding is for integration/uml.
func TestProbePath(t *testing.T) {
	guestTest(t, "quorate/lvs/probepath", qemu.Program{
		Args: []string{"-test.run=TestPaths/dr_|TestFirewall|TestConntrack|TestBackupOnly", "-test.v", "-test.timeout=4m"}, Tools: []string{"nft"},
		Modules: append(slices.Clone(qemu.Modules), "ip_gre", "ip6_gre", "fou", "fou6"),
	}, "TestPaths/dr_192.0.2.10", "TestFirewall", "TestConntrack")
}
