// Package mutant is the test of the simulation: each mutant undoes one rule of the lease, of hand-over, of the gate or of the
// grantor set in a copy of the code under test, and the fault schedules must catch it. The tree itself is never changed: the go
// command gets the changed files as an overlay.
package mutant

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// edit replaces one piece of a file by another. The piece must be there exactly once, so that a mutant that has gone stale
// fails instead of testing nothing.
type edit struct{ file, old, new string }

// mutant is one rule undone.
type mutant struct {
	name      string
	rule      string // the sentence that it breaks
	situation string // with which the schedules begin; "" = with any fault
	edits     []edit
}

// within how many schedules a mutant must be caught.
const within = 60

var only = flag.String("mutant", "", "run only the mutants whose names match")

func TestMutantsAreCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the simulation once for each mutant: not in -short")
	}
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(*only)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			if !match.MatchString(m.name) {
				t.Skip("not asked for by -mutant")
			}
			t.Parallel()
			bin := build(t, root, m)
			start := time.Now()
			out, err := exec.Command(bin, "-test.run=^TestSchedules$", "-schedules="+strconv.Itoa(within), "-situation="+m.situation).CombinedOutput()
			text := string(out)
			if err == nil {
				t.Fatalf("survived %d schedules: %s", within, m.rule)
			}
			if !caught.MatchString(text) {
				t.Fatalf("the simulation failed, but not by a broken promise:\n%s", text)
			}
			t.Logf("caught after %v: %s", time.Since(start).Round(10*time.Millisecond), strings.TrimSpace(caught.FindString(text)))
		})
	}
}

// caught is a broken promise, as the simulation reports it.
var caught = regexp.MustCompile(`seed \d+ at \S+: .*(two holders|answers for|went from|went back|gives another state|is given to|although check|is gone with|is still said).*`)

// build makes the simulation's test program with the mutant in it.
func build(t *testing.T, root string, m mutant) string {
	t.Helper()
	dir := t.TempDir()
	overlay := map[string]string{}
	changed := map[string]string{}
	for _, e := range m.edits {
		path := filepath.Join(root, e.file)
		src, ok := changed[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			src = string(b)
		}
		if n := strings.Count(src, e.old); n != 1 {
			t.Fatalf("this mutant has gone stale: %d times in %s:\n%s", n, e.file, e.old)
		}
		changed[path] = strings.Replace(src, e.old, e.new, 1)
	}
	for path, src := range changed {
		copied := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(path, root+"/"), "/", "_"))
		if err := os.WriteFile(copied, []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay[path] = copied
	}
	spec, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, spec, 0o644); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "sim.test")
	cmd := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", file, "-o", bin, "./integration/sim")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the mutant does not build: %v\n%s", err, out)
	}
	return bin
}
