package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"quorate/integration/lab"
)

// scenario is a way to lose something, and how to mend it again.
type scenario struct {
	name, what string
	victim     func(context.Context, *trial) (*lab.Director, error)
	strike     func(context.Context, *lab.Director) error
	mend       func(context.Context, *lab.Director) error
	moves      bool          // the VIP ends on another node
	grace      time.Duration // for which the old owner may answer, not claim: a hand-over
	long       bool          // measured for more than 5000 pings
	balanced   bool          // with as many datagrams through a balanced service
}

// lasts is how long it is measured after the address answers again.
func (s scenario) lasts() time.Duration {
	if s.long {
		return 5 * time.Second
	}
	return 2 * time.Second
}

// handOver is how long a former owner may answer what still comes to its hardware address.
const handOver = 2 * time.Second

func reboot(ctx context.Context, d *lab.Director) error { return d.Reboot(ctx) }

func powerOff(_ context.Context, d *lab.Director) error { return d.PowerOff() }

// nothing is for what needs no mending.
func nothing(context.Context, *lab.Director) error { return nil }

// typed is a step made by a command of the director about itself.
func typed(args ...string) func(context.Context, *lab.Director) error {
	return func(ctx context.Context, d *lab.Director) error {
		_, err := d.Quorate(ctx, append(args, d.Name)...)
		return err
	}
}

var scenarios = []scenario{
	{name: "spare", what: "a machine that has no part in it is lost: the noise of the bed", victim: spare, strike: powerOff,
		mend: func(_ context.Context, d *lab.Director) error { return d.PowerOn() }},
	{name: "planned", what: "the VIP is moved to a node that has nothing else (vip move)", victim: another, strike: typed("vip", "move", "web"),
		mend: nothing, moves: true, grace: handOver, long: true, balanced: true},
	{name: "kill", what: "the owner's agent is killed, its machine runs on; another node leads", victim: ownerThatFollows,
		strike: func(_ context.Context, d *lab.Director) error { return d.Kill() },
		mend:   func(ctx context.Context, d *lab.Director) error { return d.Start(ctx) }, moves: true},
	{name: "power", what: "the owner's machine is lost: link cut, processes killed; another node leads", victim: ownerThatFollows, strike: powerOff, mend: reboot, moves: true},
	{name: "leader+owner", what: "the same, and it is the leader's", victim: leaderThatOwns, strike: powerOff, mend: reboot, moves: true},
	{name: "leader", what: "the leader's machine is lost while another node owns", victim: leaderElsewhere, strike: powerOff, mend: reboot},
	{name: "drain", what: "the owner is drained", victim: owner, strike: typed("node", "drain"), mend: typed("node", "resume"), moves: true, grace: handOver},
	{name: "freeze", what: "the owner's agent is stopped by SIGSTOP; another node leads", victim: ownerThatFollows,
		strike: func(_ context.Context, d *lab.Director) error { return d.Agent().Stop() },
		mend:   func(_ context.Context, d *lab.Director) error { return d.Agent().Continue() }, moves: true},
}

func scenarioList() string {
	var s strings.Builder
	for _, sc := range scenarios {
		fmt.Fprintf(&s, "\n  %-12s %s", sc.name, sc.what)
	}
	return s.String()
}

// spare is a machine like a director's that runs no agent.
func spare(_ context.Context, t *trial) (*lab.Director, error) { return t.spare, nil }

func owner(ctx context.Context, t *trial) (*lab.Director, error) {
	return t.bed.AwaitOwner(ctx, t.vip, nil)
}

// another is a node that does not own the VIP.
func another(ctx context.Context, t *trial) (*lab.Director, error) {
	at, err := t.bed.AwaitOwner(ctx, t.vip, nil)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(t.bed.Directors, func(d *lab.Director) bool { return d != at })
	return t.bed.Directors[i], nil
}

// ownerThatFollows is the owner, after the VIP was moved away from the leader if need be.
func ownerThatFollows(ctx context.Context, t *trial) (*lab.Director, error) {
	if _, err := leaderElsewhere(ctx, t); err != nil {
		return nil, err
	}
	return owner(ctx, t)
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
	return leader, t.move(ctx, leader, t.bed.Directors[i])
}

// leaderThatOwns is the leader, after the VIP was moved to it if need be.
func leaderThatOwns(ctx context.Context, t *trial) (*lab.Director, error) {
	leader, err := t.bed.Leader(ctx)
	if err != nil {
		return nil, err
	}
	at, err := t.bed.AwaitOwner(ctx, t.vip, nil)
	if err != nil || at == leader {
		return leader, err
	}
	return leader, t.move(ctx, leader, leader)
}

// move moves the VIP, asked for on one node, to another, and waits until all is calm and the former owner answers nothing any more.
func (t *trial) move(ctx context.Context, asked, to *lab.Director) error {
	if _, err := asked.Quorate(ctx, "vip", "move", "web", to.Name); err != nil {
		return err
	}
	if err := lab.Sleep(ctx, handOver); err != nil {
		return err
	}
	return t.calm(ctx)
}
