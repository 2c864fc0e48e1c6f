package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"quorate/fsm"
	"quorate/integration/lab"
)

func demoCommand(find func() (string, error)) *cobra.Command {
	o := demoOptions{terms: terms{plane: "auto", profile: string(fsm.LAN), rate: rate, patience: 1}}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Form a cluster, balance traffic, break things, and print what a client notices",
		Long: `Form a cluster of three directors, balance 500 requests/s over two web servers, then stop a server, drain a node and cut a
machine's power. Every step prints what was measured and whether it was as promised. It ends by itself, in less than a
minute, with exit code 0 if all promises were kept.

With --data-plane ipvs, on a kernel that has IPVS, connections are forwarded by direct routing and the kernel's table is
looked into. A slow machine wants a lower --rate and more --patience.`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return usageError{err}
			}
			binary, err := find()
			if err != nil {
				return err
			}
			o.bed.Binary, o.bed.Directors, o.bed.Servers = binary, 3, 2
			if o.patience > 1 {
				o.bed.Poll = o.rarer(10 * time.Millisecond)
			}
			if o.direct() {
				o.bed.Direct = []netip.Addr{lab.VIP(1).Addr(), lab.VIP6(1).Addr()}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), demoLimit*time.Duration(o.patience))
			defer cancel()
			return demo(ctx, cmd.OutOrStdout(), o)
		},
	}
	dirFlag(cmd, &o.bed.Dir)
	cmd.Flags().BoolVar(&o.keepLogs, "logs", false, "print the agents' logs when something was not as promised")
	o.flags(cmd.Flags())
	return cmd
}

const (
	demoLimit = 2 * time.Minute // after that something hangs
	rate      = 500             // of the client, requests per second
	timeout   = time.Second     // of each request
)

type demoOptions struct {
	terms
	bed      lab.BedOptions
	keepLogs bool
}

// demo runs the whole demo, and checks at the end that the machine is as it was.
func demo(ctx context.Context, out io.Writer, o demoOptions) error {
	before, err := lab.TakeFootprint()
	if err != nil {
		return err
	}
	r := newReport(out)
	fmt.Fprintf(out, "quorate demo: three directors (n1, n2, n3), two web servers (w1, w2), a client and a bystander that\n"+
		"watches who answers for which address; each is a network namespace of this machine, on one bridge.\n")
	err = demoIn(ctx, r, o)

	r.step("Everything is removed")
	left, e := before.Compare(5 * time.Second)
	r.promise(e == nil && len(left) == 0, "this machine is as it was: interfaces, addresses, routes, rules, mounts, processes, files")
	for _, l := range left {
		r.saw("%s", l)
	}
	if err = errors.Join(err, e); err != nil {
		return err // something did not work at all
	}
	return r.verdict()
}

func demoIn(ctx context.Context, r *report, o demoOptions) (err error) {
	bed, err := lab.NewBed(ctx, o.bed)
	if err != nil {
		return err
	}
	defer func() {
		if o.keepLogs && (err != nil || len(r.broken) > 0) {
			fmt.Fprintf(r.out, "\n%s", bed.Logs())
		}
		err = errors.Join(err, bed.Close())
	}()
	s := &show{report: r, terms: o.terms, bed: bed, strain: bed.StartStrain(), web: lab.VIP(1).Addr(), api: lab.VIP(2).Addr(), six: lab.VIP6(1).Addr()}
	for _, act := range []func(context.Context) error{
		s.form, s.configure, s.steady, s.kernel, s.stopServer, s.killServer, s.drain, s.losePower, s.comeBack, s.account,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}
