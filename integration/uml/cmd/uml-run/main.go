// Command uml-run runs a program inside User-Mode Linux, with its output and its exit status:
//
//	uml-run [-timeout 5m] [-memory 1G] [-console] PROGRAM [ARGUMENT...]
package main

import (
	"context"
	"flag"
	"os"

	"quorate/integration/guest"
	"quorate/integration/uml"
)

func main() {
	console := flag.Bool("console", false, "show the guest kernel's messages on standard error")
	os.Exit(guest.Main("uml-run", func(ctx context.Context, c guest.Command) (int, error) {
		p := uml.Program{Path: c.Path, Args: c.Args, Memory: c.Memory, Stdout: os.Stdout}
		if *console {
			p.Console = os.Stderr
		}
		return uml.Run(ctx, p)
	}))
}
