package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"quorate/lvs/realserver"
)

// realServerFlags are those of `quorate realserver setup|check|undo`.
type realServerFlags struct {
	vips                          []string
	forward, tunnel, outer, iface string
	port                          uint16
	state                         string
	dryRun, printUnit             bool
}

func (a *app) realServerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "realserver",
		Short: "Prepare this host to be a real server for direct routing or tunnels",
		Long: `Prepare this host to be a real server for direct routing or tunnels: it takes packets for VIPs, and its network does not learn
that it has them. It works on any Linux host, as root, without an agent.`,
		Example: `  quorate realserver setup --vip 192.0.2.10 --forward dr --dry-run
  quorate realserver setup --vip 192.0.2.10 --forward dr
  quorate realserver check
  quorate realserver undo`,
	}
	cmd.AddCommand(a.realServerSetup(), a.realServerCheck(), a.realServerUndo())
	return cmd
}

func (a *app) realServerSetup() *cobra.Command {
	var f realServerFlags
	cmd := &cobra.Command{
		Use:   "setup [--vip ADDRESS… --forward dr|tun]",
		Short: "Make this host take packets for VIPs without the network noticing",
		Long: `Make this host take packets for VIPs that a director forwards by direct routing (dr) or through a tunnel (tun), and answer
neither ARP nor neighbour solicitations for them. No agent and no cluster is needed here, only root.

What it makes is kept in a file, so that undo can give back what was there before; what is there already stays. Without --vip it
does again what was done before, e.g. after a reboot, which undoes all of it: --print-unit prints a systemd unit for that.
When a step fails it says which were done, and the same command goes on from there.`,
		Example: `  quorate realserver setup --vip 192.0.2.10 --vip 2001:db8::10 --forward dr
  quorate realserver setup --vip 192.0.2.10 --forward tun --tunnel gue --port 6080 --dry-run
  quorate realserver setup --vip 192.0.2.10 --forward dr --print-unit > /etc/systemd/system/quorate-realserver.service`,
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, vips, err := f.open(cmd)
			if err != nil {
				return err
			}
			if f.printUnit {
				return a.printUnit(f)
			}
			r, err := s.Setup(vips, f.dryRun)
			return a.tellSetup(f, r, err)
		},
	}
	f.describe(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and change nothing")
	cmd.Flags().BoolVar(&f.printUnit, "print-unit", false, "print a systemd unit that runs this setup at each boot, and change nothing")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "print-unit")
	return cmd
}

func (a *app) realServerCheck() *cobra.Command {
	var f realServerFlags
	cmd := &cobra.Command{
		Use:   "check [--vip ADDRESS… --forward dr|tun]",
		Short: "Say what this host lacks to be a real server, with the command for each",
		Long: `Say what this host lacks to take packets for VIPs, and which command cures it; without --vip, for those that it was prepared
for. It changes nothing. The exit code is 1 when something is missing.`,
		Example: `  quorate realserver check
  quorate realserver check --vip 192.0.2.10 --forward dr`,
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, vips, err := f.open(cmd)
			if err != nil {
				return err
			}
			r, err := s.Check(vips)
			if err != nil {
				return err
			}
			if err := a.print(r, func(w io.Writer) { a.writeCheck(w, f, r) }); err != nil {
				return err
			}
			if !r.Ready {
				return errSaid
			}
			return nil
		},
	}
	f.describe(cmd)
	return cmd
}

func (a *app) realServerUndo() *cobra.Command {
	var f realServerFlags
	cmd := &cobra.Command{
		Use:   "undo [--vip ADDRESS…]",
		Short: "Take back what setup made",
		Long: `Take back what setup made for VIPs, or without --vip all of it: sysctls get the values that they had before. What others made,
or changed since, stays, and is named. Drain the server at the directors first: connections to it end here.`,
		Example: `  quorate realserver undo --dry-run
  quorate realserver undo --vip 192.0.2.10`,
		Args: needs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			addrs, err := f.addresses(cmd)
			if err != nil {
				return err
			}
			s, err := realserver.Open(f.state)
			if err != nil {
				return err
			}
			r, err := s.Undo(addrs, f.dryRun)
			return a.tellUndo(f, r, err)
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&f.vips, "vip", nil, "address to take back; may be given more than once (default: all)")
	fl.StringVar(&f.state, "state", "", "file of what setup has made (default "+realserver.DefaultState+")")
	fl.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and change nothing")
	return cmd
}

