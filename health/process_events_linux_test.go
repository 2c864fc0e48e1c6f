package health

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestProcessEventsFromNamespace: process events are heard in a network namespace of its own, and no thread stays in another than it was.
func TestProcessEventsFromNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("it takes root, for a namespace")
	}
	if f, err := listenProcesses(); err != nil {
		t.Skipf("process events are not to be had here: %v; they need a kernel with CONFIG_PROC_EVENTS and the namespaces of the host", err)
	} else {
		f.Close()
	}
	inNamespace(t, "1 0", func() {
		if f, err := subscribeProcesses(); err == nil {
			f.Close()
			t.Error("the kernel tells of processes in every network namespace, so that none need be entered")
			return
		}
		f, err := listenProcesses()
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		cmd := exec.Command("true")
		if err := cmd.Run(); err != nil {
			t.Error(err)
			return
		}
		buf := make([]byte, 64<<10)
		_ = f.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			n, err := f.Read(buf)
			if err != nil {
				t.Errorf("the end of process %d was not heard of: %v", cmd.Process.Pid, err)
				return
			}
			if e := parseProcessEvent(buf[:n]); e.what == processExit && e.pid == cmd.Process.Pid {
				break
			}
		}
		// Another thread comes here, and goes back.
		here, there := 0, ""
		own, _ := os.Readlink("/proc/thread-self/ns/net")
		path := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
		if err := inNetworkOf(path, func() { there, _ = os.Readlink("/proc/thread-self/ns/net") }); err != nil || there != own {
			t.Errorf("it ran in %q, want %q: %v", there, own, err)
		}
		threads, _ := filepath.Glob("/proc/self/task/*/ns/net")
		for _, path := range threads {
			if at, err := os.Readlink(path); err == nil && at == own {
				here++
			}
		}
		if here != 1 {
			t.Errorf("%d threads are in the namespace, want that of this test", here)
		}
	})
	if err := inNetworkOf("/proc/self/ns/none", func() { t.Error("it ran") }); err == nil {
		t.Error("a namespace that is not there was entered")
	}
	if err := inNetworkOf("/dev/null", func() { t.Error("it ran") }); err != unix.EINVAL {
		t.Errorf("what is no namespace: %v", err)
	}
}
