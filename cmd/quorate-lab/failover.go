package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

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

func nothing(context.Context, *lab.Director) error { return nil }

var scenarios = []scenario{
	{"nothing", "nothing is lost: the noise of this machine", owner, nothing, nothing, false},
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

func failoverCommand(find func() (string, error)) *cobra.Command {
	var runs int
	var names, systems []string
	var dir, profile string
	cmd := &cobra.Command{
		Use:   "failover",
		Short: "How long a client waits when something is lost",
		Long: `Lose something, again and again, under 500 requests/s and 500 pings/s. One row of JSON for each scenario. The exit code is 1
when the owner's loss costs more than 500 ms (median), or the leader's loss a single ping or request.

Scenarios:` + scenarioList(),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := ranged(runs); err != nil {
				return err
			}
			b := &bench{rows: cmd.OutOrStdout(), progress: cmd.ErrOrStderr()}
			for _, system := range systems {
				var err error
				switch system {
				case "quorate":
					var binary string
					if binary, err = find(); err != nil {
						return err
					}
					o := lab.BedOptions{Options: lab.Options{Dir: dir}, Binary: binary, Directors: 3, Servers: 2}
					err = b.failover(cmd.Context(), o, profile, names, runs)
				case "keepalived":
					err = b.keepalived(cmd.Context(), lab.Options{Dir: dir}, runs)
				default:
					err = usageError{fmt.Errorf("--systems %s: want quorate or keepalived", system)}
				}
				if err != nil {
					return err
				}
			}
			return errors.Join(b.broken...)
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 10, "repetitions of each scenario")
	cmd.Flags().StringSliceVar(&names, "scenarios", []string{"nothing", "power", "leader", "drain"}, "which, in this order")
	cmd.Flags().StringSliceVar(&systems, "systems", []string{"quorate", "keepalived"}, "quorate, keepalived")
	cmd.Flags().StringVar(&profile, "profile", "lan", "timing profile of the cluster")
	cmd.Flags().StringVar(&dir, "dir", "", "where to put data and logs while it runs (default the system's temporary directory)")
	return cmd
}

func scenarioList() string {
	var s strings.Builder
	for _, sc := range scenarios {
		fmt.Fprintf(&s, "\n  %-8s %s", sc.name, sc.what)
	}
	return s.String()
}

// trial is a cluster with traffic through one VIP, on which scenarios are repeated.
type trial struct {
	bed   *lab.Bed
	vip   netip.Addr
	load  *lab.Load
	watch *lab.Watch
}

func (b *bench) failover(ctx context.Context, o lab.BedOptions, profile string, names []string, runs int) (err error) {
	var chosen []scenario
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return usageError{fmt.Errorf("there is no scenario %q:%s", name, scenarioList())}
		}
		chosen = append(chosen, scenarios[i])
	}
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bed.Close()) }()
	t, err := newTrial(ctx, bed, profile)
	if err != nil {
		return err
	}
	for _, s := range chosen {
		var all []measured
		for i := range runs {
			m, err := t.once(ctx, s)
			if err != nil {
				return fmt.Errorf("%s, repetition %d: %w", s.name, i+1, err)
			}
			b.say("quorate %s %d/%d: silent for %s, %d pings and %d requests lost, two owners for %s",
				s.name, i+1, runs, lab.Millis(m.gap), m.lost, m.failed, lab.Millis(m.dual))
			all = append(all, m)
		}
		r := row{System: "quorate", Setting: profile, Scenario: s.name}.of(all)
		if err := b.emit(r); err != nil {
			return err
		}
		switch {
		case s.name == "power" && profile == "lan":
			b.promise(r.Median <= 500, "loss of the owner: median silence %s, promised at most 500 ms", millis(r.Median))
		case s.name == "leader":
			lost, failed := 0, 0
			for _, m := range all {
				lost, failed = lost+m.lost, failed+m.failed
			}
			b.promise(lost+failed == 0, "loss of the leader: %d pings and %d requests lost in %d runs, promised none (longest silence %s)", lost, failed, runs, millis(r.Max))
		}
	}
	return nil
}

