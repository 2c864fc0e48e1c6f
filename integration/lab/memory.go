package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNoMemoryLimit says what this machine lacks for [Process.Starve].
var ErrNoMemoryLimit = errors.New("a limit of memory needs control groups that can be written: " + memoryRootV1 + ", or " + memoryRootV2 +
	" with “memory” in cgroup.subtree_control")

// Where the memory controller is, by version of control groups.
const (
	memoryRootV1 = "/sys/fs/cgroup/memory"
	memoryRootV2 = "/sys/fs/cgroup"
)

// memoryGroup is a control group that limits memory; it is removed by Close, once its processes have ended.
type memoryGroup struct{ dir string }

// newMemoryGroup makes one whose processes get so many bytes more, and none by swapping.
func newMemoryGroup(bytes int) (memoryGroup, error) {
	root, limit, swap, most := memoryRootV1, "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", bytes
	if _, err := os.Stat(filepath.Join(root, limit)); err != nil {
		root, limit, swap, most = memoryRootV2, "memory.max", "memory.swap.max", 0
		on, err := os.ReadFile(filepath.Join(root, "cgroup.subtree_control"))
		if err != nil || !slices.Contains(strings.Fields(string(on)), "memory") {
			return memoryGroup{}, ErrNoMemoryLimit
		}
	}
	dir, err := os.MkdirTemp(root, "quorate-lab-")
	if err != nil {
		return memoryGroup{}, fmt.Errorf("%w: %w", ErrNoMemoryLimit, err)
	}
	g := memoryGroup{dir}
	err = os.WriteFile(filepath.Join(dir, limit), []byte(strconv.Itoa(bytes)), 0)
	if _, e := os.Stat(filepath.Join(dir, swap)); err == nil && e == nil { // a kernel without swap has no such file
		err = os.WriteFile(filepath.Join(dir, swap), []byte(strconv.Itoa(most)), 0)
	}
	if err != nil {
		return memoryGroup{}, errors.Join(fmt.Errorf("%w: %w", ErrNoMemoryLimit, err), g.Close())
	}
	return g, nil
}

// take moves a process into the group. What it has already stays with the group that it comes from.
func (g memoryGroup) take(pid int) error {
	return os.WriteFile(filepath.Join(g.dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// Close removes the group. The kernel lets go of a process a moment after it has ended.
func (g memoryGroup) Close() error {
	for end := time.Now().Add(time.Second); ; time.Sleep(time.Millisecond) {
		if err := os.Remove(g.dir); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// Starve gives the process no page of memory more, so that the kernel's OOM killer takes it as soon as it needs one; provoke makes it need
// one. It returns when the process has ended. The error is ErrNoMemoryLimit where this machine permits no limit.
func (p *Process) Starve(ctx context.Context, provoke func(context.Context)) (err error) {
	g, err := newMemoryGroup(os.Getpagesize())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	if err := g.take(p.PID()); err != nil {
		return fmt.Errorf("limit the memory of %s on %s: %w", p.Name, p.host.Name, err)
	}
	for {
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s on %s lives without memory: %w", p.Name, p.host.Name, ctx.Err()), p.Kill())
		default:
			provoke(ctx)
		}
	}
}
