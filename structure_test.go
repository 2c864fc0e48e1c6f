// Package quorate_test guards the directions of imports: who may know whom. It also guards that no test is left out by the Makefile, which chooses some by their names.
package quorate_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
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

// TestSchedulesAreRun: tests whose names are SCHEDULES are left out by `make test-unit`, so they must be where `make test-pure` runs them.
func TestSchedulesAreRun(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`(?m)^SCHEDULES *= *(\S+)$`).FindSubmatch(makefile)
	runs := regexp.MustCompile(`(?m)^\t.* -run '\$\(SCHEDULES\)' (.*)$`).FindSubmatch(makefile)
	if name == nil || runs == nil {
		t.Fatal("the Makefile has no SCHEDULES, or does not run them")
	}
	schedules := regexp.MustCompile(strings.ReplaceAll(string(name[1]), "$$", "$"))
	places := strings.Fields(string(runs[1]))
	found := 0
	for file, tests := range testsBelow(t, ".") {
		if strings.HasPrefix(file, "integration/") { // no unit tests
			continue
		}
		for _, test := range tests {
			if !schedules.MatchString(test) {
				continue
			}
			if found++; !slices.Contains(places, "./"+filepath.Dir(file)) {
				t.Errorf("%s: %s is called as what make test-unit leaves out: name it otherwise, or add ./%s where the Makefile runs SCHEDULES", file, test, filepath.Dir(file))
			}
		}
	}
	if found == 0 {
		t.Errorf("no test is called %s", schedules)
	}
}

var testName = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// testsBelow are the names of the tests in each file of a directory and those below it.
func testsBelow(t *testing.T, dir string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testName.FindAllSubmatch(text, -1) {
			out[path] = append(out[path], string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