func newTrial(ctx context.Context, bed *lab.Bed, profile string) (*trial, error) {
	t := &trial{bed: bed, vip: lab.VIP(1).Addr()}
	if err := bed.Form(ctx); err != nil {
		return nil, err
	}
	var c lab.Config
	c.Settings(fmt.Sprintf("profile = %q", profile)).VIP("web", lab.VIP(1)).Web("web", "web", bed.ServerAddr(0), bed.ServerAddr(1))
	if _, err := bed.Directors[0].Apply(ctx, "cluster.hcl", c.String()); err != nil {
		return nil, err
	}
	if _, err := bed.AwaitOwner(ctx, t.vip, nil); err != nil {
		return nil, err
	}
	var err error
	if t.load, err = bed.Client.StartLoad(ctx, netip.AddrPortFrom(t.vip, 80), rate, timeout); err != nil {
		return nil, err
	}
	t.watch, err = bed.Bystander.StartWatch(5*time.Millisecond, t.vip)
	return t, err
}

// once lets one thing be lost, measures for two seconds after the address answers again, and mends it.
func (t *trial) once(ctx context.Context, s scenario) (measured, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := t.calm(ctx); err != nil {
		return measured{}, err
	}
	before, err := t.bed.AwaitOwner(ctx, t.vip, nil)
	if err != nil {
		return measured{}, err
	}
	victim, err := s.victim(ctx, t)
	if err != nil {
		return measured{}, err
	}
	ping, err := t.bed.Client.StartProbe(t.vip, 2*time.Millisecond)
	if err != nil {
		return measured{}, err
	}
	defer ping.Close()
	if err := sleep(ctx, 200*time.Millisecond); err != nil {
		return measured{}, err
	}
	from := lab.Now()
	if err := s.strike(ctx, victim); err != nil {
		return measured{}, err
	}
	if s.moves {
		if err := t.moved(ctx, before); err != nil {
			return measured{}, err
		}
	}
	answered := lab.Now()
	if err := lab.Await(ctx, time.Millisecond, func(context.Context) error { return unless(ping.Answered(answered), "no ping answered") }); err != nil {
		return measured{}, err
	}
	if err := sleep(ctx, 2*time.Second); err != nil {
		return measured{}, err
	}
	window := lab.Span{From: from, To: lab.Now()}
	if err := t.load.Settle(ctx); err != nil {
		return measured{}, err
	}
	m := measured{
		gap: ping.Gap(window).Duration(), lost: ping.Lost(window),
		failed: t.load.Summary(window).Failed, dual: t.watch.Dual(t.vip, window),
	}
	return m, s.mend(ctx, victim)
}

// moved waits until another host than before has been the only one to answer for the address for 50 ms: a host whose
// agent died may go on carrying it for a while.
func (t *trial) moved(ctx context.Context, before *lab.Director) error {
	return lab.Await(ctx, time.Millisecond, func(context.Context) error {
		recent := lab.Now().Add(-50 * time.Millisecond)
		fresh := false
		for _, c := range t.watch.Claims(t.vip) {
			if c.At < recent {
				continue
			}
			if c.Host == before.Name {
				return fmt.Errorf("%s still answers for %s", before.Name, t.vip)
			}
			fresh = true
		}
		return unless(fresh, "nobody answers for "+t.vip.String())
	})
}

func unless(ok bool, problem string) error {
	if ok {
		return nil
	}
	return errors.New(problem)
}

// calm waits until the cluster is whole and the last second was without a failed request.
func (t *trial) calm(ctx context.Context) error {
	if err := t.bed.AwaitReady(ctx); err != nil {
		return err
	}
	return lab.Await(ctx, 100*time.Millisecond, func(context.Context) error {
		to := lab.Now().Add(-t.load.Timeout)
		sum := t.load.Summary(lab.Span{From: to.Add(-time.Second), To: to})
		return unless(sum.Failed == 0 && sum.Total > rate*9/10, "the client still sees failures: "+sum.String())
	})
}

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
