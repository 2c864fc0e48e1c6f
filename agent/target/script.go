package target

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

// Scripts runs the scripts of checks as a node does. It implements health.Runner.
type Scripts struct{ Node fsm.NodeID }

func (r Scripts) command(s health.Script) program.Command {
	return program.Command{Args: s.Command, User: r.user(s.User), Env: append([]string{"QUORATE_NODE=" + string(r.Node)}, s.Env...)}
}

// user is whom a script runs as. Only root can be anybody else than itself.
func (Scripts) user(name string) string {
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
func (r Scripts) Check(s health.Script) error { return r.command(s).Check() }

// Run implements health.Runner.
func (r Scripts) Run(ctx context.Context, s health.Script) (int, string, error) {
	res, err := r.command(s).Run(ctx)
	if err != nil && !errors.Is(err, program.ErrTimeout) && !errors.Is(err, program.ErrKilled) {
		return 0, res.Output, err // it has not run
	}
	return res.Exit, res.Output, err
}
