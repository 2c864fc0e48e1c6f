// Command qemu-run runs a program inside a stock Debian kernel, in QEMU, with its output and its exit status:
//
//	qemu-run [-timeout 5m] [-memory 1G] [-tools ipvsadm,nft] PROGRAM [ARGUMENT...]
package main

import (
	"context"
	"flag"
	"os"
	"strings"

	"quorate/integration/guest"
	"quorate/integration/qemu"
)

func main() {
	tools := flag.String("tools", "", "programs of the host that it calls, with commas between them")
	os.Exit(guest.Main("qemu-run", func(ctx context.Context, c guest.Command) (int, error) {
		p := qemu.Program{Path: c.Path, Args: c.Args, Memory: c.Memory, Stdout: os.Stdout}
		if *tools != "" {
			p.Tools = strings.Split(*tools, ",")
		}
		return qemu.Run(ctx, p)
	}))
}
