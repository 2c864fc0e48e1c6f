// Command quorate-lab builds a small network of real programs on one machine, in network namespaces, and shows or measures
// what a cluster does in it: the demo, the benchmarks, and a cluster to play with. It needs root, changes nothing on the
// machine that it runs on, and removes everything at its end, on Ctrl-C and on failure.
//
// Exit codes: 0 done and everything was as promised, 1 not, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
)

func main() { os.Exit(run()) }

// run is main without the exit, which would skip what is deferred.
func run() int {
	if ran, err := lab.RunRole(os.Args[1:]); ran {
		return exitCode(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return exitCode(root().ExecuteContext(ctx))
}

// usageError is a wrong command line.
type usageError struct{ error }

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("interrupted: %w", err)
	}
	fmt.Fprintln(os.Stderr, "quorate-lab:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

func root() *cobra.Command {
	root := &cobra.Command{
		Use:   "quorate-lab",
		Short: "A network of real quorate nodes, web servers and clients on one machine",
		Long: `quorate-lab builds a network of hosts in network namespaces on this machine and runs the real quorate program on them.
It needs root. Nothing of it is seen outside its namespaces, and everything is removed at the end.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError{errors.New("quorate-lab needs a command: demo, up, down, bench or soak; see quorate-lab --help")}
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	var binary string
	root.PersistentFlags().StringVar(&binary, "quorate", "", "the quorate program (default: the one beside this program, else the one in $PATH)")
	find := func() (string, error) { return findQuorate(binary) }
	root.AddCommand(demoCommand(find), upCommand(find), downCommand(), benchCommand(find), soakCommand(find))
	return root
}

// none is for commands without arguments.
func none(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument %q; see %s --help", cmd.CommandPath(), args[0], cmd.CommandPath())}
	}
	return nil
}

// findQuorate finds the program to run on the directors, as an absolute path.
func findQuorate(named string) (string, error) {
	if named == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		named = filepath.Join(filepath.Dir(self), "quorate")
		if _, err := os.Stat(named); err != nil {
			if named, err = exec.LookPath("quorate"); err != nil {
				return "", fmt.Errorf("the quorate program is neither beside this one nor in $PATH: build it with make build, or name it with --quorate: %w", err)
			}
		}
	}
	path, err := filepath.Abs(named)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the quorate program: %w; build it with make build, or name it with --quorate", err)
	} else if info.IsDir() || info.Mode()&0o111 == 0 {
		return "", fmt.Errorf("the quorate program: %s is not executable", path)
	}
	return path, nil
}
