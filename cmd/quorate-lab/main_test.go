package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"quorate/integration/lab"
)

// TestMain lets the test binary be the program, so that what is tested is a whole process.
func TestMain(m *testing.M) {
	if os.Getenv("QUORATE_LAB_TEST_MAIN") != "" {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

// program is the program with arguments. quorate is built when it is needed.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), "QUORATE_LAB_TEST_MAIN=1")
	return cmd
}

func buildQuorate(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "quorate")
	build := exec.Command("go", "build", "-o", path, "quorate/cmd/quorate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build quorate: %v\n%s", err, out)
	}
	return path
}

func TestWrongUsage(t *testing.T) {
	for _, c := range []struct {
		args, want string
	}{
		{"demo now", `demo takes no argument "now"`},
		{"demo --data-plane ebpf", "--data-plane ebpf"},
		{"demo --profile fast", "--profile fast"},
		{"demo --rate 0", "--rate 0"},
		{"demo --patience 0", "--patience 0"},
		{"--colour", "unknown flag"},
		{"nonsense", `no argument "nonsense"`},
		{"", "needs a command"},
		{"bench", "failover, health, idle, lvs, matrix or many"},
		{"bench speed", `no benchmark "speed"`},
		{"bench failover --runs 0", "--runs 0"},
		{"bench failover --scenarios flood --quorate /bin/true", `no scenario "flood"`},
		{"bench failover --systems pacemaker", "pacemaker"},
		{"bench idle --vips 101", "--vips 101"},
		{"bench idle --output xml --quorate /bin/true", "--output xml"},
		{"bench lvs --runs 0", "--runs 0"},
		{"bench matrix --rows flood", `no fault "flood"`},
		{"bench matrix --rows kill --write x", "--rows"},
		{"bench matrix --fence door", "--fence door"},
		{"bench matrix --fence nft --write x", "--fence"},
		{"bench many --vips 3", "--vips 3"},
		{"soak --minutes 0", "--minutes 0"},
		{"up --rate 9999", "--rate 9999"},
	} {
		var stderr bytes.Buffer
		cmd := program(t, strings.Fields(c.args)...)
		cmd.Stderr = &stderr
		err := cmd.Run()
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.ExitCode() != 2 || !strings.Contains(stderr.String(), c.want) {
			t.Errorf("quorate-lab %s: %v: %s\nwant exit status 2 and %q", c.args, err, stderr.String(), c.want)
		}
	}
}

func TestMissingQuorateIsNamed(t *testing.T) {
	out, err := program(t, "demo", "--quorate", "/nowhere/quorate").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "/nowhere/quorate") || !strings.Contains(string(out), "make build") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		sorted []float64
		want   float64
	}{{[]float64{7}, 7}, {[]float64{1, 2, 9}, 2}, {[]float64{1, 2, 4, 9}, 3}} {
		if got := median(c.sorted); got != c.want {
			t.Errorf("%v: %v, want %v", c.sorted, got, c.want)
		}
	}
}

func TestBrokenPromiseIsAnError(t *testing.T) {
	var out bytes.Buffer
	r := newReport(&out)
	r.step("one")
	r.within(time.Second, 300*time.Millisecond, "kept")
	if err := r.verdict(); err != nil {
		t.Errorf("all was kept, but: %v", err)
	}
	r.within(time.Second, 3*time.Second, "not kept")
	if err := r.verdict(); err == nil || !strings.Contains(out.String(), "step 1: not kept: 3000 ms") {
		t.Errorf("got %v and\n%s", err, out.String())
	}
}

// labID is the lab's name, as the path of its directory shows it.
var labID = regexp.MustCompile(`quorate-lab-[0-9]+`)

// TestInterruptedLabLeavesNothing ends `up`, once it runs, in the three ways in which a person may.
func TestInterruptedLabLeavesNothing(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	if testing.Short() {
		t.Skip("-short: it builds quorate and three labs")
	}
	quorate := buildQuorate(t)
	before, err := lab.TakeFootprint()
	if err != nil {
		t.Fatal(err)
	}
	down := func(id string) string { // only this one: others may be at work on this machine
		out, err := program(t, "down", id).CombinedOutput()
		if err != nil {
			t.Errorf("down: %v: %s", err, out)
		}
		return string(out)
	}
	for _, c := range []struct {
		name string
		end  func(up *exec.Cmd, id string) error
		code int // exit status of up; -1: killed
		says string
	}{
		{"Ctrl-C", func(up *exec.Cmd, _ string) error { return up.Process.Signal(os.Interrupt) }, 0, ""},
		{"down elsewhere", func(_ *exec.Cmd, id string) error { down(id); return nil }, 0, ""},
		{"kill -9, then down", func(up *exec.Cmd, _ string) error { return up.Process.Signal(syscall.SIGKILL) }, -1, "had crashed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := program(t, "up", "--quorate", quorate)
			var out lab.Output
			up.Stdout, up.Stderr = &out, &out
			if err := up.Start(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			ended := make(chan struct{})
			go func() { _ = up.Wait(); close(ended) }()
			err := lab.Await(ctx, 20*time.Millisecond, func(context.Context) error {
				select {
				case <-ended:
					return lab.Final(errors.New("it ended"))
				default:
					return unless(strings.Contains(out.String(), "Ctrl-C"), "it has not said what to type")
				}
			})
			if err != nil {
				t.Fatalf("up: %v\n%s", err, out.String())
			}
			id := labID.FindString(out.String())
			if err := c.end(up, id); err != nil {
				t.Fatal(err)
			}
			<-ended
			if code := up.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit status %d, want %d\n%s", code, c.code, out.String())
			}
			if c.says != "" {
				if said := down(id); !strings.Contains(said, c.says) {
					t.Errorf("down says %q, want %q in it", said, c.says)
				}
			}
			if said := down(id); !strings.Contains(said, "nothing is left") {
				t.Errorf("down, again, says %q", said)
			}
			left, err := before.Compare(5 * time.Second)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %q, %v", left, err)
			}
		})
	}
}
