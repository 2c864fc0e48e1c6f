package viptest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Keepalived is a real keepalived in a namespace. It ends with the test.
type Keepalived struct {
	t    testing.TB
	cmd  *exec.Cmd
	once sync.Once

	mu   sync.Mutex
	text strings.Builder
}

// Write takes its log.
func (k *Keepalived) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(b)
}

// Log is what it has said since a mark, an earlier length of it.
func (k *Keepalived) Log(mark int) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.String()[mark:]
}

// Keepalived starts keepalived with a configuration, VRRP alone. The test is skipped where there is none.
func (s *Space) Keepalived(conf string) *Keepalived {
	s.T.Helper()
	path, err := exec.LookPath("/usr/sbin/keepalived")
	if err != nil {
		s.T.Skip("keepalived is not installed: apt-get install keepalived")
	}
	dir := s.T.TempDir()
	file := filepath.Join(dir, "keepalived.conf")
	Must(s.T, os.WriteFile(file, []byte(conf), 0o600))
	k := &Keepalived{t: s.T}
	k.cmd = exec.Command(path, "--dont-fork", "--log-console", "--log-detail", "--vrrp", "--use-file", file,
		"--pid", filepath.Join(dir, "pid"), "--vrrp_pid", filepath.Join(dir, "vrrp.pid"), "--checkers_pid", filepath.Join(dir, "checkers.pid"))
	k.cmd.Stdout, k.cmd.Stderr = k, k
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	Must(s.T, s.In(k.cmd.Start))
	s.T.Cleanup(func() {
		k.Stop()
		if s.T.Failed() {
			s.T.Logf("keepalived's log:\n%s", k.Log(0))
		}
	})
	return k
}

// Stop ends it in order and waits until it is gone.
func (k *Keepalived) Stop() {
	k.once.Do(func() {
		_ = k.cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(5*time.Second, func() { _ = syscall.Kill(-k.cmd.Process.Pid, syscall.SIGKILL) })
		defer late.Stop()
		if err := k.cmd.Wait(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			k.t.Logf("keepalived ended: %v", err)
		}
	})
}
