// Package quorate_test guards the directions of imports: who may know whom.
package quorate_test

import (
	"os/exec"
	"strings"
	"testing"
)

// allowed lists, for each package of ours, which others of ours it may import (its own subpackages always). A package
// that is not listed fails the test: a new one states its place here.
var allowed = map[string][]string{
	"fsm":     {},
	"health":  {},
	"vip":     {},
	"lvs":     {"lvs/realserver"}, // lvs/lvstest prepares its servers with it
	"cluster": {"fsm"},
	"config":  {"fsm"},
	"script":  {},                // programs that an operator has named: checks and notifications run them
	"notify":  {"fsm", "script"}, // who is told what happens, and how
	"api":     {"fsm"},
	"agent":   {"fsm", "health", "vip", "lvs", "cluster", "config", "api", "notify", "script"},
	// A real server has no agent to ask: the command works on its kernel itself, and that part alone is its own place.
	"lvs/realserver": {"lvs"},
	// health: genhash and check test ask servers as checks do, also where no agent runs.
	"cmd/quorate":     {"health", "agent", "config", "api", "fsm", "lvs/realserver"},
	"cmd/quorate-lab": {"integration", "fsm", "health", "lvs"}, // health, lvs: it measures the engine and the data plane by themselves
	"integration":     {"fsm", "health", "vip", "lvs", "cluster", "config", "api", "agent"},
}

// place is the entry of allowed that a package belongs to: the longest that is a prefix of its path.
func place(pkg string) string {
	best := ""
	for p := range allowed {
		if (pkg == p || strings.HasPrefix(pkg, p+"/")) && len(p) > len(best) {
			best = p
		}
	}
	return best
}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Fields(line)
		pkg, ok := strings.CutPrefix(f[0], "quorate/")
		if !ok {
			continue // this test's own, empty package
		}
		at := place(pkg)
		if at == "" {
			t.Errorf("%s has no place in the structure: add it to `allowed` with what it may import", pkg)
			continue
		}
		for _, imp := range f[1:] {
			imp, ours := strings.CutPrefix(imp, "quorate/")
			if !ours || place(imp) == at {
				continue
			}
			legal := false
			for _, a := range allowed[at] {
				legal = legal || place(imp) == a
			}
			if !legal {
				t.Errorf("%s imports %s: %s may import only %v", pkg, imp, at, allowed[at])
			}
		}
	}
}

func TestFSMIsStandardLibraryOnly(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if not .Standard}}{{.ImportPath}}{{end}}`, "./fsm").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	for _, dep := range strings.Fields(string(out)) {
		if dep != "quorate/fsm" {
			t.Errorf("fsm depends on %s", dep)
		}
	}
}
