package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"quorate/config"
	"quorate/config/ipvsadm"
)

func (a *app) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Make a configuration of another program's",
		Long:    `Make a configuration of what another program has. It is printed and not applied.`,
		Example: `  ipvsadm -Sn | quorate import ipvsadm - > cluster.hcl`,
	}
	cmd.AddCommand(a.importIPVSAdm(), a.importKeepalived())
	return cmd
}

func (a *app) importIPVSAdm() *cobra.Command {
	var o ipvsadm.Options
	cmd := &cobra.Command{
		Use:   "ipvsadm FILE",
		Short: "Make a configuration of what ipvsadm -Sn or ipvsadm-save has written",
		Long: `Read what "ipvsadm -Sn" or "ipvsadm-save -n" has written (- for standard input) and print a configuration: a vip for
each address, a service for each service, its servers. It needs no agent and applies nothing.

A line that cannot be taken over as it is is left out and named on standard error, and in a comment, with its place
and the reason; the exit code is then 1. What the table does not say has to be added by hand: the prefix lengths of
the addresses (--prefix, --prefix6), and the checks.`,
		Example: `  ipvsadm -Sn | quorate import ipvsadm - > cluster.hcl
  quorate import ipvsadm --prefix 24 /etc/ipvsadm.rules`,
		Args: needs("a FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Prefix4 < 0 || o.Prefix4 > 32 || o.Prefix6 < 0 || o.Prefix6 > 128 {
				return &usageError{cmd, errors.New("--prefix is 1 to 32, --prefix6 1 to 128")}
			}
			name, text, err := a.readOne(args[0])
			if err != nil {
				return err
			}
			im, err := ipvsadm.Parse(name, text, o)
			if err != nil {
				return err
			}
			for _, d := range im.Left {
				fmt.Fprintf(a.err, "quorate: %s\n", oneLine(d.String()))
			}
			if len(im.Config.Services) == 0 { // a configuration without any would, when it is applied, remove all that there is
				return fmt.Errorf("%s: no service in it can be taken over, so there is nothing to print: is it what `ipvsadm -Sn` writes?", name)
			}
			if err := a.print(im.Config, func(w io.Writer) { _, _ = w.Write(im.Format()) }); err != nil {
				return err
			}
			if len(im.Left) > 0 {
				return fmt.Errorf("%s left out, as said above; the configuration has the rest", pluralWas(len(im.Left), "line"))
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&o.Prefix4, "prefix", 0, "prefix length of the IPv4 addresses' subnet (default 32)")
	cmd.Flags().IntVar(&o.Prefix6, "prefix6", 0, "prefix length of the IPv6 addresses' subnet (default 128)")
	return cmd
}

func pluralWas(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return plural(n, noun) + " were"
}

// readOne reads a file, or standard input for -, up to one byte more than any configuration may have.
func (a *app) readOne(arg string) (name string, text []byte, err error) {
	in, name := a.in, "<stdin>"
	if arg != "-" {
		f, err := os.Open(arg)
		if err != nil {
			return arg, nil, err
		}
		defer func() { _ = f.Close() }()
		in, name = f, arg
	}
	if text, err = io.ReadAll(io.LimitReader(in, config.MaxBytes+1)); err != nil {
		err = fmt.Errorf("read %s: %w", name, err)
	}
	return name, text, err
}
