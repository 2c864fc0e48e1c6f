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

func (a *app) nodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "List, look at, drain, resume and remove nodes",
		Long: `List the nodes, look at what this one carries, move everything away from one for maintenance and put it back,
and take out one that is lost.`,
		Example: `  quorate node list
  quorate node show
  quorate node drain n1 --wait 60s
  quorate node resume n1
  quorate node remove n1`,
	}
	cmd.AddCommand(a.nodeList(), a.nodeShow(), a.nodeDrain(), a.nodeResume(), a.nodeRemove())
	return cmd
}

func (a *app) nodeList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the nodes of the cluster (as members does)",
		Long:    `List the nodes of the cluster. The same as ` + "`quorate members`" + `.`,
		Example: `  quorate node list`,
		Args:    needs(),
		RunE:    a.members(),
	}
}

func (a *app) nodeShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show what this node should carry and what its kernel has",
		Long: `Show the node of the agent that answers: its lease, its fence, and each cluster address and service, wanted and actual.

It works before there is a cluster, too, and then says what the node lacks.`,
		Example: `  quorate node show
  quorate node show --socket http://127.0.0.1:7302`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			n, err := c.Node(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(n, func(w io.Writer) { a.writeNode(w, n) })
		}),
	}
}

func (a *app) writeNode(w io.Writer, n api.NodeStatus) {
	fmt.Fprintf(w, "Node        %s (%s), %s\n", n.Node, orDash(n.Addr), n.Phase)
	fmt.Fprintf(w, "Version     %s\n", orDash(n.Version))
	fmt.Fprintf(w, "Cluster     %s\n", orDash(n.ClusterID))
	fmt.Fprintf(w, "Leader      %s\n", orDash(string(n.Leader)))
	fmt.Fprintf(w, "Applied     entry %d, node epoch %d\n", n.Applied, n.Epoch)
	fmt.Fprintf(w, "Lease       %s\n", leaseText(n.Lease))
	fence := orDash(n.Fence.Kind)
	if n.Fence.Detail != "" {
		fence += ": " + n.Fence.Detail
	}
	fmt.Fprintf(w, "Fence       %s\n", fence)
	if n.Fence.Missing != "" {
		fmt.Fprintf(w, "            not stronger: %s\n", n.Fence.Missing)
	}
	plane := orDash(n.DataPlane.Name)
	if n.DataPlane.Detail != "" {
		plane += ": " + n.DataPlane.Detail
	}
	fmt.Fprintf(w, "Data plane  %s\n", plane)
	for i, x := range n.Sysctls {
		fmt.Fprintf(w, "%-11s %s = %s (was %s)\n", []string{"Set", ""}[min(i, 1)], x.Name, x.Value, x.Was)
	}
	a.writeNodeChecks(w, n.Checks)
	if len(n.Addresses) > 0 {
		fmt.Fprintln(w)
		t := a.table("ADDRESS", "VIP", "LINK", "WANTED", "PRESENT", "NOTE")
		for _, x := range n.Addresses {
			tn := good
			if x.Wanted != x.Present {
				tn = warn
			}
			t.row(x.Prefix, x.VIP, x.Link, yesNo(x.Wanted), cell{yesNo(x.Present), tn}, first(x.Problem, x.Reason))
		}
		t.write(w, "")
	}
	if len(n.Services) > 0 {
		fmt.Fprintln(w)
		t := a.table("SERVICE", "VIP", "WANTED", "PRESENT", "SERVERS", "NOTE")
		for _, x := range n.Services {
			tn := good
			if x.Wanted != x.Present {
				tn = warn
			}
			t.row(x.Service, x.VIP, yesNo(x.Wanted), cell{yesNo(x.Present), tn}, x.Servers, x.Problem)
		}
		t.write(w, "")
	}
	var problems []string
	if n.DataPlane.Problem != "" {
		problems = append(problems, "data plane: "+n.DataPlane.Problem)
	}
	a.writeProblems(w, append(problems, n.Problems...))
	if n.Phase == api.PhaseWaiting {
		fmt.Fprintf(w, "\n%s\n", waitingText)
	}
}

