package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
	"quorate/integration/matrix"
)

func soakCommand(find func() (string, error)) *cobra.Command {
	var minutes float64
	var seed uint64
	var dir string
	cmd := &cobra.Command{
		Use:   "soak",
		Short: "Random faults for as long as wanted, and a verdict",
		Long: `Make the faults of bench matrix in random order, and check after each that no address had two owners, that every address is
where the cluster says, and that no agent has grown. The exit code is 0 if all held. Ctrl-C ends it early, with the verdict
so far, and removes everything.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if minutes <= 0 || minutes > 7*24*60 {
				return usageError{fmt.Errorf("--minutes %v: want more than 0 and at most a week", minutes)}
			}
			if !cmd.Flags().Changed("seed") {
				seed = rand.Uint64()
			}
			binary, err := find()
			if err != nil {
				return err
			}
			length := time.Duration(minutes * float64(time.Minute))
			return soak(cmd.Context(), cmd.OutOrStdout(), matrix.Options{Options: lab.Options{Dir: dir}, Binary: binary, Disks: true, Brief: true}, length, seed)
		},
	}
	cmd.Flags().Float64Var(&minutes, "minutes", 10, "how long")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "of the order of faults (default a random one, which is printed)")
	dirFlag(cmd, &dir)
	return cmd
}

func soak(ctx context.Context, out io.Writer, o matrix.Options, length time.Duration, seed uint64) (err error) {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	say("Seed %d, for %v.", seed, length)
	trial, err := matrix.New(ctx, o)
	if errors.Is(err, lab.ErrNoDisk) {
		say("Without faults of disks: %v", err)
		o.Disks = false
		trial, err = matrix.New(ctx, o)
	}
	if err != nil {
		return err
	}
	broken, err := trial.Soak(ctx, length, seed, say)
	if err != nil || len(broken) > 0 {
		say("%s", trial.Bed.Logs())
	}
	if e := trial.Bed.Close(); e != nil && !errors.Is(e, context.Canceled) {
		err = errors.Join(err, e)
	}
	for _, x := range broken {
		err = errors.Join(err, errors.New(x))
	}
	if err == nil {
		say("All invariants held (seed %d).", seed)
	}
	return err
}
