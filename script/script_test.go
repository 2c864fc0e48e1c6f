package script

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// write makes a script in a directory that only root may write to, as far as this test can see to it.
func write(t *testing.T, body string, mode os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "run")
	if err := os.WriteFile(path, []byte(body), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	root := os.Geteuid() == 0
	good := write(t, "#!/bin/sh\n", 0o755)
	link := filepath.Join(filepath.Dir(good), "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	open := write(t, "#!/bin/sh\n", 0o755)
	if err := os.Chmod(filepath.Dir(open), 0o777); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		c    Command
		want string // "" = it may run
		root bool   // needs root to be refused
	}{
		"good":               {c: Command{Args: []string{good}}},
		"link":               {c: Command{Args: []string{link}}},
		"other user":         {c: Command{Args: []string{good}, User: "nobody"}, root: true},
		"relative":           {c: Command{Args: []string{"run"}}, want: "no absolute path"},
		"nothing":            {want: "no absolute path"},
		"missing":            {c: Command{Args: []string{good + "x"}}, want: "no such file"},
		"directory":          {c: Command{Args: []string{filepath.Dir(good)}}, want: "it is a directory"},
		"no execute bit":     {c: Command{Args: []string{write(t, "", 0o644)}}, want: "no execute bit; run: chmod +x"},
		"not for that user":  {c: Command{Args: []string{write(t, "", 0o700)}, User: "nobody"}, want: "no execute bit for user nobody", root: true},
		"no such user":       {c: Command{Args: []string{good}, User: "nobody-of-this-name"}, want: "unknown user"},
		"world-writable":     {c: Command{Args: []string{write(t, "", 0o777)}}, want: "everybody may write", root: true},
		"group-writable":     {c: Command{Args: []string{chgrp(t, write(t, "", 0o775))}}, want: "group 65534 may write", root: true},
		"not root's":         {c: Command{Args: []string{chown(t, write(t, "", 0o755))}}, want: "belongs to user 65534", root: true},
		"open directory":     {c: Command{Args: []string{open}}, want: "everybody may write to " + filepath.Dir(open), root: true},
		"open, but not root": {c: Command{Args: []string{open}, User: "nobody"}, root: true},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && !root {
				t.Skip("needs root")
			}
			err := tt.c.Check()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if tt.root && tt.want != "" && name != "not for that user" && !errors.Is(err, ErrInsecure) {
				t.Errorf("%v is not ErrInsecure", err)
			}
		})
	}
}

func chgrp(t *testing.T, path string) string { return owned(t, path, 0) }
func chown(t *testing.T, path string) string { return owned(t, path, 65534) }

func owned(t *testing.T, path string, uid int) string {
	if os.Geteuid() == 0 {
		if err := os.Chown(path, uid, 65534); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func run(t *testing.T, limit time.Duration, body string, c Command) (Result, error) {
	t.Helper()
	c.Args = append([]string{write(t, "#!/bin/sh\n"+body, 0o755)}, c.Args...)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return c.Run(ctx)
}

func TestRun(t *testing.T) {
	t.Setenv("SECRET_OF_THE_AGENT", "x")
	res, err := run(t, 10*time.Second, `echo "$1 $A [$SECRET_OF_THE_AGENT] $(cat)"; echo oops >&2; exit 3`, Command{Args: []string{"a b"}, Env: []string{"A=1"}, Stdin: []byte("in")})
	if err != nil || res.Exit != 3 || res.Output != "a b 1 [] in\noops" {
		t.Errorf("%+v, %v", res, err)
	}
	if res, err = run(t, 10*time.Second, "head -c 1000000 /dev/zero | tr '\\0' x", Command{}); err != nil || res.Exit != 0 || len(res.Output) != MaxOutput {
		t.Errorf("exit %d with %d bytes, %v", res.Exit, len(res.Output), err)
	}
	if res, err = run(t, 10*time.Second, "kill -TERM $$", Command{}); err == nil || res.Exit != -1 || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := (Command{Args: []string{write(t, "no program", 0o755)}}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "#!") {
		t.Errorf("%v", err)
	}
	if os.Geteuid() == 0 {
		if res, err := run(t, 10*time.Second, "id -un; id -G", Command{User: "nobody"}); err != nil || res.Output != "nobody\n65534" {
			t.Errorf("%+v, %v", res, err)
		}
	}
}

// until is a context whose deadline passes when the channel is closed, so that no test depends on how far a program comes in a given time.
type until struct {
	context.Context
	up <-chan struct{}
}

func (u until) Done() <-chan struct{} { return u.up }

func (u until) Err() error {
	select {
	case <-u.up:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// A program that takes too long dies with all that it has started.
func TestTimeoutKillsTheGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "child")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := os.OpenFile(path, os.O_RDWR, 0) // which waits for no writer
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	if err := said.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	up := make(chan struct{})
	child, pid := -1, 0 // as a file descriptor, which tells of its end, and as a number
	go func() {
		defer close(up)
		if _, err := fmt.Fscanln(said, &pid); err == nil {
			child, _ = unix.PidfdOpen(pid, 0)
		}
	}()
	body := write(t, "#!/bin/sh\nsleep 300 & echo $! > "+path+"; wait", 0o755)
	res, err := Command{Args: []string{body}}.Run(until{t.Context(), up})
	<-up
	if child < 0 {
		t.Fatalf("it has started no child: %+v, %v", res, err)
	}
	defer unix.Close(child)
	if !errors.Is(err, ErrTimeout) || res.Exit != -1 || res.Took > 60*time.Second {
		t.Fatalf("%+v, %v", res, err)
	}
	n, err := 0, error(unix.EINTR)
	for errors.Is(err, unix.EINTR) { // by the runtime's own signals
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(child), Events: unix.POLLIN}}, 20_000) // a zombie will do: init reaps it
	}
	if n != 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Error("its child lives", err)
	}
}

// What a program leaves running does not hold the caller.
func TestBackground(t *testing.T) {
	const limit = 30 * time.Second
	res, err := run(t, limit, "sleep 300 & echo $!", Command{})
	pid, aerr := strconv.Atoi(res.Output)
	if err != nil || aerr != nil || res.Exit != 0 || res.Took >= limit {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("what it has left does not run: %v", err)
	}
}
