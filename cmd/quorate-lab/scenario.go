package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"quorate/integration/lab"
)

// scenario is a way to lose something, and how to mend it again.
type scenario struct {
	name, what string
	victim     func(context.Context, *trial) (*lab.Director, error)
	strike     func(context.Context, *lab.Director) error
	mend       func(context.Context, *lab.Director) error
	moves      bool // the VIP ends on another node
}

func reboot(ctx context.Context, d *lab.Director) error { return d.Reboot(ctx) }

var scenarios = []scenario{
	{"spare", "a machine that has no part in it is lost: the noise of the bed", spare,
		func(_ context.Context, d *lab.Director) error { return d.PowerOff() },
		func(_ context.Context, d *lab.Director) error { return d.PowerOn() }, false},
	{"power", "the owner's machine is lost: link cut, processes killed", owner,
		func(_ context.Context, d *lab.Director) error { return d.PowerOff() }, reboot, true},
	{"leader", "the leader's machine is lost while another node owns", leaderElsewhere,
		func(_ context.Context, d *lab.Director) error { return d.PowerOff() }, reboot, false},
	{"drain", "the owner is drained", owner,
		func(ctx context.Context, d *lab.Director) error {
			_, err := d.Quorate(ctx, "node", "drain", d.Name)
			return err
		},
		func(ctx context.Context, d *lab.Director) error {
			_, err := d.Quorate(ctx, "node", "resume", d.Name)
			return err
		}, true},
	{"kill", "the owner's agent is killed, its machine runs on", owner,
		func(_ context.Context, d *lab.Director) error { return d.Kill() },
		func(ctx context.Context, d *lab.Director) error { return d.Start(ctx) }, true},
	{"freeze", "the owner's agent is stopped by SIGSTOP", owner,
		func(_ context.Context, d *lab.Director) error { return d.Agent().Stop() },
		func(_ context.Context, d *lab.Director) error { return d.Agent().Continue() }, true},
}

func scenarioList() string {
	var s strings.Builder
	for _, sc := range scenarios {
		fmt.Fprintf(&s, "\n  %-8s %s", sc.name, sc.what)
	}
	return s.String()
}

// spare is a machine like a director's that runs no agent.
func spare(_ context.Context, t *trial) (*lab.Director, error) { return t.spare, nil }

func owner(ctx context.Context, t *trial) (*lab.Director, error) {
	return t.bed.AwaitOwner(ctx, t.vip, nil)
}

// leaderElsewhere is the leader, after the VIP was moved away from it if need be.
func leaderElsewhere(ctx context.Context, t *trial) (*lab.Director, error) {
	leader, err := t.bed.Leader(ctx)
	if err != nil {
		return nil, err
	}
	at, err := t.bed.AwaitOwner(ctx, t.vip, nil)
	if err != nil || at != leader {
		return leader, err
	}
	i := slices.IndexFunc(t.bed.Directors, func(d *lab.Director) bool { return d != leader })
	if _, err := leader.Quorate(ctx, "vip", "move", "web", t.bed.Directors[i].Name); err != nil {
		return nil, err
	}
	return leader, t.calm(ctx)
}
