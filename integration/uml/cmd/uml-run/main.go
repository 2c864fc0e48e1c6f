// Command uml-run runs a program inside User-Mode Linux, with its output and its exit status:
//
//	uml-run [-timeout 5m] [-memory 1G] [-console] PROGRAM [ARGUMENT...]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"quorate/integration/uml"
)

func main() { os.Exit(run()) }

func run() int {
	timeout := flag.Duration("timeout", 5*time.Minute, "kill the guest after this time")
	memory := flag.String("memory", "1G", "memory of the guest")
	console := flag.Bool("console", false, "show the guest kernel's messages on standard error")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: uml-run [flags] PROGRAM [ARGUMENT...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		return 2
	}
	path, err := exec.LookPath(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "uml-run:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	p := uml.Program{Path: path, Args: flag.Args()[1:], Memory: *memory, Stdout: os.Stdout}
	if *console {
		p.Console = os.Stderr
	}
	status, err := uml.Run(ctx, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "uml-run:", err)
		return 1
	}
	return status
}
