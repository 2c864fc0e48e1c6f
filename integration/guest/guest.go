package guest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// tailBytes of the guest's console are quoted when it dies.
const tailBytes = 2000

// Tool is a program of the host, and the Debian package that has it.
type Tool struct{ Name, Package string }

// Missing names the first of the programs that this machine lacks, with the cure; empty when it lacks none.
func Missing(tools ...Tool) string {
	for _, t := range tools {
		if _, err := LookPath(t.Name); err != nil {
			return fmt.Sprintf("%s is not installed: run apt-get install %s", t.Name, t.Package)
		}
	}
	return ""
}

// LookPath also finds what only root has in its path.
func LookPath(name string) (string, error) {
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	return exec.LookPath("/usr/sbin/" + name)
}

// Script is what the guest's shell runs: a program, the first of words, with its arguments, in a directory and with variables NAME=value.
func Script(dir string, env []string, words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cd %s || exit 1\nexec env", quote(dir))
	for _, e := range env {
		b.WriteString(" " + quote(e))
	}
	for _, w := range words {
		b.WriteString(" " + quote(w))
	}
	return b.String() + "\n"
}

// quote for the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Outcome is what is to be said of a guest that has ended: the exit status that it left in a file, or why it left none. That ctx was over comes first; err, how the guest's
// process ended, counts only when there is no status. An error quotes the end of the console.
func Outcome(ctx context.Context, file string, err error, console []byte) (status int, _ error) {
	console = console[max(0, len(console)-tailBytes):]
	if ctx.Err() != nil {
		return 0, fmt.Errorf("the guest was killed: %w; the end of its console:\n%s", context.Cause(ctx), console)
	}
	b, _ := os.ReadFile(file)
	if status, e := strconv.Atoi(strings.TrimSpace(string(b))); e == nil {
		return status, nil
	}
	return 0, fmt.Errorf("the guest died without a status (%v); the end of its console:\n%s", err, console)
}
