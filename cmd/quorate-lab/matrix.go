package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
	"quorate/integration/matrix"
)

func matrixCommand(find func() (string, error)) *cobra.Command {
	var runs int
	var names []string
	var dir, write, fence string
	var brief, logs bool
	cmd := &cobra.Command{
		Use:   "matrix",
		Short: "Every fault there is: what clients notice, and that no address has two owners",
		Long: `Make every fault of the table in docs/guarantees.md, each some times, under a ping every 2 ms and with a capture of every frame
that says who has the VIP. One row of JSON for each fault. The exit code is 1 when a promise was broken: two owners of an
address, a VIP that moved without need or did not move, a cluster that is not whole after the healing.

Faults:` + rowList(),
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := ranged(runs); err != nil {
				return err
			}
			rows, err := chosenRows(names)
			if err != nil {
				return err
			}
			if fence != "" && !slices.Contains(matrix.Fences, fence) {
				return usageError{fmt.Errorf("--fence %s: want %s", fence, strings.Join(matrix.Fences, ", "))}
			}
			if write != "" {
				if len(names) > 0 || brief || fence != "" {
					return usageError{errors.New("--write wants the whole table, with the fence that agents take: leave --rows, --brief and --fence out")}
				}
				if _, err := matrix.ReadTable(write); err != nil { // before an hour of measuring
					return err
				}
			}
			return measure(cmd, find, func(b *bench, binary string) error {
				o := matrix.Options{Options: lab.Options{Dir: dir}, Binary: binary, Brief: brief, Fence: fence}
				all, err := b.matrix(cmd.Context(), o, rows, runs, logs)
				if err != nil || write == "" {
					return err
				}
				return matrix.WriteTable(write, matrix.Table(all))
			})
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 10, "repetitions of each fault")
	cmd.Flags().StringSliceVar(&names, "rows", nil, "which faults (default all)")
	cmd.Flags().StringVar(&write, "write", "", "put the table into this document, between its markers")
	cmd.Flags().StringVar(&fence, "fence", "", "start the agents with this fence: bpf, nft or address-lifetime (default the strongest)")
	cmd.Flags().BoolVar(&brief, "brief", false, "let faults last as long as in the tests only")
	cmd.Flags().BoolVar(&logs, "logs", false, "print the agents' logs at the end, on standard error")
	dirFlag(cmd, &dir)
	return cmd
}

func rowList() string {
	var s strings.Builder
	for _, r := range matrix.Rows() {
		fmt.Fprintf(&s, "\n  %-18s %s", r.Name, r.What)
	}
	return s.String()
}

func chosenRows(names []string) ([]matrix.Row, error) {
	all := matrix.Rows()
	if len(names) == 0 {
		return all, nil
	}
	var out []matrix.Row
	for _, name := range names {
		i := slices.IndexFunc(all, func(r matrix.Row) bool { return r.Name == name })
		if i < 0 {
			return nil, usageError{fmt.Errorf("there is no fault %q:%s", name, rowList())}
		}
		out = append(out, all[i])
	}
	return out, nil
}

// matrix measures the rows, those that need disks on a cluster of their own: its disks are slower than the machine's.
func (b *bench) matrix(ctx context.Context, o matrix.Options, rows []matrix.Row, runs int, logs bool) ([]matrix.Summary, error) {
	done := make([]matrix.Summary, len(rows))
	for _, disks := range []bool{false, true} {
		if !slices.ContainsFunc(rows, func(r matrix.Row) bool { return r.Disk == disks }) {
			continue
		}
		o.Disks = disks
		if err := b.matrixOn(ctx, o, rows, runs, logs, done); err != nil {
			return nil, err
		}
	}
	return done, nil
}

func (b *bench) matrixOn(ctx context.Context, o matrix.Options, rows []matrix.Row, runs int, logs bool, done []matrix.Summary) (err error) {
	trial, err := matrix.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if logs || err != nil {
			b.say("%s", trial.Bed.Logs())
		}
		err = errors.Join(err, trial.Bed.Close())
	}()
	for i, row := range rows {
		if row.Disk != o.Disks {
			continue
		}
		s := matrix.Summary{Row: row}
		for n := range runs {
			r, err := trial.Once(ctx, row)
			if err != nil {
				return fmt.Errorf("repetition %d: %w", n+1, err)
			}
			b.say("%s %d/%d: %s", row.Name, n+1, runs, r)
			for _, x := range r.Noted {
				b.say("noted: %s", x)
			}
			for _, x := range r.Broken {
				b.promise(false, "%s: %s", row.Name, x)
			}
			s.Results = append(s.Results, r)
		}
		done[i] = s
		if err := b.emit(s.Record()); err != nil {
			return err
		}
	}
	return nil
}
