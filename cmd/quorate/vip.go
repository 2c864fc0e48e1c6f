package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) vipCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "vip",
		Short: "List, look at and move virtual IPs",
		Long:  `List the virtual IPs with their owners, ask why one is where it is, and move one.`,
		Example: `  quorate vip list
  quorate vip show web
  quorate vip move web n2`,
	}
	cmd.AddCommand(a.vipList(), a.vipShow(), a.vipMove(), a.vipForce())
	return cmd
}

func (a *app) vipList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the VIPs, who owns each and why",
		Long: `List the VIPs. OWNER is what the cluster agreed; STATE compares it with what the kernels have: held, unguarded
(claimed without a quorum), moving (the owner was asked to give it up), missing (the owner does not have it),
unowned, unknown (the owner does not answer), duplicate, shadow (it is only decided who would own it), foreign (a
router outside the cluster has it), releasing (no longer configured, not confirmed gone).`,
		Example: `  quorate vip list`,
		Args:    needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			vs, err := c.VIPs(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(vs, func(w io.Writer) {
				if len(vs.VIPs) == 0 {
					fmt.Fprintln(w, "The configuration has no VIPs.")
				}
				a.vipTable(vs.VIPs).write(w, "")
			})
		}),
	}
}

func (a *app) vipTable(vips []api.VIP) *table {
	t := a.table("VIP", "ADDRESS", "OWNER", "LINK", "STATE", "WHY")
	for _, v := range vips {
		t.row(v.Name, vipAddress(v), cell{vipOwner(v), plain}, v.Link, vipState(v.State), vipWhy(v))
	}
	return t
}

func vipAddress(v api.VIP) string {
	s := v.Address.String()
	if v.Prefix.IsValid() {
		s = v.Prefix.String()
	}
	if v.Network != "" {
		s += "@" + v.Network
	}
	return s
}

// vipOwner is the owner, in brackets who would be it.
func vipOwner(v api.VIP) string {
	if v.State == api.VIPShadow && v.Owner != "" {
		return "(" + string(v.Owner) + ")"
	}
	return orDash(string(v.Owner))
}

func vipState(s api.VIPState) cell {
	switch s {
	case api.VIPHeld:
		return cell{string(s), good}
	case api.VIPMoving, api.VIPUnknown, api.VIPReleasing, api.VIPShadow, api.VIPForeign:
		return cell{string(s), warn}
	default:
		return cell{string(s), bad}
	}
}

// vipWhy is one sentence: what is going on, or else why it is there.
func vipWhy(v api.VIP) string {
	switch {
	case v.Release != nil && v.Release.To != "":
		return fmt.Sprintf("%s → %s: %s", v.Owner, v.Release.To, reasonText(v.Release.Reason))
	case v.Release != nil:
		return fmt.Sprintf("%s gives it up: %s", v.Owner, reasonText(v.Release.Reason))
	case v.State == api.VIPShadow:
		return v.Shadow
	case v.State == api.VIPUnguarded:
		return "HELD WITHOUT A QUORUM: another node may claim it too"
	case v.Reason != nil:
		return reasonText(*v.Reason)
	default:
		return v.Problem
	}
}

func reasonText(r fsm.Reason) string {
	if r.Text == "" {
		return string(r.Code)
	}
	return string(r.Code) + ": " + r.Text
}

func (a *app) vipShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show VIP",
		Short: "Show one VIP and why it is where it is",
		Long: `Show one VIP, by name or by address: its owner, why, what holds it there, what the kernels have, and its latest events.
See also quorate explain vip.`,
		Example: `  quorate vip show web
  quorate vip show 192.0.2.10`,
		Args:              needs("the name of a VIP"),
		ValidArgsFunction: a.completeVIPs,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			v, err := c.VIP(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(v, func(w io.Writer) { a.writeVIP(w, v) })
		}),
	}
}

func (a *app) writeVIP(w io.Writer, v api.VIPDetail) {
	s := vipState(v.State)
	fmt.Fprintf(w, "VIP         %s\n", v.Name)
	fmt.Fprintf(w, "Address     %s\n", vipAddress(v.VIP))
	fmt.Fprintf(w, "Owner       %s\n", vipOwner(v.VIP))
	fmt.Fprintf(w, "State       %s\n", a.paint(s.tone, s.text))
	fmt.Fprintf(w, "Why         %s\n", oneLine(orDash(vipWhy(v.VIP))))
	assigned := fmt.Sprintf("by entry %d", v.Epoch)
	if !v.Since.IsZero() {
		assigned += ", " + moment(v.Since)
	}
	fmt.Fprintf(w, "Assigned    %s\n", assigned)
	writeHolds(w, "Held        ", v.Holds)
	fmt.Fprintf(w, "Present on  %s\n", join(v.PresentOn))
	fmt.Fprintf(w, "Interface   %s\n", orDash(v.Link))
	if v.Group != "" {
		fmt.Fprintf(w, "Group       %s\n", v.Group)
	}
	preempt := ""
	if v.Preempt {
		preempt = ", preempt on"
	}
	fmt.Fprintf(w, "Prefers     %s%s\n", join(v.Prefer), preempt)
	if v.QuorumLost != "" {
		fmt.Fprintf(w, "Quorum lost %s\n", v.QuorumLost)
	}
	if v.VirtualRouter != "" {
		fmt.Fprintf(w, "Router      %s\n", v.VirtualRouter)
	}
	if v.Foreign != nil {
		fmt.Fprintf(w, "Foreign     %s\n", a.paint(warn, foreignText(*v.Foreign, v.ForeignBy)))
	}
	if len(v.Suspended) > 0 {
		fmt.Fprintf(w, "Suspended   %s\n", a.paint(bad, "by "+join(v.Suspended)))
	}
	fmt.Fprintf(w, "Services    %s\n", join(v.Services))
	if v.Problem != "" {
		a.writeProblems(w, []string{v.Problem})
	}
	if len(v.Events) > 0 {
		fmt.Fprintf(w, "\nLatest events:\n")
		for _, e := range v.Events {
			fmt.Fprintf(w, "  %s\n", a.eventLine(e))
		}
	}
}

