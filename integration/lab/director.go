package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"quorate/api"
	"quorate/api/client"
	"quorate/cluster"
	"quorate/fsm"
)

// agentPort is the one that `quorate agent` binds by default.
const agentPort = 7300

// Director is a host that runs the real quorate program. It is driven as a user drives it, by its commands; its API
// serves to watch it.
type Director struct {
	*Host
	Binary  string // of quorate
	DataDir string
	Socket  string
	API     *client.Client
	Without []uintptr // capabilities that the agent is started without

	mu    sync.Mutex
	agent *Process
	flags []string
}

// AddDirector makes a host that forwards packets, for the quorate program at binary. It starts nothing.
func (l *Lab) AddDirector(binary, name string, prefixes ...netip.Prefix) (*Director, error) {
	h, err := l.AddHost(name, prefixes...)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		if err := h.Sysctl(key, "1"); err != nil {
			return nil, err
		}
	}
	const nodest = "net.ipv4.vs.expire_nodest_conn" // where the kernel has IPVS
	switch err := h.Do(func() error { _, err := os.Stat("/proc/sys/" + strings.ReplaceAll(nodest, ".", "/")); return err }); {
	case err == nil:
		if err := h.Sysctl(nodest, "1"); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	d := &Director{Host: h, Binary: binary, DataDir: filepath.Join(h.Dir, "data"), Socket: filepath.Join(h.Dir, "quorate.sock")}
	if d.API, err = client.New(d.Socket); err != nil {
		return nil, fmt.Errorf("host %s: %w", name, err)
	}
	l.onClose(closer(func() error { d.API.Close(); return nil }))
	return d, nil
}

// ID is the director's name in the cluster.
func (d *Director) ID() fsm.NodeID { return fsm.NodeID(d.Name) }

// Bind is where its agent listens.
func (d *Director) Bind() string { return netip.AddrPortFrom(d.Addr(), agentPort).String() }

// Start starts the agent and waits until its API answers. More flags stay for later starts.
func (d *Director) Start(ctx context.Context, flags ...string) error {
	d.mu.Lock()
	d.flags = append(d.flags, flags...)
	flags = append([]string{
		"agent", "--name", d.Name, "--bind", d.Bind(), "--data-dir", d.DataDir, "--socket", d.Socket,
	}, d.flags...)
	d.mu.Unlock()
	if p := d.Agent(); p != nil && !closed(p.Done()) {
		return fmt.Errorf("director %s: its agent runs already", d.Name)
	}
	p, err := d.Host.Start(d.lab.ctx, Program{Name: "agent", Path: d.Binary, Args: flags, Without: d.Without})
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.agent = p
	d.mu.Unlock()
	return d.await(ctx, p, "answer of its API", func(ctx context.Context) error {
		_, err := d.API.Node(ctx)
		return err
	})
}

// await polls until check returns nil, and fails early when the agent has ended.
func (d *Director) await(ctx context.Context, p *Process, what string, check func(context.Context) error) error {
	err := Await(ctx, max(d.lab.poll, 5*time.Millisecond), func(ctx context.Context) error {
		select {
		case <-p.Done():
			return Final(fmt.Errorf("its agent ended: %v\n%s", p.err, tail(p.Output(), 20)))
		default:
			return check(ctx)
		}
	})
	if err != nil {
		return fmt.Errorf("director %s: no %s: %w", d.Name, what, err)
	}
	return nil
}

// AwaitReady waits until the agent is a member that acts on what is agreed and holds its lease.
func (d *Director) AwaitReady(ctx context.Context) error {
	return d.await(ctx, d.Agent(), "readiness", func(ctx context.Context) error {
		n, err := d.API.Node(ctx)
		if err != nil {
			return err
		}
		if n.Phase != api.PhaseReady || !n.Lease.Held {
			return fmt.Errorf("it is %s, lease held: %v %s", n.Phase, n.Lease.Held, n.Lease.Reason)
		}
		return nil
	})
}

// Agent is the agent's latest process, or nil.
func (d *Director) Agent() *Process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.agent
}

// Kill kills the agent with SIGKILL. The machine, and whatever its kernel holds, stays.
func (d *Director) Kill() error { return d.Agent().Kill() }

// End asks the agent to end (SIGTERM), as an init system would, and waits for that. Another exit status than 0 is an
// error.
func (d *Director) End(ctx context.Context) error {
	p := d.Agent()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := p.Wait(ctx); err != nil {
		return fmt.Errorf("director %s: its agent was asked to end: %w\n%s", d.Name, err, tail(p.Output(), 20))
	}
	return nil
}

// Restart kills the agent with SIGKILL and starts it again.
func (d *Director) Restart(ctx context.Context) error {
	if err := d.Kill(); err != nil {
		return err
	}
	return d.Start(ctx)
}

// Reboot switches the machine on, if its power was cut, and starts the agent.
func (d *Director) Reboot(ctx context.Context) error {
	if err := d.PowerOn(); err != nil {
		return err
	}
	return d.Start(ctx)
}

// Logs is what the agent's processes wrote, oldest first.
func (d *Director) Logs() string {
	paths, err := filepath.Glob(filepath.Join(d.Dir, "*-agent.log"))
	if err != nil {
		return err.Error()
	}
	var all strings.Builder
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintf(&all, "(%v)\n", err)
		}
		fmt.Fprintf(&all, "--- %s\n%s", path, b)
	}
	return all.String()
}

// CommandError is a quorate command that did not exit with 0.
type CommandError struct {
	Host    string
	Command []string
	Result
}

// Error shows the command line and what it said.
func (e *CommandError) Error() string {
	return fmt.Sprintf("%s$ quorate %s: exit status %d: %s", e.Host, strings.Join(e.Command, " "), e.Code, strings.TrimSpace(e.Stderr))
}

// Quorate runs a quorate command on the director, for its own agent, and returns its standard output. Another exit
// status than 0 is a *CommandError.
func (d *Director) Quorate(ctx context.Context, args ...string) (string, error) {
	r, err := d.RunProgram(ctx, Program{Path: d.Binary, Args: args, Env: []string{"QUORATE_SOCKET=" + d.Socket}})
	if err != nil {
		return "", fmt.Errorf("%s$ quorate %s: %w", d.Name, strings.Join(args, " "), err)
	}
	if r.Code != 0 {
		return r.Stdout, &CommandError{d.Name, args, r}
	}
	return r.Stdout, nil
}

// Apply writes text to a file on the director and applies it: again where the leader has changed meanwhile, and nobody knows whether it was committed. To apply what holds already
// changes nothing.
func (d *Director) Apply(ctx context.Context, name, text string) (string, error) {
	path := filepath.Join(d.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return "", err
	}
	for try := 1; ; try++ {
		out, err := d.Quorate(ctx, "apply", path)
		if err == nil || try == 3 || !strings.Contains(err.Error(), cluster.ErrUncertain.Error()) {
			return out, err
		}
	}
}

// tail is the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
