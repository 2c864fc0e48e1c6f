package uml_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"quorate/integration/guest/guesttest"
	"quorate/integration/uml"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "quorate-uml-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = sync.OnceValues(func() (string, error) {
		if err := guesttest.Compile(context.Background(), "build", "-o", dir, "quorate/cmd/quorate", "quorate/cmd/quorate-lab"); err != nil {
			return "", err
		}
		return dir, guesttest.Compile(context.Background(), "test", "-c", "-o", filepath.Join(dir, hostsProgram), "quorate/integration")
	})
	return m.Run()
}

// programs is the directory that has quorate, quorate-lab and the tests of the hosts, made by the first test that needs them.
var programs func() (dir string, err error)

const hostsProgram = "integration.test"

// built is the path of one of these programs.
func built(t *testing.T, name string) string {
	t.Helper()
	need(t)
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// ofHosts is what such a program needs in a guest.
func ofHosts(p uml.Program) uml.Program {
	p.Env = append([]string{"TMPDIR=/run", "GOGC=400"}, p.Env...) // /run is the guest's own; a guest has memory, but page faults are dear
	p.Dir, p.Memory = "/", "2G"
	return p
}

// slow is a machine on which tests of the hosts must have patience.
const slow = "QUORATE_SLOW_MACHINE=1"

// hostsTest runs one test of the hosts, which must pass within limit, in a guest that has what p says beside, and returns what it said.
func hostsTest(t *testing.T, name string, limit time.Duration, p uml.Program) string {
	t.Helper()
	program := built(t, hostsProgram)
	p.Args = []string{"-test.run=^" + name + "$", "-test.v", "-test.timeout=" + (limit - time.Minute).String()}
	p.Env = append(p.Env, "QUORATE_PROGRAM="+built(t, "quorate"))
	out := guesttest.Program(t, program, limit, inGuest(ofHosts(p)))
	if !strings.Contains(out, "--- PASS: "+name+" (") {
		t.Errorf("%s has not run", name)
	}
	return out
}