// waitingText is what to do with an agent that is in no cluster.
const waitingText = `The agent is in no cluster yet:
  quorate bootstrap                on the first node of a new cluster
  quorate join ADDRESS --token T   on every other node`

func leaseText(l api.Lease) string {
	if !l.Held {
		if l.Reason == "" {
			return "not held"
		}
		return "not held: " + l.Reason
	}
	return fmt.Sprintf("held under epoch %d, lasts %d ms", l.Epoch, l.RemainingMS)
}

func (a *app) nodeDrain() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Move all VIPs away from a node and give it none",
		Long: `Move all VIPs away from a node, by planned moves, and give it none until it is resumed. It stays a member and goes on voting.

By default the command waits until the node owns nothing, and fails when that has not come about in time.`,
		Example: `  quorate node drain n1
  quorate node drain n1 --wait 0     # ask for it and return at once`,
		Args:              needs("the name of a NODE"),
		ValidArgsFunction: a.completeNodes,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			if err := checkWait(cmd, wait); err != nil {
				return err
			}
			d, err := c.DrainNode(cmd.Context(), fsm.NodeID(args[0]), wait)
			if err != nil {
				return err
			}
			err = a.print(d, func(w io.Writer) {
				switch {
				case d.Done:
					fmt.Fprintf(w, "%s is drained and owns no VIP (%s).\n", d.Node, took(d.Took))
				default:
					fmt.Fprintf(w, "%s is draining; it still owns %s.\n", d.Node, join(d.Owns))
				}
				fmt.Fprintf(w, "Put it back with: quorate node resume %s\n", d.Node)
			})
			if err == nil && wait > 0 && !d.Done {
				return fmt.Errorf("not drained within %s: %s", wait, d.Note)
			}
			return err
		}),
	}
	waitFlag(cmd, &wait, time.Minute)
	return cmd
}

func (a *app) nodeResume() *cobra.Command {
	return &cobra.Command{
		Use:   "resume NODE",
		Short: "End a drain",
		Long: `Let a drained node own VIPs again. VIPs do not come back by themselves, unless they prefer the node and have preempt on:
every move has its cost. ` + "`quorate vip move`" + ` moves one.`,
		Example:           `  quorate node resume n1`,
		Args:              needs("the name of a NODE"),
		ValidArgsFunction: a.completeNodes,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			d, err := c.ResumeNode(cmd.Context(), fsm.NodeID(args[0]))
			if err != nil {
				return err
			}
			return a.print(d, func(w io.Writer) { fmt.Fprintf(w, "%s may own VIPs again.\n", d.Node) })
		}),
	}
}

func (a *app) nodeRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NODE",
		Short: "Take a node out of the cluster, whether it answers or not",
		Long: `Take a node out of the cluster for good: a machine that is lost, or one whose data directory is. What it owns goes to
others first, and it stops counting for the majority. A node that still runs had better be taken out by ` + "`quorate leave`" + ` on it.

It can join again, under the same name, with an empty data directory.`,
		Example:           `  quorate node remove n3`,
		Args:              needs("the name of a NODE"),
		ValidArgsFunction: a.completeNodes,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			j, err := c.RemoveNode(cmd.Context(), fsm.NodeID(args[0]))
			if err != nil {
				return err
			}
			return a.print(j, func(w io.Writer) {
				fmt.Fprintf(w, "%s is no member of cluster %s any more.\n", j.Node, j.ClusterID)
				writeRedundancy(w, j.Redundancy)
			})
		}),
	}
}

func waitFlag(cmd *cobra.Command, to *time.Duration, byDefault time.Duration) {
	cmd.Flags().DurationVar(to, "wait", byDefault, "how long to wait until it is done; 0 = do not wait")
}

func checkWait(cmd *cobra.Command, d time.Duration) error {
	if _, err := api.ParseWait(d.String()); err != nil {
		return &usageError{cmd, fmt.Errorf("--wait %s: want 0s to %s", d, api.MaxWait)}
	}
	return nil
}

func took(ms int64) string { return (time.Duration(ms) * time.Millisecond).String() }

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(s string) string { return first(s, "-") }

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
