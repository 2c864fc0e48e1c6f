package notify

import (
	"context"
	"fmt"

	"quorate/fsm"
	"quorate/script"
)

// runner runs the script of a node's notifier, with keepalived's arguments. How it ends changes nothing: the next state is told all the same.
type runner struct {
	self fsm.NodeID
	n    fsm.Notifier
}

func (r runner) tell(ctx context.Context, x Transition) error {
	limit, cancel := context.WithTimeout(ctx, r.n.Timeout())
	defer cancel()
	_, err := r.run(limit, x)
	return err
}

func (r runner) run(ctx context.Context, x Transition, env ...string) (string, error) {
	env = append(env, "QUORATE_NOTIFIER="+r.n.Name, "QUORATE_NODE="+string(r.self), "QUORATE_TYPE="+string(x.Kind), "QUORATE_NAME="+x.Name, "QUORATE_STATE="+string(x.State))
	if x.Kind == Instance {
		env = append(env, "QUORATE_VIP="+x.Name)
	}
	args := append(r.n.Script.Command[:len(r.n.Script.Command):len(r.n.Script.Command)], string(x.Kind), x.Name, string(x.State), fmt.Sprint(priority))
	res, err := script.Command{Args: args, User: r.n.Script.User, Env: env}.Run(ctx)
	if err != nil {
		return "", err
	}
	return ended(res)
}

func (runner) close() {}
