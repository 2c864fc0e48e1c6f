package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// MaxOutput is how many bytes of what a program prints are kept.
const MaxOutput = 4096

// afterwards is how long output is waited for that comes from what an ended program left behind.
const afterwards = 500 * time.Millisecond

// Command is a program with its arguments.
type Command struct {
	Args  []string // the first is the program's absolute path
	User  string   // as whom it runs; "" = as this process
	Env   []string // NAME=value, besides PATH, HOME and USER
	Stdin []byte
}

// Result is how a run ended.
type Result struct {
	Exit   int    // its exit status; -1 when a signal ended it
	Output string // the first of what it printed, standard output and error together, without blanks around it
	Took   time.Duration
}

// grace is what a program has to end by itself, from SIGTERM to SIGKILL.
const grace = 300 * time.Millisecond

// Errors of a run. An exit status that is not 0 is none.
var (
	ErrTimeout = errors.New("it took too long and was killed")
	ErrKilled  = errors.New("a signal ended it")
)

func (c Command) name() string {
	if len(c.Args) == 0 {
		return ""
	}
	return c.Args[0]
}

// Run checks the program and runs it. When ctx ends, its process group is told to end (SIGTERM), and killed if it has not after 300 ms; that is ErrTimeout for a deadline, and the cause of ctx otherwise.
// It does not return before the program has ended.
func (c Command) Run(ctx context.Context) (Result, error) {
	if err := c.Check(); err != nil {
		return Result{Exit: -1}, err
	}
	who, err := accountOf(c.User)
	if err != nil {
		return Result{Exit: -1}, err
	}
	out := &bounded{}
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = "/"
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + who.home}, c.Env...)
	if who.name != "" {
		cmd.Env = append(cmd.Env, "USER="+who.name)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.Stdin), out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if who.uid != uint32(os.Geteuid()) {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: who.uid, Gid: who.gid, Groups: who.groups}
	}
	var kill *time.Timer // of all that it has started
	cmd.Cancel = func() error {
		kill = time.AfterFunc(grace, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	cmd.WaitDelay = afterwards
	began := time.Now()
	err = cmd.Run()
	if kill != nil && kill.Stop() {
		// The program itself has ended; what it started may not have heeded the signal.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	res := Result{Exit: -1, Output: out.text(), Took: time.Since(began)}
	if cmd.ProcessState != nil {
		res.Exit = cmd.ProcessState.ExitCode()
	}
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && res.Exit != 0:
		return res, fmt.Errorf("script %s: %w", c.name(), ErrTimeout)
	case ctx.Err() != nil && res.Exit != 0:
		return res, fmt.Errorf("script %s: %w", c.name(), context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay): // it has ended well, and something that it started still has its output
		return res, nil
	case errors.As(err, &exit) && exit.Exited():
		return res, nil
	case errors.As(err, &exit):
		return res, fmt.Errorf("script %s: %w (%s)", c.name(), ErrKilled, exit.ProcessState)
	case err != nil && strings.Contains(err.Error(), "exec format error"):
		return res, fmt.Errorf("script %s: the kernel cannot run it; does its first line begin with #! and name an interpreter?", c.name())
	case err != nil:
		return res, fmt.Errorf("script %s: %w", c.name(), short(err))
	}
	return res, nil
}

// bounded keeps the first MaxOutput bytes. exec has one goroutine write to it, as both outputs are the same writer.
type bounded struct{ buf bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.buf.Write(p[:min(len(p), MaxOutput-b.buf.Len())])
	return len(p), nil
}

func (b *bounded) text() string {
	return strings.TrimSpace(strings.ToValidUTF8(b.buf.String(), "?"))
}
