package guest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// Command is what a command line asks to be run in a guest.
type Command struct {
	Path   string // on the host
	Args   []string
	Memory string // of the guest, e.g. "1G"
}

// Main is the command called name, which runs a program in a guest until it ends, its time is over or it is interrupted; the caller has defined the flags that only its bed
// has. It returns the exit status: the program's, or 1 if the guest failed, or 2 for a wrong command line.
func Main(name string, run func(context.Context, Command) (status int, err error)) int {
	timeout := flag.Duration("timeout", 5*time.Minute, "kill the guest after this time")
	memory := flag.String("memory", "1G", "memory of the guest")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s [flags] PROGRAM [ARGUMENT...]\n", name)
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		return 2
	}
	path, err := exec.LookPath(flag.Arg(0))
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	status, err := run(ctx, Command{Path: path, Args: flag.Args()[1:], Memory: *memory})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return status
}
