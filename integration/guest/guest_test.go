package guest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"quorate/integration/guest"
)

func TestOutcome(t *testing.T) {
	status := filepath.Join(t.TempDir(), "status")
	if err := os.WriteFile(status, []byte(" 7\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("seen enough"))
	console := []byte(strings.Repeat("booting\n", 1000) + "kernel panic")
	for name, c := range map[string]struct {
		ctx    context.Context
		file   string
		status int
		says   []string
	}{
		"status":   {ctx: t.Context(), file: status, status: 7},
		"killed":   {ctx: over, file: status, says: []string{"killed: seen enough", "kernel panic"}},
		"none":     {ctx: t.Context(), file: status + "x", says: []string{"without a status (signal: killed)", "kernel panic"}},
		"no digit": {ctx: t.Context(), file: os.Args[0], says: []string{"without a status"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := guest.Outcome(c.ctx, c.file, errors.New("signal: killed"), console)
			if got != c.status || (err != nil) != (c.says != nil) {
				t.Fatalf("status %d, %v", got, err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if err != nil && len(err.Error()) > 2200 {
				t.Errorf("it quotes %d bytes", len(err.Error()))
			}
		})
	}
}

func TestScript(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's here")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	script := guest.Script(dir, []string{"GREETING=hello  'there' $HOME"}, "sh", "-c", `pwd; echo "$GREETING"; echo "$1"`, "sh", "a `b` \\ c")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).CombinedOutput()
	if want := dir + "\nhello  'there' $HOME\na `b` \\ c\n"; err != nil || string(out) != want {
		t.Errorf("%v: %q, want %q", err, out, want)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", guest.Script(dir+"x", nil, "echo", "here")).CombinedOutput(); err == nil {
		t.Errorf("it ran elsewhere: %s", out)
	}
}

func TestMissing(t *testing.T) {
	if m := guest.Missing(guest.Tool{Name: "sh", Package: "dash"}); m != "" {
		t.Error(m)
	}
	got := guest.Missing(guest.Tool{Name: "sh", Package: "dash"}, guest.Tool{Name: "no-such-program", Package: "its-package"})
	if want := "no-such-program is not installed: run apt-get install its-package"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
