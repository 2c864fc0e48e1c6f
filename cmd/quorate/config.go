package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/config"
	"quorate/fsm"
)

// configHelp is what plan and apply say about their arguments.
const configHelp = `All files together are the whole configuration of the cluster: what they do not mention is removed. A directory stands for
its .hcl and .json files, - for standard input.`

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan FILE…",
		Short: "Show what a configuration would change, and which VIPs would move and why",
		Long: `Show what a configuration would change, and which VIPs would get another owner and why. It changes nothing.

` + configHelp + `

A configuration with problems is refused with each one's file, line and cure.`,
		Example: `  quorate plan cluster.hcl
  quorate plan /etc/quorate/cluster.d
  quorate export | sed 's/wlc/wrr/' | quorate plan -`,
		Args: needs("a FILE…"),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			doc, err := a.load(args)
			if err != nil {
				return err
			}
			p, err := c.Plan(cmd.Context(), doc.Config)
			if err != nil {
				return err
			}
			if len(p.Problems) > 0 && a.output != "json" {
				return located(doc, p.Problems)
			}
			err = a.print(p, func(w io.Writer) {
				a.writeChanges(w, p.Changes, p.Moves)
				a.writeWarnings(w, doc, p.Warnings)
				if len(p.Changes) > 0 {
					fmt.Fprintf(w, "\nTo carry out exactly this: quorate apply --base %d %s\n", p.Base, strings.Join(args, " "))
				}
			})
			if err == nil && len(p.Problems) > 0 {
				return errSaid
			}
			return err
		}),
	}
}

func (a *app) applyCommand() *cobra.Command {
	var base uint64
	var force bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "apply FILE…",
		Short: "Make a configuration that of the whole cluster",
		Long: `Make a configuration that of the whole cluster, as one transaction: all of it or nothing.

` + configHelp + `

It is refused when somebody else applied another one in between: since this command looked, or with --base since that version
(which plan and export print). --force replaces whatever is there.`,
		Example: `  quorate apply cluster.hcl
  quorate apply --base 42 /etc/quorate/cluster.d
  quorate apply --wait 30s cluster.hcl     # until every VIP is held`,
		Args: needs("a FILE…"),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if err := checkWait(cmd, wait); err != nil {
				return err
			}
			doc, err := a.load(args)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("base") && !force {
				now, err := c.Config(cmd.Context())
				if err != nil {
					return err
				}
				base = now.Version
			}
			done, err := c.Apply(cmd.Context(), doc.Config, base, force)
			var refused *api.Error
			if errors.As(err, &refused) && len(refused.Problems) > 0 {
				return located(doc, refused.Problems)
			}
			if err != nil {
				return err
			}
			err = a.print(done, func(w io.Writer) {
				a.writeChanges(w, done.Changes, done.Moves)
				a.writeWarnings(w, doc, done.Warnings)
				if done.Changed {
					fmt.Fprintf(w, "\nApplied: the configuration is at version %d.\n", done.Version)
				}
			})
			if err != nil || wait <= 0 {
				return err
			}
			return waitHeld(cmd.Context(), c, wait)
		}),
	}
	cmd.Flags().Uint64Var(&base, "base", 0, "the version that the change was made for (default: the current one)")
	cmd.Flags().BoolVar(&force, "force", false, "replace the configuration, whatever its version")
	cmd.MarkFlagsMutuallyExclusive("base", "force")
	waitFlag(cmd, &wait, 0)
	cmd.Flags().Lookup("wait").Usage = "how long to wait until every VIP is held by its owner; 0 = do not wait"
	return cmd
}

// load reads files, directories and standard input as one configuration.
func (a *app) load(args []string) (*config.Document, error) {
	if len(args) == 1 && args[0] == "-" {
		text, err := io.ReadAll(io.LimitReader(a.in, config.MaxBytes+1))
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		doc, err := config.Parse("<stdin>", text)
		return doc, counted(err)
	}
	for _, arg := range args {
		if arg == "-" {
			return nil, errors.New("standard input (-) cannot be mixed with files")
		}
	}
	doc, err := config.Load(args...)
	return doc, counted(err)
}

// counted says how many faults follow, each on a line that begins with its place, as compilers write them.
func counted(err error) error {
	var found config.Diagnostics
	if !errors.As(err, &found) {
		return err
	}
	return fmt.Errorf("%s\n%w", countText(found), err)
}

