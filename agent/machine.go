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
