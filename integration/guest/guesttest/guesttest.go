// Package guesttest runs tests in the guests of integration/uml and integration/qemu: it builds what they run, and checks what they leave behind. Whether a bed can be
// had, how long a guest may take and what its output must say is each test's own.
package guesttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Build makes programs for a guest, statically, from packages of the current directory's module, and returns the directory that has them. It is gone after the test.
func Build(t *testing.T, packages ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	compile(t, append([]string{"build", "-o", dir}, packages...)...)
	return dir
}

func compile(t *testing.T, args ...string) {
	t.Helper()
	if err := Compile(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

// Compile runs go so that what it builds, of the current directory's module, runs in a guest: statically.
func Compile(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %q: %w\n%s", args, err, out)
	}
	return nil
}

// Guest runs one program in a guest, as uml.Run and qemu.Run do: program is its path on the host, to out goes what it says.
type Guest func(ctx context.Context, program string, out io.Writer) (status int, err error)

// Package runs the tests of a package in a guest, all of which must pass, and returns what they said.
func Package(t *testing.T, pkg string, limit time.Duration, g Guest) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "guest.test")
	compile(t, "test", "-c", "-o", program, pkg)
	return Program(t, program, limit, g)
}

// Program runs a program in a guest, which must end within limit and well, and returns what it said.
func Program(t *testing.T, program string, limit time.Duration, g Guest) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var out bytes.Buffer
	status, err := g(ctx, program, &out)
	t.Logf("in the guest:\n%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		t.Errorf("exit status %d", status)
	}
	return out.String()
}

// Killed kills a guest as soon as its program says something, and checks that the cause is reported and that nothing is left, neither a process nor a file. It returns when
// the program said it; run is to make the guest run one that does not end by itself.
func Killed(t *testing.T, run func(ctx context.Context, out io.Writer) error) (up time.Time) {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	why := errors.New("the test has seen enough")
	if err := run(ctx, writerFunc(func([]byte) { up = time.Now(); cancel(why) })); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if p := processesWith(t, tmp); len(p) > 0 {
		t.Errorf("still running: %q", p)
	}
	return up
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

// processesWith lists the processes that have a text in their command line.
func processesWith(t *testing.T, text string) (out []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(text)) {
			out = append(out, string(b))
		}
	}
	return out
}
