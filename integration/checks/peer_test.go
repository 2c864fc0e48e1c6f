package checks

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate/health"
	"quorate/integration/lab"
)

// peer is a server of someone else, in a process group of its own.
type peer struct {
	t   *testing.T
	cmd *exec.Cmd
	log *lab.Output
	end sync.Once
}

// needs skips the test where the program of a Debian package is missing.
func needs(t *testing.T, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		for _, dir := range []string{"/usr/sbin/", "/sbin/", "/usr/lib/"} { // not in the path of everyone
			if _, err := os.Stat(dir + program); err == nil {
				return dir + program
			}
		}
		said.mu.Lock()
		said.skipped = true
		said.mu.Unlock()
		t.Skipf("there is no %s: apt-get install %s", program, pkg)
	}
	return path
}

// start runs a server in the foreground until the test ends and waits until it listens on the ports.
func start(t *testing.T, ports []uint16, program string, args ...string) *peer {
	t.Helper()
	p := &peer{t: t, cmd: exec.Command(program, args...), log: &lab.Output{}}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = p.log, p.log, t.TempDir()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), p.log)
		}
	})
	for _, port := range ports {
		until(t, func() bool {
			c, err := net.DialTimeout("tcp", local(port).String(), time.Second)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		}, func() string {
			return fmt.Sprintf("%s does not listen on port %d:\n%s", filepath.Base(program), port, p.log)
		})
	}
	return p
}

// signal tells all processes of the peer.
func (p *peer) signal(s syscall.Signal) { _ = syscall.Kill(-p.cmd.Process.Pid, s) }

// kill ends the peer and waits for it: its sockets are gone then.
func (p *peer) kill() {
	p.end.Do(func() {
		p.signal(syscall.SIGKILL)
		_ = p.cmd.Wait()
	})
}

// stopped has the peer's processes stand still while do runs: what the kernel does goes on.
func (p *peer) stopped(do func()) {
	p.signal(syscall.SIGSTOP)
	defer p.signal(syscall.SIGCONT)
	until(p.t, func() bool { return stands(p.cmd.Process.Pid) }, func() string { return "it goes on after SIGSTOP" })
	do()
}

// written is how many bytes the peer has written so far.
func (p *peer) written() int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if n, ok := strings.CutPrefix(line, "wchar: "); ok {
			bytes, _ := strconv.Atoi(strings.TrimSpace(n))
			return bytes
		}
	}
	return 0
}

// midway asks the target, does something to the peer when so many bytes of the answer are written, and adds what the check says to the table.
func (p *peer) midway(name, condition string, target health.Target, bytes int, do func()) {
	p.t.Helper()
	type result struct {
		a   health.Answer
		err error
	}
	done := make(chan result, 1)
	before := p.written()
	go func() {
		a, err := health.Ask(context.Background(), target)
		done <- result{a, err}
	}()
	until(p.t, func() bool { return p.written()-before >= bytes }, func() string { return "the answer does not begin" })
	do()
	r := <-done
	told(p.t, name, condition, target, r.a, r.err, false)
}

// until waits for something that gives no sign of itself.
func until(t *testing.T, is func() bool, otherwise func() string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(otherwise())
		}
	}
}

// free are ports that nobody listens on: see freePort.
func free(t *testing.T, n int) []uint16 {
	t.Helper()
	var ports []uint16
	for range n {
		ports = append(ports, freePort(t).Port())
	}
	return ports
}

func local(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

// write puts a file into a directory of the test's.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
