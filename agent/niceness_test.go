package agent

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
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
	if err := goFirst(); errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		t.Skip("needs CAP_SYS_NICE: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	// Threads that came with the runtime, and ones that are made now, each for a goroutine that keeps it.
	var here, done sync.WaitGroup
	here.Add(8)
	hold := make(chan struct{})
	for range 8 {
		done.Go(func() {
			runtime.LockOSThread()
			here.Done()
			<-hold
		})
	}
	here.Wait()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil || len(tasks) < 9 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	for _, x := range tasks {
		id, err := strconv.Atoi(x.Name())
		if err != nil {
			t.Fatal(err)
		}
		n, err := unix.Getpriority(unix.PRIO_PROCESS, id)
		if n = 20 - n; err == nil && n != niceness { // the system call's number is never negative
			t.Errorf("thread %d has the niceness %d, want %d", id, n, niceness)
		}
	}
	close(hold)
	done.Wait()
}
