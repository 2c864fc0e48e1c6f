package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// MaxScripts bounds the programs of an engine that run at a time: each is a fork, and so more than a probe over the network.
const MaxScripts = 32

// scriptProber runs a program and looks at its exit code.
type scriptProber struct {
	runner Runner
	slots  chan struct{}
}

func newScriptProber(r Runner) scriptProber {
	return scriptProber{runner: r, slots: make(chan struct{}, MaxScripts)}
}

var errNoRunner = fmt.Errorf("%w: this program runs no scripts", ErrNotAsked)

func (p scriptProber) Inspect(t Target) error {
	if p.runner == nil {
		return errNoRunner
	}
	return p.runner.Check(t.Machine.Script)
}

func (p scriptProber) Probe(ctx context.Context, t Target) (Answer, error) {
	if p.runner == nil {
		return Answer{}, errNoRunner
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("%w: %d scripts run already, and none has ended within %v", ErrNotAsked, MaxScripts, t.Timeout)
	}
	// The time in which it waited for its turn is not the script's.
	ctx, cancel := p.own(ctx, t)
	defer cancel()
	s := t.Machine.Script
	if err := p.runner.Check(s); err != nil {
		return Answer{}, unasked(err)
	}
	if t.Addr.IsValid() {
		s.Env = append(s.Env[:len(s.Env):len(s.Env)], "QUORATE_SERVER="+t.Addr.String(), "QUORATE_ADDRESS="+t.Addr.Addr().String(), fmt.Sprintf("QUORATE_PORT=%d", t.Addr.Port()))
	}
	exit, output, err := p.runner.Run(ctx, s)
	if errors.Is(ctx.Err(), context.Canceled) {
		return Answer{}, unasked(context.Canceled)
	}
	return scriptAnswer(t, exit, output, err, errors.Is(ctx.Err(), context.DeadlineExceeded))
}

// own is a context with the whole timeout, which ends as the given one does if that is not for time.
func (p scriptProber) own(ctx context.Context, t Target) (context.Context, context.CancelFunc) {
	mine, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.Timeout)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return mine, func() { stop(); cancel() }
}

// scriptAnswer is what a run means.
func scriptAnswer(t Target, exit int, output string, err error, late bool) (Answer, error) {
	last := lastLine(output)
	because := func(what string) string {
		if last == "" {
			return what
		}
		return what + ": " + last
	}
	switch {
	case late:
		return Answer{}, errors.New(because(fmt.Sprintf("the script has not ended within %v, and was killed", t.Timeout)))
	case err != nil && exit < 0:
		return Answer{}, errors.New(because(err.Error()))
	case err != nil:
		return Answer{}, unasked(err)
	case exit == 0:
		return Answer{Detail: because("exit code 0")}, nil
	case t.Machine.Script.Dynamic && exit >= 2:
		return Answer{Detail: because(fmt.Sprintf("exit code %d: weight %d", exit, exit-2)), Weight: Weight{Asked: true, Value: exit - 2}}, nil
	default:
		return Answer{}, errors.New(because(fmt.Sprintf("exit code %d", exit)))
	}
}

// lastLine is the last line of what a program printed that is not blank.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}
