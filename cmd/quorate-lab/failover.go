package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
)

func failoverCommand(find func() (string, error)) *cobra.Command {
	var runs int
	var names, systems []string
	var adverts []time.Duration
	var dir, profile string
	var logs bool
	cmd := &cobra.Command{
		Use:   "failover",
		Short: "How long a client waits when something is lost",
		Long: `Lose something, again and again, under 500 requests/s and 1000 pings/s, and do the same to two nodes of keepalived in the same
network, with adverts every 1 s, 100 ms and 10 ms (--adverts): one repetition of everything with quorate, one with keepalived, and so on; the
other's programs do not run meanwhile. One row of JSON for each scenario, then the ratios.

The exit code is 1 when the owner's loss costs more than 500 ms, or more than 0.12 of what it costs keepalived by default
(profile fast: 1.5 of its 10 ms setting), when a planned move costs a ping, or one of 1000 datagrams/s through a balanced service, or the leader's
loss anything, in any run, when the loss of both costs more than twice that of the owner, or when two hosts speak for the address.

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
			for _, advert := range adverts {
				if advert < 10*time.Millisecond || advert > 5*time.Second {
					return usageError{fmt.Errorf("--adverts %s: want 10ms to 5s", advert)}
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
			theirs, version := slices.Contains(systems, "keepalived") && len(legacyNamed(names)) > 0, ""
			if theirs {
				if version, err = lab.KeepalivedVersion(cmd.Context()); err != nil {
					return fmt.Errorf("%w; or leave it out with --systems quorate", err)
				}
			}
			b, err := newBench(cmd)
			if err != nil {
				return err
			}
			return b.onBed(cmd.Context(), o, logs, func(ctx context.Context, bed *lab.Bed) error {
				var all []*contender
				if ours {
					all = append(all, quorateOn(bed, profile, chosen))
				}
				if theirs {
					k, err := keepalivedOn(ctx, bed, version, adverts, legacyNamed(names))
					if err != nil {
						return err
					}
					all = append(all, k)
				}
				if err := b.contest(ctx, all, runs); err != nil {
					return err
				}
				b.promises()
				err := b.compare()
				return errors.Join(append(b.broken, err)...)
			})
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 10, "repetitions of each scenario")
	cmd.Flags().StringSliceVar(&names, "scenarios", []string{"spare", "planned", "kill", "power", "leader+owner", "leader", "drain"}, "which, in this order")
	cmd.Flags().StringSliceVar(&systems, "systems", []string{"quorate", "keepalived"}, "quorate, keepalived; without the latter where it is not installed")
	cmd.Flags().DurationSliceVar(&adverts, "adverts", usualAdverts(), "between keepalived's adverts")
	cmd.Flags().BoolVar(&logs, "logs", false, "print the agents' logs at the end, on standard error")
	cmd.Flags().StringVar(&profile, "profile", "lan", "timing profile of the cluster")
	dirFlag(cmd, &dir)
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

// quorateOn is a cluster on the bed, and the ways to lose something of it.
func quorateOn(bed *lab.Bed, profile string, chosen []scenario) *contender {
	var t *trial
	c := &contender{name: "quorate"}
	c.resume = func(ctx context.Context) (err error) {
		if t == nil {
			t, err = newTrial(ctx, bed, profile)
			return err
		}
		return t.resume(ctx)
	}
	c.pause = func() error { return t.pause() }
	for _, s := range chosen {
		c.series = append(c.series, &series{
			row:  row{System: "quorate", Setting: profile, Scenario: s.name},
			once: func(ctx context.Context) (measured, error) { return t.once(ctx, s) },
		})
	}
	return c
}