func (f *realServerFlags) describe(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringSliceVar(&f.vips, "vip", nil, "address of the virtual service; may be given more than once (default: those of the last setup)")
	fl.StringVar(&f.forward, "forward", "", "how directors send: dr or tun, as `forward` in the configuration of the service")
	fl.StringVar(&f.tunnel, "tunnel", "", "with --forward tun: ipip, gre or gue (default ipip)")
	fl.Uint16Var(&f.port, "port", 0, "with --tunnel gue: the UDP port that directors send to (default "+strconv.Itoa(realserver.DefaultPort)+")")
	fl.StringVar(&f.outer, "outer", "", "with --forward tun: ipv4 or ipv6, the family of this server's address at the directors (default: that of the VIP)")
	fl.StringVar(&f.iface, "interface", "", "where packets for the VIP come in (default: the interface with a subnet of the VIP, else that of the default route)")
	fl.StringVar(&f.state, "state", "", "file of what setup has made (default "+realserver.DefaultState+")")
	for flag, values := range map[string][]string{
		"forward": {"dr", "tun"}, "tunnel": {realserver.IPIP, realserver.GRE, realserver.GUE}, "outer": {realserver.IPv4, realserver.IPv6},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// addresses are the values of --vip.
func (f *realServerFlags) addresses(cmd *cobra.Command) (out []netip.Addr, err error) {
	for _, text := range f.vips {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, &usageError{cmd, fmt.Errorf("--vip %q: that is no address; write it like 192.0.2.10 or 2001:db8::10, without a prefix length", text)}
		}
		out = append(out, addr)
	}
	return out, nil
}

// open checks the flags and opens this host.
func (f *realServerFlags) open(cmd *cobra.Command) (*realserver.Server, []realserver.VIP, error) {
	addrs, err := f.addresses(cmd)
	if err != nil {
		return nil, nil, err
	}
	if len(addrs) == 0 {
		for _, flag := range []string{"forward", "tunnel", "port", "outer", "interface"} {
			if cmd.Flags().Changed(flag) {
				return nil, nil, &usageError{cmd, fmt.Errorf("--%s goes with --vip: name the address that it is for", flag)}
			}
		}
	} else if f.forward == "" {
		return nil, nil, &usageError{cmd, errors.New("--vip goes with --forward: dr or tun, as the service has it")}
	}
	var vips []realserver.VIP
	for _, addr := range addrs {
		v := realserver.VIP{Addr: addr, Forward: f.forward, Tunnel: f.tunnel, Port: f.port, Outer: f.outer, Interface: f.iface}
		if err := v.Check(); err != nil {
			return nil, nil, &usageError{cmd, err}
		}
		vips = append(vips, v)
	}
	s, err := realserver.Open(f.state)
	return s, vips, err
}

// words are the flags again, for a command line that does the same.
func (f *realServerFlags) words() (out []string) {
	for _, v := range f.vips {
		out = append(out, "--vip", v)
	}
	for _, x := range [][2]string{{"--forward", f.forward}, {"--tunnel", f.tunnel}, {"--outer", f.outer}, {"--interface", f.iface}, {"--state", f.state}} {
		if x[1] != "" {
			out = append(out, x[0], x[1])
		}
	}
	if f.port != 0 {
		out = append(out, "--port", strconv.Itoa(int(f.port)))
	}
	return out
}

func (a *app) printUnit(f realServerFlags) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("where this program lies: %w", err)
	}
	unit := realserver.Unit(append([]string{program, "realserver", "setup"}, f.words()...))
	return a.print(map[string]string{"unit": unit}, func(w io.Writer) { fmt.Fprint(w, unit) })
}

