package qemu_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quorate/integration/qemu"
	"quorate/integration/uml"
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
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the test has seen enough")
	var up time.Time
	_, err := qemu.Run(ctx, qemu.Program{Path: busybox(t), Args: []string{"sh", "-c", "echo up; exec sleep 1000"},
		Stdout: writerFunc(func([]byte) { up = time.Now(); cancel(why) })})
	if !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if up.IsZero() || time.Since(up) > time.Minute {
		t.Errorf("it took %v to kill a guest that was up at %v", time.Since(up), up)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range processes {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(tmp)) {
			t.Errorf("still running: %q", b)
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

// guestTest runs the tests of a package in a guest, all of which must pass; each of want has to be among them.
func guestTest(t *testing.T, pkg string, p qemu.Program, want ...string) {
	t.Helper()
	need(t)
	for _, tool := range p.Tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%v: run apt-get install ipvsadm nftables", err)
		}
	}
	p.Path = filepath.Join(t.TempDir(), "guest.test")
	if err := uml.BuildTest(t.Context(), pkg, p.Path); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var out bytes.Buffer
	p.Stdout = &out
	status, err := qemu.Run(ctx, p)
	t.Logf("in the guest:\n%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, want := range want {
		if !strings.Contains(out.String(), "--- PASS: "+want+" ") {
			t.Errorf("%s has not passed", want)
		}
	}
}

// TestMarker runs the tests of lvs/marker, of which the host's kernel may do only those on nftables, on a kernel that has IPVS, too.
func TestMarker(t *testing.T) {
	guestTest(t, "quorate/lvs/marker", qemu.Program{Args: []string{"-test.v", "-test.timeout=4m"}, Tools: []string{"ipvsadm", "nft"}},
		"TestContract/ipvs", "TestMatches/ipvs", "TestMatches/nft", "TestKilled/ipvs", "TestTakenMark")
}

// TestProbePath: probes through the forwarding path on the kernel that users have, and with a firewall.
func TestProbePath(t *testing.T) {
	guestTest(t, "quorate/lvs/probepath", qemu.Program{Args: []string{"-test.v", "-test.timeout=4m"}, Tools: []string{"nft"},
		Modules: append(slices.Clone(qemu.Modules), "ip_gre", "ip6_gre", "fou", "fou6")},
		"TestPaths/dr_192.0.2.10", "TestFirewall", "TestConntrack")
}