func countText(found config.Diagnostics) string {
	return fmt.Sprintf("the configuration has %s; nothing was changed", plural(len(found), "problem"))
}

// located says where in the files the agent's problems are.
func located(doc *config.Document, ps fsm.Problems) error {
	return counted(doc.Diagnose(ps))
}

// writeWarnings prints what is accepted and does not do what its words say, each with its place in the files.
func (a *app) writeWarnings(w io.Writer, doc *config.Document, ps fsm.Problems) {
	var found config.Diagnostics
	if !errors.As(doc.Diagnose(ps), &found) {
		return
	}
	fmt.Fprintln(w)
	for _, d := range found {
		fmt.Fprintf(w, "%s %s\n", a.paint(warn, "warning:"), oneLine(d.String()))
	}
}

// waitHeld polls until every VIP is held. There is no event for what a kernel has.
func waitHeld(ctx context.Context, c *client.Client, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var waits []string
	for {
		vs, err := c.VIPs(ctx)
		if err == nil {
			waits = nil
			for _, v := range vs.VIPs {
				if v.State != api.VIPHeld && v.State != api.VIPShadow {
					waits = append(waits, fmt.Sprintf("%s is %s", v.Name, v.State))
				}
			}
			if len(waits) == 0 {
				return nil
			}
		} else if ctx.Err() == nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return fmt.Errorf("applied, but within %s not every VIP was held: %s; see `quorate status`", limit, strings.Join(waits, ", "))
			}
			return ctx.Err()
		}
	}
}

// writeChanges prints a difference the way diff and plan tools do: + added, ~ changed, - removed.
func (a *app) writeChanges(w io.Writer, changes []fsm.Change, moves []fsm.PlannedMove) {
	if len(changes) == 0 {
		fmt.Fprintln(w, "No changes: the cluster has this configuration.")
	}
	count := map[fsm.Op]int{}
	for _, c := range changes {
		count[c.Op]++
		sign, tn := "~", warn
		switch c.Op {
		case fsm.Added:
			sign, tn = "+", good
		case fsm.Removed:
			sign, tn = "-", bad
		}
		fmt.Fprintf(w, "%s %s\n", a.paint(tn, sign), oneLine(c.Object))
		if c.Op == fsm.Removed {
			continue
		}
		width := 0
		for _, f := range c.Fields {
			width = max(width, len(f.Key))
		}
		for _, f := range c.Fields {
			value := f.New
			if c.Op == fsm.Changed {
				value = orNone(f.Old) + " → " + orNone(f.New)
			}
			fmt.Fprintf(w, "    %-*s  %s\n", width, f.Key, oneLine(value))
		}
	}
	if len(moves) > 0 {
		fmt.Fprintf(w, "\nVIPs that get another owner:\n")
		t := a.table("VIP", "ADDRESS", "FROM", "", "TO", "WHY")
		for _, m := range moves {
			t.row(m.VIP, m.Key, nobody(m.From), "→", nobody(m.To), reasonText(m.Reason))
		}
		t.rows[0][3].text = ""
		t.write(w, "  ")
	}
	if len(changes) > 0 {
		fmt.Fprintf(w, "\n%d to add, %d to change, %d to remove; %s.\n", count[fsm.Added], count[fsm.Changed], count[fsm.Removed], movesText(len(moves)))
	}
}

func movesText(n int) string {
	switch n {
	case 0:
		return "no VIP moves"
	case 1:
		return "1 VIP gets another owner"
	default:
		return fmt.Sprintf("%d VIPs get another owner", n)
	}
}

func orNone(s string) string { return first(s, "(none)") }

func nobody(n fsm.NodeID) string { return first(string(n), "nobody") }

func (a *app) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Write the configuration of the cluster as a file that apply takes",
		Long: `Write the configuration of the cluster to standard output, as a file that apply takes. With --output json it is the API's
answer, with the version that --base of apply wants.

Passwords and keys of virtual routers are in it: keep it to yourself. Over TCP they are not shown, and apply leaves them
as they are.`,
		Example: `  quorate export > cluster.hcl
  quorate export --output json | jq .version`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			cfg, err := c.Config(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(cfg, func(w io.Writer) {
				if cfg.Hidden {
					fmt.Fprintf(w, "# Passwords and keys of virtual routers are not shown over TCP. Where this says %q, apply leaves what the cluster has.\n\n", fsm.NotShown)
				}
				_, _ = w.Write(config.Format(cfg.Config))
			})
		}),
	}
}