// foreignText says which router outside the cluster has a virtual router.
func foreignText(f fsm.ForeignOwner, router string) string {
	why := "left what it has, by preempt or preempt_delay"
	if f.Better {
		why = "outranks the cluster"
	}
	text := fmt.Sprintf("%v has virtual router %s since %s: %s", f, router, moment(f.Since), why)
	if len(f.Reporters) > 0 {
		text += "; heard by " + join(f.Reporters)
	}
	return text
}

func (a *app) vipMove() *cobra.Command {
	var wait time.Duration
	var to string
	cmd := &cobra.Command{
		Use:   "move VIP NODE",
		Short: "Move a VIP to another node",
		Long: `Move a VIP, and the others of its group, to another node by a planned move: the new owner prepares its services, the owner
falls silent and confirms it, and the new owner takes over. For 1.5 s the old one still takes what is sent to it, so that no
packet is lost.

By default the command waits until the new owner's kernel has it, and fails when that has not come about in time.`,
		Example: `  quorate vip move web n2
  quorate vip move web --to n2 --wait 0   # ask for it and return at once`,
		Args: func(cmd *cobra.Command, args []string) error {
			if to != "" {
				return needs("the name of a VIP")(cmd, args)
			}
			return needs("the name of a VIP", "the NODE that shall own it")(cmd, args)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, s string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return a.completeNodes(cmd, nil, s)
			}
			return a.completeVIPs(cmd, args, s)
		},
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if err := checkWait(cmd, wait); err != nil {
				return err
			}
			if to == "" {
				to = args[1]
			}
			m, err := c.MoveVIP(cmd.Context(), args[0], fsm.NodeID(to), wait)
			if err != nil {
				return err
			}
			if err := a.print(m, func(w io.Writer) { writeMoved(w, m) }); err != nil {
				return err
			}
			if wait > 0 && !m.Done {
				return fmt.Errorf("%s was not on %s within %s: %s", m.VIP, m.To, wait, m.Note)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&to, "to", "", "the node, instead of the second argument")
	waitFlag(cmd, &wait, 30*time.Second)
	return cmd
}

// splitBrainFlag accepts what a forced owner may bring about.
const splitBrainFlag = "i-accept-split-brain"

func (a *app) vipForce() *cobra.Command {
	var accept bool
	var d string
	cmd := &cobra.Command{
		Use:   "force-owner VIP --for 10m --" + splitBrainFlag,
		Short: "Make this node claim a VIP although there is no quorum (break-glass)",
		Long: `Make the node whose agent is asked claim a VIP although there is no quorum, whoever owns it. For when a majority is
lost, will not be back soon, and you know that no other node has the VIP.

Without a quorum nobody can know whether another node has the VIP. If one that this node cannot hear has it, both claim
it, each to a part of the clients, and what they write diverges.

It is this node's alone and bounded: it ends when the time is up, when there is a quorum again, when another host claims
the address, when the agent is stopped, and within one lease when the agent hangs. It is logged, and written into the
timeline when there is a quorum.

It is refused while there is a quorum (use quorate vip move), when another host answers for the address, and on an agent
that was started without a majority. If the others are gone for good, quorate recover is the way. It takes 3 s, in which
a majority and other hosts are asked.`,
		Example:           `  quorate vip force-owner web --for 10m --` + splitBrainFlag,
		Args:              needs("the name of a VIP"),
		ValidArgsFunction: a.completeVIPs,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			limit, err := api.ParseForce(d)
			switch {
			case err != nil:
				return &usageError{cmd, fmt.Errorf("--for %w", err)}
			case !accept:
				return &usageError{cmd, fmt.Errorf("%s; if you know that no other node has it: --%s", api.SplitBrainText, splitBrainFlag)}
			}
			f, err := c.ForceOwner(cmd.Context(), args[0], limit)
			if err != nil {
				return err
			}
			return a.print(f, func(w io.Writer) {
				fmt.Fprintf(w, "%s claims %s %s, until %s at the latest. Another node may claim it too.\n", f.Node, f.VIP, a.paint(bad, "WITHOUT A QUORUM"), moment(f.Until))
			})
		}),
	}
	cmd.Flags().BoolVar(&accept, splitBrainFlag, false, "two nodes may claim the VIP at the same time, and you answer for it")
	cmd.Flags().StringVar(&d, "for", "", "for how long at the latest, 1s to 24h (needed)")
	return cmd
}

func writeMoved(w io.Writer, m api.Moved) {
	from := orDash(string(m.From))
	if m.From == "" {
		from = "nobody"
	}
	names := join(m.VIPs)
	switch {
	case m.Index == 0 && m.From == m.To:
		fmt.Fprintf(w, "%s is on %s already.\n", names, m.To)
	case m.Done:
		fmt.Fprintf(w, "%s moved from %s to %s in %s.\n", names, from, m.To, took(m.Took))
	default:
		fmt.Fprintf(w, "%s is asked to move from %s to %s.\n", names, from, m.To)
	}
	if m.Note != "" && m.Done {
		fmt.Fprintf(w, "Note: %s\n", m.Note)
	}
}
