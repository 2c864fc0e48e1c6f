package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quorate/fsm"
	"quorate/script"
)

// program is a script that the leader runs for each event.
type program struct{ fsm.Script }

// Send implements Channel.
func (p program) Send(ctx context.Context, m Message) (string, error) {
	env := []string{"QUORATE_CLUSTER=" + m.Cluster, "QUORATE_NOTIFIER=" + m.Notifier, "QUORATE_SENDER=" + string(m.Sender), "QUORATE_ID=" + m.ID()}
	if m.Test {
		env = append(env, "QUORATE_TEST=1")
	}
	if len(m.Events) > 0 {
		e := m.Events[0]
		env = append(env, "QUORATE_KIND="+string(e.Kind), fmt.Sprintf("QUORATE_INDEX=%d", e.Index), "QUORATE_AT="+e.At.UTC().Format(time.RFC3339Nano),
			"QUORATE_NODE="+string(e.Node), "QUORATE_VIP="+e.VIP, "QUORATE_SERVICE="+e.Service, "QUORATE_SERVER="+e.Server, "QUORATE_REASON="+string(e.Reason),
			"QUORATE_TEXT="+oneLine(e.Text))
	}
	res, err := script.Command{Args: p.Command, User: p.User, Env: env, Stdin: append(m.body(), '\n')}.Run(ctx)
	if err != nil {
		return "", err
	}
	return ended(res)
}

// ended says what a run means: 0 is success.
func ended(res script.Result) (string, error) {
	text := fmt.Sprintf("exit status %d", res.Exit)
	if out := clip(res.Output, 200); out != "" {
		text += ": " + out
	}
	if res.Exit != 0 {
		return "", errors.New(text)
	}
	return text, nil
}
