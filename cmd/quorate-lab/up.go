package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"quorate/integration/lab"
)

func upCommand(find func() (string, error)) *cobra.Command {
	var dir string
	var perSecond int
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Keep a cluster running to play with",
		Long: `Form a cluster of three directors with two web servers and a client, print how to use it, and keep it running until
Ctrl-C or until quorate-lab down is run elsewhere.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if perSecond < 0 || perSecond > 2000 {
				return usageError{fmt.Errorf("--rate %d: want 0 (no client) to 2000", perSecond)}
			}
			binary, err := find()
			if err != nil {
				return err
			}
			o := lab.BedOptions{Options: lab.Options{Dir: dir}, Binary: binary, Directors: 3, Servers: 2}
			return up(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), o, perSecond)
		},
	}
	dirFlag(cmd, &dir)
	cmd.Flags().IntVar(&perSecond, "rate", 50, "requests per second of the client, 0 for none")
	return cmd
}

func up(ctx context.Context, in io.Reader, out io.Writer, o lab.BedOptions, perSecond int) (err error) {
	bed, err := lab.NewBed(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		fmt.Fprintln(out, "Removing everything.")
		err = errors.Join(err, bed.Close())
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = nil // that was how it is meant to end
		}
	}()
	if err := bed.Form(ctx); err != nil {
		return err
	}
	var c lab.Config
	c.VIP("web", lab.VIP(1)).VIP("api", lab.VIP(2)).VIP("web6", lab.VIP6(1)).Web("web", "web", bed.ServerAddr(0), bed.ServerAddr(1))
	if _, err := bed.Directors[0].Apply(ctx, "cluster.hcl", c.String()); err != nil {
		return err
	}
	web := lab.VIP(1).Addr()
	if _, err := bed.AwaitOwner(ctx, web, nil); err != nil {
		return err
	}
	if err := bed.AwaitServers(ctx, "web", 2); err != nil {
		return err
	}
	var load *lab.Load
	if perSecond > 0 {
		if load, err = bed.Client.StartLoad(ctx, netip.AddrPortFrom(web, 80), perSecond, timeout); err != nil {
			return err
		}
	}
	if err := explain(out, bed); err != nil {
		return err
	}
	return (&console{bed: bed, load: load, out: out}).run(ctx, in)
}

// explain prints what to type elsewhere.
func explain(out io.Writer, bed *lab.Bed) error {
	client, err := bed.Client.Path()
	if err != nil {
		return err
	}
	first := bed.Directors[0]
	fmt.Fprintf(out, "A cluster of three runs. In another terminal:\n\n")
	for _, d := range bed.Directors {
		fmt.Fprintf(out, "  export QUORATE_SOCKET=%s    # the agent of %s\n", d.Socket, d.Name)
	}
	fmt.Fprintf(out, `
  %[1]s status
  %[1]s vip move web n2
  %[1]s node drain n1
  %[1]s events --follow
  %[1]s apply %[2]s    # edit it first
  nsenter --net=%[3]s curl -s http://%[4]s/    # as the client; `+"`ip neigh`"+` there shows who has the VIP

Logs and data are under %[5]s.
`, first.Binary, filepath.Join(first.Dir, "cluster.hcl"), client, lab.VIP(1).Addr(), bed.Dir)
	return nil
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down [LAB…]",
		Short: "End the labs on this machine and remove what is left of crashed ones",
		Long: `End the labs that run on this machine, and remove what a lab that was killed left behind; all of them, or those that are named
(quorate-lab-…, as in the names of their directories). Run again, it finds nothing to do and says so.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			labs, err := lab.Running()
			if len(args) > 0 {
				labs = slices.DeleteFunc(labs, func(l lab.Found) bool { return !slices.Contains(args, l.ID) })
			}
			for _, l := range labs {
				if e := l.Sweep(30 * time.Second); e != nil {
					err = errors.Join(err, e)
					continue
				}
				state := "had crashed; what was left of it is removed"
				if l.Alive {
					state = "is ended"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s of process %d %s\n", l.ID, l.PID, state)
			}
			if len(labs) == 0 && err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "No such lab runs, and nothing is left of one.")
			}
			return err
		},
	}
}
