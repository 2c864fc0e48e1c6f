package checks

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// server is a process that serves.
type server struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// program finds a program, or skips the test and names the package that has it.
func program(t *testing.T, debian string, paths ...string) string {
	t.Helper()
	for _, p := range paths {
		if found, _ := filepath.Glob(p); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	said.mu.Lock()
	said.skipped = true
	said.mu.Unlock()
	t.Skipf("%s is missing: apt-get install --no-install-recommends %s", paths[0], debian)
	return ""
}

// directory is an empty one that any user may enter and write to: servers drop their rights.
func directory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "quorate-checks-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// place puts a file into a directory.
func place(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve runs a server until the test ends, and waits for it to accept connections at the address, if that is valid.
func serve(t *testing.T, at netip.AddrPort, user *syscall.Credential, argv ...string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(argv[0], argv[1:]...), log: filepath.Join(directory(t), "log"), done: make(chan struct{})}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = log, log, filepath.Dir(s.log)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: user}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.kill)
	for deadline := time.Now().Add(20 * time.Second); at.IsValid(); {
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			c.Close()
			return s
		}
		select {
		case <-s.done:
			t.Fatalf("%s ended: %s", argv[0], s.said())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen at %v: %s", argv[0], at, s.said())
		}
	}
	return s
}

// said is the end of the server's log.
func (s *server) said() string {
	b, _ := os.ReadFile(s.log)
	return string(b[max(0, len(b)-2000):])
}

// stop has the whole group of the server stand still, and returns when all its threads do; resume has it go on.
func (s *server) stop(t *testing.T) {
	t.Helper()
	s.signal(t, syscall.SIGSTOP)
	waitFor(t, func() bool { return stands(s.cmd.Process.Pid) })
}

// stands says whether all threads of a process stand still. One of them hears of the signal, and has to run for the others to hear of it.
func stands(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if _, state, _ := strings.Cut(string(b), ") "); err == nil && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return len(threads) > 0
}

func (s *server) resume(t *testing.T) { s.signal(t, syscall.SIGCONT) }

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-s.cmd.Process.Pid, sig); err != nil {
		t.Fatal(err)
	}
}

// kill ends the server's group and waits for it.
func (s *server) kill() {
	select {
	case <-s.done: // its id may be another's by now
		return
	default:
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.done
}

// given counts the ports that were given out. Two processes begin at different ones.
var given atomic.Uint32

func init() { given.Store(rand.Uint32()) }

// freePort is an address on loopback at which nobody listens, given out once. It lies below the ports that the kernel chooses from (ip_local_port_range): one of those, closed
// again, may be another's before the server that it is for listens at it, and after that server has ended.
func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	const first, many = 20000, 10000
	for range many {
		at := local(uint16(first + given.Add(1)%many))
		if l, err := net.Listen("tcp", at.String()); err == nil {
			l.Close()
			return at
		}
	}
	t.Fatal("no port of loopback is free")
	return netip.AddrPort{}
}

// listening serves each connection with handle until the test ends.
func listening(t *testing.T, handle func(c net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go func() {
					defer c.Close()
					handle(c)
				}()
			}
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// silent accepts, in the kernel's queue, and nobody ever says anything.
func silent(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// cutOff stands before a server, and cuts its answers off after so many bytes.
func cutOff(t *testing.T, at netip.AddrPort, after int64) netip.AddrPort {
	t.Helper()
	return listening(t, func(c net.Conn) {
		to, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Error(err)
			return
		}
		defer to.Close()
		go func() { _, _ = io.Copy(to, c) }()
		_, _ = io.CopyN(c, to, after)
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
}

// foreign speaks another protocol than any that is asked for: it greets as SSH does, and ends.
func foreign(t *testing.T) netip.AddrPort {
	t.Helper()
	return listening(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
	})
}

// ills are the conditions that any server by TCP may be in. cut is how many bytes of its answer come through.
func ills(t *testing.T, kind, keys, name string, s *server, at netip.AddrPort, cut int64) {
	t.Helper()
	quick := "timeout = \"300ms\"; " + keys
	ask(t, kind, keys, cutOff(t, at, cut), name, "its answer is cut off", false)
	s.stop(t)
	ask(t, kind, quick, at, name, "stopped", false)
	s.resume(t)
	s.kill()
	waitFor(t, func() bool { // its children end later
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	ask(t, kind, keys, at, name, "killed", false)
	ask(t, kind, quick, silent(t), "none", "something accepts and says nothing", false)
	ask(t, kind, keys, foreign(t), "OpenSSH's greeting", "another protocol", false)
}
