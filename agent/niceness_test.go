package agent

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestGoesFirst asks in a process of its own: niceness cannot be given back by who may not take it.
func TestGoesFirst(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs CAP_SYS_NICE: run as root")
	}
	if os.Getenv("QUORATE_TEST_NICENESS") == "" {
		self := exec.Command(os.Args[0], "-test.run", "^TestGoesFirst$", "-test.v")
		self.Env = append(os.Environ(), "QUORATE_TEST_NICENESS=1")
		if out, err := self.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := goFirst(); err != nil {
		t.Fatal(err)
	}
	// Threads that came with the runtime, and ones that are made now.
	got := make(chan int)
	for range 8 {
		go func() {
			n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
			if err != nil {
				t.Error(err)
			}
			got <- 20 - n // the system call's number, which is never negative
		}()
	}
	for range 8 {
		if n := <-got; n != niceness {
			t.Errorf("a thread has the niceness %d, want %d", n, niceness)
		}
	}
}
