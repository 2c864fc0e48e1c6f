package lab

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Program says what to start on a host.
type Program struct {
	Name string // of the process in logs; empty = the base name of Path
	Path string
	Args []string
	Env  []string // in addition to this process's environment
	// Lines, if set, is called with each line of standard output, from one goroutine, until the program has ended.
	// Otherwise standard output goes to the log.
	Lines func(line []byte)
	// Stdout and Stderr, if set, get the output instead of the log.
	Stdout, Stderr io.Writer
	// Last, if set, is the signal that the program gets instead of SIGKILL when this process is killed.
	Last syscall.Signal
	// Without, if not empty, are capabilities that the program and whatever it starts cannot have (unix.CAP_NET_ADMIN …).
	Without []uintptr
}

// Process is a program that runs, or ran, on a host. Its methods may be called from several goroutines.
type Process struct {
	Name string
	Log  string // path of the file with its output

	host *Host
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid once done is closed
}

// Start starts a program in the host's namespace, in a process group of its own. It is killed when ctx ends, with the
// lab, with the host's power, and with this process even if that is killed by SIGKILL.
func (h *Host) Start(ctx context.Context, prog Program) (*Process, error) {
	if prog.Name == "" {
		prog.Name = filepath.Base(prog.Path)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ns == nil {
		return nil, fmt.Errorf("start %s on %s: the power is off", prog.Name, h.Name)
	}
	h.logs++
	p := &Process{
		Name: prog.Name, host: h, done: make(chan struct{}),
		Log: filepath.Join(h.Dir, fmt.Sprintf("%02d-%s.log", h.logs, prog.Name)),
	}
	if err := p.start(ctx, h.ns, prog); err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", prog.Name, h.Name, err)
	}
	h.processes = append(h.processes, p)
	h.lab.log.Info("started", "node", h.Name, "program", prog.Name, "pid", p.PID())
	return p, nil
}

func (p *Process) start(ctx context.Context, ns *namespace, prog Program) error {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the program has its own descriptor
	cmd := exec.CommandContext(ctx, prog.Path, prog.Args...)
	cmd.Env = append(append(os.Environ(), marker+"="+p.host.lab.ID), prog.Env...)
	cmd.Dir = p.host.Dir
	cmd.Stdout, cmd.Stderr = io.Writer(log), io.Writer(log)
	if prog.Stdout != nil {
		cmd.Stdout = prog.Stdout
	}
	if prog.Stderr != nil {
		cmd.Stderr = prog.Stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: cmp.Or(prog.Last, syscall.SIGKILL)}
	cmd.Cancel = func() error { return p.Signal(syscall.SIGKILL) }
	p.cmd = cmd

	var lines io.ReadCloser
	if prog.Lines != nil {
		cmd.Stdout = nil
		if lines, err = cmd.StdoutPipe(); err != nil {
			return err
		}
	}
	if len(prog.Without) > 0 {
		err = ns.startWithout(prog.Without, cmd.Start, p.done)
	} else {
		err = ns.onKeeper(cmd.Start)
	}
	if err != nil {
		return err
	}
	stop := context.AfterFunc(p.host.lab.ctx, func() { _ = p.Signal(syscall.SIGKILL) })
	go func() {
		defer close(p.done)
		defer stop()
		if lines != nil {
			for sc := bufio.NewScanner(lines); sc.Scan(); {
				prog.Lines(sc.Bytes())
			}
		}
		p.err = cmd.Wait()
	}()
	return nil
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Host is where it runs.
func (p *Process) Host() *Host { return p.host }

// Signal sends a signal to the process and everything it started (its process group). A process that has ended is no
// error.
func (p *Process) Signal(s syscall.Signal) error {
	select {
	case <-p.done:
		return nil // the number may be another's by now
	default:
	}
	err := syscall.Kill(-p.PID(), s)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("send %s to %s on %s: %w", s, p.Name, p.host.Name, err)
	}
	return nil
}

// Kill sends SIGKILL and waits until the process is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop freezes the process (SIGSTOP) until Continue.
func (p *Process) Stop() error { return p.Signal(syscall.SIGSTOP) }

// Continue ends a Stop.
func (p *Process) Continue() error { return p.Signal(syscall.SIGCONT) }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait waits until the process has ended and returns how: nil for exit status 0.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("%s on %s still runs: %w", p.Name, p.host.Name, ctx.Err())
	}
}

// Output returns what the process has written so far.
func (p *Process) Output() string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return string(b)
}

// Command starts path on the host with args; its output goes to a log.
func (h *Host) Command(ctx context.Context, path string, args ...string) (*Process, error) {
	return h.Start(ctx, Program{Path: path, Args: args})
}

// Result is how a program ended.
type Result struct {
	Stdout, Stderr string
	Code           int // exit status; -1 when a signal ended it
}

// Run runs path on the host to its end. That it exits with another status than 0 is no error, that it cannot be started
// is one.
func (h *Host) Run(ctx context.Context, path string, args ...string) (Result, error) {
	return h.RunProgram(ctx, Program{Path: path, Args: args})
}

// RunProgram is Run with all that a Program can say, but for its output.
func (h *Host) RunProgram(ctx context.Context, prog Program) (Result, error) {
	var out, errs bytes.Buffer
	prog.Stdout, prog.Stderr = &out, &errs
	p, err := h.Start(ctx, prog)
	if err != nil {
		return Result{}, err
	}
	<-p.done
	h.forget(p)
	_ = os.Remove(p.Log) // empty
	return Result{out.String(), errs.String(), p.cmd.ProcessState.ExitCode()}, ctx.Err()
}

// forget drops a process that has ended.
func (h *Host) forget(p *Process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, q := range h.processes {
		if q == p {
			h.processes = append(h.processes[:i:i], h.processes[i+1:]...)
			return
		}
	}
}
