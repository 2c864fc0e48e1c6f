package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
	"quorate/integration/matrix"
)

func manyCommand(find func() (string, error)) *cobra.Command {
	var runs, vips int
	var dir string
	var logs bool
	cmd := &cobra.Command{
		Use:   "many",
		Short: "How long it takes to serve many VIPs elsewhere",
		Long: `Put many VIPs on one node, cut its power, and drain it. The times of a row are until the last address was served elsewhere. The
exit code is 1 when, after the loss of power, that took longer than a second (median), or a drain lost a ping.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if vips < 20 || vips > 5000 {
				return usageError{fmt.Errorf("--vips %d: want 20 to 5000", vips)}
			}
			if err := ranged(runs); err != nil {
				return err
			}
			return measure(cmd, find, func(b *bench, binary string) error {
				return b.many(cmd.Context(), matrix.Options{Options: lab.Options{Dir: dir}, Binary: binary}, vips, runs, logs)
			})
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 10, "repetitions")
	cmd.Flags().IntVar(&vips, "vips", 1000, "how many VIPs")
	cmd.Flags().BoolVar(&logs, "logs", false, "print the agents' logs at the end, on standard error")
	dirFlag(cmd, &dir)
	return cmd
}

func (b *bench) many(ctx context.Context, o matrix.Options, vips, runs int, logs bool) (err error) {
	m, err := matrix.NewMany(ctx, o, vips)
	if err != nil {
		return err
	}
	defer func() {
		if logs {
			b.say("%s", m.Bed.Logs())
		}
		err = errors.Join(err, m.Bed.Close())
	}()
	for _, s := range []struct {
		name string
		once func(context.Context) (matrix.Spread, error)
	}{{"power", m.Power}, {"drain", m.Drain}} {
		var all []measured
		for i := range runs {
			r, err := s.once(ctx)
			if err != nil {
				return fmt.Errorf("%s, repetition %d: %w", s.name, i+1, err)
			}
			b.say("%s %d/%d: %s", s.name, i+1, runs, r)
			all = append(all, measured{gap: r.All, dual: r.Dual, lost: r.Lost, failed: -1})
		}
		r := row{System: "quorate", Setting: fmt.Sprintf("%d VIPs", vips), Scenario: s.name}.of(all)
		if err := b.emit(r); err != nil {
			return err
		}
		if s.name == "power" {
			b.promise(r.Median <= float64(time.Second/time.Millisecond), "%d VIPs served elsewhere after %s (median), promised: within 1 s", vips, millis(r.Median))
		} else {
			b.promise(r.all == 0, "%d VIPs drained: %d pings lost in all runs, promised: none", vips, r.all)
		}
	}
	return nil
}
