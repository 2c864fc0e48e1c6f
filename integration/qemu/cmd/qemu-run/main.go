// Command qemu-run runs a program inside a stock Debian kernel, in QEMU, with its output and its exit status:
//
//	qemu-run [-timeout 5m] [-memory 1G] [-tools ipvsadm,nft] PROGRAM [ARGUMENT...]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"quorate/integration/qemu"
)

func main() { os.Exit(run()) }

func run() int {
	timeout := flag.Duration("timeout", 5*time.Minute, "kill the guest after this time")
	memory := flag.String("memory", "1G", "memory of the guest")
	tools := flag.String("tools", "", "programs of the host that it calls, with commas between them")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: qemu-run [flags] PROGRAM [ARGUMENT...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		return 2
	}
	path, err := exec.LookPath(flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "qemu-run:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	p := qemu.Program{Path: path, Args: flag.Args()[1:], Memory: *memory, Stdout: os.Stdout}
	if *tools != "" {
		p.Tools = strings.Split(*tools, ",")
	}
	status, err := qemu.Run(ctx, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "qemu-run:", err)
		return 1
	}
	return status
}
