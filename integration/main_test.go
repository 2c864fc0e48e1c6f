package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"quorate/integration/lab"
)

// quorate is the program under test, built once.
var quorate string

// programVariable names the program under test where it cannot be built: in a guest.
const programVariable = "QUORATE_PROGRAM"

func TestMain(m *testing.M) {
	if ran, err := lab.RunRole(os.Args[1:]); ran {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Geteuid() != 0 {
		return m.Run() // every test says that it needs root
	}
	if quorate = os.Getenv(programVariable); quorate != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "quorate-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	quorate = filepath.Join(dir, "quorate")
	build := exec.Command("go", "build", "-trimpath", "-o", quorate, "quorate/cmd/quorate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build quorate: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// newBed makes directors, not started, and web servers. At the end of the test it prints the agents' logs if the test
// failed, removes everything, and checks that the machine is as it was.
func newBed(t *testing.T, directors, servers int) *lab.Bed {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	before, err := lab.TakeFootprint()
	if err != nil {
		t.Fatal(err)
	}
	bed, err := lab.NewBed(context.Background(), paceOf().bed(lab.BedOptions{Binary: quorate, Directors: directors, Servers: servers}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBed(t, bed, before) })
	return bed
}

// closeBed is the end of a test: see newBed.
func closeBed(t *testing.T, bed *lab.Bed, before lab.Footprint) {
	t.Helper()
	if t.Failed() {
		t.Logf("what the agents said:\n%s", bed.Logs())
	}
	if err := bed.Close(); err != nil {
		t.Errorf("close the lab: %v", err)
	}
	left, err := before.Compare(5 * time.Second)
	if err != nil {
		t.Error(err)
	}
	for _, l := range left {
		t.Errorf("the machine is not as it was: %s", l)
	}
}

// within is a context for something that must be done in time.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// form makes the bed's directors a cluster.
func form(t *testing.T, bed *lab.Bed) {
	t.Helper()
	must(t, bed.Form(within(t, 30*time.Second*paceOf().times)))
}

// says runs a quorate command that must succeed, and returns what it printed.
func says(t *testing.T, d *lab.Director, args ...string) string {
	t.Helper()
	out, err := d.Quorate(within(t, 30*time.Second*paceOf().times), args...)
	must(t, err)
	return out
}

// apply applies a configuration that must be accepted.
func apply(t *testing.T, d *lab.Director, c *lab.Config) {
	t.Helper()
	_, err := d.Apply(within(t, 30*time.Second*paceOf().times), "cluster.hcl", c.String())
	must(t, err)
}
