package agent

import (
	"context"
	"errors"
	"os"
	"os/user"

	"quorate/fsm"
	"quorate/health"
	program "quorate/script"
)

// scriptUser is whom the scripts of checks run as that name nobody, where there is such a user.
const scriptUser = "quorate_script"

// means are those by which this node asks itself.
func (a *Agent) means() health.Local {
	return health.Local{Runner: runner{a.o.Name}, Watch: a.news}
}

// runner runs the scripts of checks.
type runner struct{ node fsm.NodeID }

func (r runner) command(s health.Script) program.Command {
	return program.Command{Args: s.Command, User: r.user(s.User), Env: append([]string{"QUORATE_NODE=" + string(r.node)}, s.Env...)}
}

// user is whom a script runs as. Only root can be anybody else than itself.
func (r runner) user(name string) string {
	switch {
	case name != "" || os.Geteuid() != 0:
		return name
	case known(scriptUser):
		return scriptUser
	default:
		return "nobody"
	}
}

func known(name string) bool {
	_, err := user.Lookup(name)
	return err == nil
}

// Check implements health.Runner.
func (r runner) Check(s health.Script) error { return r.command(s).Check() }

// Run implements health.Runner.
func (r runner) Run(ctx context.Context, s health.Script) (int, string, error) {
	res, err := r.command(s).Run(ctx)
	if err != nil && !errors.Is(err, program.ErrTimeout) && !errors.Is(err, program.ErrKilled) {
		return 0, res.Output, err // it has not run
	}
	return res.Exit, res.Output, err
}

// machineOf is what a check asks of this machine.
func machineOf(c fsm.Check) (m health.Machine) {
	switch {
	case c.Script != nil:
		m.Script = health.Script{Command: c.Script.Command, User: c.Script.User, Dynamic: c.Script.DynamicWeight}
	case c.File != nil:
		m.File = health.File{Path: c.File.File, Down: c.File.Missing == fsm.FileDown, Multiplier: c.File.Multiplier}
	case c.Process != nil:
		m.Process = health.Process{Name: c.Process.Process, Arguments: c.Process.Arguments, Least: c.Process.Least, Most: c.Process.Most, Delay: c.Process.Delay}
	case c.Link != nil:
		m.Link = c.Link.Interface
	}
	return m
}
