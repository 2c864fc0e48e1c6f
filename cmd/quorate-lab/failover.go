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
					err = b.failover(cmd.Context(), o, profile, names, runs, logs)
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
	cmd.Flags().StringSliceVar(&names, "scenarios", []string{"spare", "power", "leader", "drain"}, "which, in this order")
	cmd.Flags().StringSliceVar(&systems, "systems", []string{"quorate", "keepalived"}, "quorate, keepalived")
	cmd.Flags().BoolVar(&logs, "logs", false, "print the agents' logs at the end, on standard error")
	cmd.Flags().StringVar(&profile, "profile", "lan", "timing profile of the cluster")
	cmd.Flags().StringVar(&dir, "dir", "", "where to put data and logs while it runs (default the system's temporary directory)")
	return cmd
}

func (b *bench) failover(ctx context.Context, o lab.BedOptions, profile string, names []string, runs int, logs bool) (err error) {
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
	defer func() {
		if logs {
			b.say("%s", bed.Logs())
		}
		err = errors.Join(err, bed.Close())
	}()
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
