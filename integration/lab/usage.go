package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has used.
type Usage struct {
	Resident int64         // bytes, now (VmRSS of proc(5))
	CPU      time.Duration // user and system time of all threads since its start
}

// Usage reads what the process has used so far.
func (p *Process) Usage() (Usage, error) {
	u, err := UsageOf(p.PID())
	if err != nil {
		return Usage{}, fmt.Errorf("usage of %s on %s: %w", p.Name, p.host.Name, err)
	}
	return u, nil
}

// UsageOf reads what any process has used so far, one that a program of the lab has started, say.
func UsageOf(pid int) (Usage, error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return Usage{}, err
	}
	var u Usage
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64)
			if err != nil {
				return Usage{}, fmt.Errorf("VmRSS %q: %w", v, err)
			}
			u.Resident = kb << 10
		}
	}
	// A thread that ends takes its time out of the sum; Go keeps its threads. Nanoseconds, where stat has 10 ms steps.
	stats, err := filepath.Glob(filepath.Join(dir, "task", "*", "schedstat"))
	if err != nil {
		return Usage{}, err
	}
	if len(stats) == 0 {
		return Usage{}, fmt.Errorf("%s: the kernel does not say what its threads use (CONFIG_SCHED_INFO)", dir)
	}
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // that thread has ended
		}
		ns, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		if err != nil {
			return Usage{}, fmt.Errorf("%s: %w", path, err)
		}
		u.CPU += time.Duration(ns)
	}
	return u, nil
}
