package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
)

func failoverCommand(find func() (string, error)) *cobra.Command {
	var runs int
	var names, systems []string
	var dir, profile string
	var logs bool
	cmd := &cobra.Command{
		Use:   "failover",
		Short: "How long a client waits when something is lost",
		Long: `Lose something, again and again, under 500 requests/s and 1000 pings/s, and do the same to two nodes of keepalived in the same
network, with adverts every 1 s, 100 ms and 10 ms. One row of JSON for each scenario, then the ratios. The exit code is 1 when the owner's loss costs more than 500 ms, or more than 0.12 of what it
costs keepalived by default (profile fast: 1.5 of its 10 ms setting), when a planned move or the leader's loss costs a ping (the median of all runs), when
the loss of both costs more than twice that of the owner, or when two hosts speak for the address.

Scenarios:` + scenarioList(),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := ranged(runs); err != nil {
				return err
			}
			chosen, err := chosenScenarios(names)
			if err != nil {
				return err
			}
			for _, system := range systems {
				if system != "quorate" && system != "keepalived" {
					return usageError{fmt.Errorf("--systems %s: want quorate or keepalived", system)}
				}
			}
			o := lab.BedOptions{Options: lab.Options{Dir: dir}}
			ours := slices.Contains(systems, "quorate")
			if ours {
				if o.Binary, err = find(); err != nil {
					return err
				}
				o.Directors, o.Servers = 3, 2
			}
			b, err := newBench(cmd)
			if err != nil {
				return err
			}
			return b.onBed(cmd.Context(), o, logs, func(ctx context.Context, bed *lab.Bed) error {
				if ours {
					if err := b.failover(ctx, bed, profile, chosen, runs); err != nil {
						return err
					}
				}
				if slices.Contains(systems, "keepalived") {
					if err := b.keepalived(ctx, bed, names, runs); err != nil {
						return err
					}
				}
				b.promises()
				err := b.compare()
				return errors.Join(append(b.broken, err)...)
			})
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 10, "repetitions of each scenario")
	cmd.Flags().StringSliceVar(&names, "scenarios", []string{"spare", "planned", "kill", "power", "leader+owner", "leader", "drain"}, "which, in this order")
	cmd.Flags().StringSliceVar(&systems, "systems", []string{"quorate", "keepalived"}, "quorate, keepalived")
	cmd.Flags().BoolVar(&logs, "logs", false, "print the agents' logs at the end, on standard error")
	cmd.Flags().StringVar(&profile, "profile", "lan", "timing profile of the cluster")
	cmd.Flags().StringVar(&dir, "dir", "", "where to put data and logs while it runs (default the system's temporary directory)")
	return cmd
}

func chosenScenarios(names []string) ([]scenario, error) {
	var chosen []scenario
	for _, name := range names {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, usageError{fmt.Errorf("there is no scenario %q:%s", name, scenarioList())}
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}

// onBed measures on a bed, which is removed at the end.
func (b *bench) onBed(ctx context.Context, o lab.BedOptions, logs bool, measure func(context.Context, *lab.Bed) error) (err error) {
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if logs {
			b.say("%s", bed.Logs())
		}
		err = errors.Join(err, bed.Close())
	}()
	return measure(ctx, bed)
}

func (b *bench) failover(ctx context.Context, bed *lab.Bed, profile string, chosen []scenario, runs int) error {
	t, err := newTrial(ctx, bed, profile)
	if err != nil {
		return err
	}
	defer t.load.Kill() // the other system has the machine for itself
	for _, s := range chosen {
		var all []measured
		events, err := timeline(ctx, bed)
		if err != nil {
			return err
		}
		began := latest(events)
		for i := range runs {
			m, err := t.once(ctx, s)
			if err != nil {
				return fmt.Errorf("%s, repetition %d: %w", s.name, i+1, err)
			}
			b.say("quorate %s %d/%d: %s", s.name, i+1, runs, m)
			all = append(all, m)
		}
		r := row{System: "quorate", Setting: profile, Scenario: s.name}.of(all)
		if events, err = timeline(ctx, bed); err != nil {
			return err
		}
		r.Stages = stageMedians(events, "web", began)
		if err := b.measured(r); err != nil {
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