// tellSetup prints a report of setup, also of one that failed, and returns why it did.
func (a *app) tellSetup(f realServerFlags, r realserver.Report, err error) error {
	if err != nil && len(r.Steps)+len(r.Problems) == 0 {
		return err
	}
	said := a.print(r, func(w io.Writer) {
		a.writeInTheWay(w, r)
		if errors.Is(err, realserver.ErrRefused) {
			return
		}
		a.writeSteps(w, r, f.dryRun)
		switch {
		case err != nil:
			fmt.Fprintf(w, "%d of %s done; the same command goes on from there\n", r.Done(), plural(len(r.Steps), "step"))
		case len(r.Steps) == 0:
			fmt.Fprintf(w, "Nothing to do: this server is ready for %s\n", names(r.VIPs))
		case f.dryRun:
			fmt.Fprintf(w, "Nothing was changed. %s would make this server ready for %s\n", plural(len(r.Steps), "step"), names(r.VIPs))
		default:
			fmt.Fprintf(w, "This server is ready for %s. A reboot undoes it: see --print-unit\n", names(r.VIPs))
		}
		a.writeNotes(w, r)
	})
	return errors.Join(err, said)
}

func (a *app) tellUndo(f realServerFlags, r realserver.Report, err error) error {
	if err != nil && len(r.Steps) == 0 {
		return err
	}
	said := a.print(r, func(w io.Writer) {
		a.writeSteps(w, r, f.dryRun)
		switch {
		case err != nil:
			fmt.Fprintf(w, "%d of %s done; the same command goes on from there\n", r.Done(), plural(len(r.Steps), "step"))
		case len(r.Steps) == 0:
			fmt.Fprintln(w, "Nothing to take back")
		case f.dryRun:
			fmt.Fprintf(w, "Nothing was changed. %s would take it back\n", plural(len(r.Steps), "step"))
		case len(r.VIPs) > 0:
			fmt.Fprintf(w, "Taken back. This server stays prepared for %s\n", names(r.VIPs))
		default:
			fmt.Fprintln(w, "Taken back: this host is as it was before setup")
		}
		a.writeNotes(w, r)
	})
	return errors.Join(err, said)
}

func (a *app) writeCheck(w io.Writer, f realServerFlags, r realserver.Report) {
	a.writeInTheWay(w, r)
	for _, s := range r.Steps {
		have := s.From
		if have == "" {
			have = "missing"
		}
		fmt.Fprintf(w, "%s is %s: %s\n  %s\n", s.Thing, a.paint(bad, have), s.Why, s.Command())
	}
	if r.Ready {
		fmt.Fprintf(w, "This server is %s for %s\n", a.paint(good, "ready"), names(r.VIPs))
	} else if len(r.Steps) > 0 {
		fmt.Fprintf(w, "All of it: %s\n", strings.Join(append([]string{"quorate realserver setup"}, f.words()...), " "))
	}
	a.writeNotes(w, r)
}

// writeSteps prints command lines that do what was done, or would be.
func (a *app) writeSteps(w io.Writer, r realserver.Report, dry bool) {
	for _, s := range r.Steps {
		note := ""
		if s.From != "" && s.To != "" {
			note = "   # was " + s.From
		}
		mark := a.paint(good, "done  ")
		if !s.Done {
			mark = a.paint(bad, "to do ")
		}
		if dry {
			mark = "would "
		}
		fmt.Fprintf(w, "%s  %s%s\n", mark, s.Command(), note)
	}
}

func (a *app) writeInTheWay(w io.Writer, r realserver.Report) {
	for _, p := range r.Problems {
		fmt.Fprintf(w, "%s: %s\n  %s\n", a.paint(bad, "in the way"), p.What, p.Cure)
	}
}

func (a *app) writeNotes(w io.Writer, r realserver.Report) {
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
}

// names lists VIPs with how they come.
func names(vips []realserver.VIP) string {
	var out []string
	for _, v := range vips {
		out = append(out, v.String())
	}
	return strings.Join(out, ", ")
}
