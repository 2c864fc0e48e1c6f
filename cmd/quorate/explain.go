package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say why something is as it is",
		Long:  `Say why something is as it is, and what would change it.`,
		Example: `  quorate explain vip web
  quorate explain vip web --output json`,
	}
	cmd.AddCommand(a.explainVIP())
	return cmd
}

func (a *app) explainVIP() *cobra.Command {
	return &cobra.Command{
		Use:   "vip VIP",
		Short: "Why a VIP is where it is, what would move it, and where it would go if its owner died",
		Long: `Say, of a VIP by name or by address, why it is where it is and since when; what would move it, or why preference and
balance do not; what holds it for now: the hold-down of a node that came back or of the VIP itself, or the budget of
moves; where it would go if its owner died now; and what each node is to it.

It is what the leader's planner would decide now. Nothing is changed.`,
		Example: `  quorate explain vip web
  quorate explain vip 192.0.2.10`,
		Args:              needs("the name of a VIP"),
		ValidArgsFunction: a.completeVIPs,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			x, err := c.ExplainVIP(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(x, func(w io.Writer) { a.writeExplanation(w, x) })
		}),
	}
}

func (a *app) writeExplanation(w io.Writer, x api.Explanation) {
	fmt.Fprintf(w, "VIP         %s (%v)\n", x.VIP, x.Key)
	if x.Group != "" {
		fmt.Fprintf(w, "Group       %s\n", x.Group)
	}
	if x.Router != "" {
		fmt.Fprintf(w, "Router      %s\n", x.Router)
	}
	if x.Foreign != nil {
		fmt.Fprintf(w, "Foreign     %s\n", a.paint(warn, foreignText(*x.Foreign, x.ForeignBy)))
	}
	owner := orDash(string(x.Owner))
	if !x.Since.IsZero() {
		owner += ", since " + moment(x.Since)
	}
	fmt.Fprintf(w, "Owner       %s\n", owner)
	if x.Shadow != "" {
		fmt.Fprintf(w, "Shadow      %s\n", oneLine(x.Shadow))
	}
	why := "it has never been placed"
	if x.Reason.Code != "" {
		why = reasonText(x.Reason)
	}
	fmt.Fprintf(w, "Why         %s\n", oneLine(why))
	writeLines(w, "Would move  ", x.Movers)
	writeHolds(w, "Held        ", x.Holds)
	if x.Owner != "" {
		fmt.Fprintf(w, "%-12s%s\n", "If it died", oneLine(orDash(string(x.Heir))+": "+x.HeirReason))
	}
	fmt.Fprintf(w, "Budget      %d of %d moves for preference or balance in the last minute\n\n", x.Budget.Used, x.Budget.Max)
	t := a.table("NODE", "CAN HAVE IT", "PREFERRED", "WEIGHT", "VIPS", "HELD DOWN UNTIL", "FENCES")
	for _, n := range x.Nodes {
		t.row(nodeOf(n, x.Owner), can(n), ordinal(n.Rank), n.Weight, n.VIPs, held(n.HoldDown), ordinal(n.Fences))
	}
	t.write(w, "")
	a.writeCheckStandings(w, x.Nodes)
}

// writeCheckStandings shows what the checks of nodes say of each as an owner.
func (a *app) writeCheckStandings(w io.Writer, nodes []fsm.Standing) {
	t := a.table("CHECK", "NODE", "VERDICT", "WHILE IT IS DOWN", "WHY")
	rows := 0
	for _, n := range nodes {
		for _, c := range n.Checks {
			costs := fmt.Sprintf("loses %d", -c.Weight)
			if c.Required {
				costs = "may not own it"
			}
			t.row(c.Check, n.Node, verdictCell(c.Verdict), costs, c.Detail)
			rows++
		}
	}
	if rows > 0 {
		fmt.Fprintln(w)
		t.write(w, "")
	}
}

func nodeOf(n fsm.Standing, owner fsm.NodeID) cell {
	if n.Node == owner {
		return cell{string(n.Node) + " (owner)", plain}
	}
	return cell{string(n.Node), plain}
}

func can(n fsm.Standing) cell {
	if n.Able {
		return cell{"yes", good}
	}
	return cell{"no: " + n.WhyNot, warn}
}

// ordinal is a number from 1; "" is shown as a dash.
func ordinal(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func held(until time.Time) string {
	if until.IsZero() {
		return ""
	}
	return moment(until)
}

func writeHolds(w io.Writer, head string, holds []fsm.Hold) {
	var lines []string
	for _, h := range holds {
		text := h.Text
		if !h.Until.IsZero() {
			text = "until " + moment(h.Until) + ": " + text
		}
		lines = append(lines, text)
	}
	writeLines(w, head, lines)
}

// writeLines writes one line for each, the first after the heading and the others below it.
func writeLines(w io.Writer, head string, lines []string) {
	for _, l := range lines {
		fmt.Fprintf(w, "%s%s\n", head, oneLine(l))
		head = strings.Repeat(" ", len(head))
	}
}

// moment is a time on this machine's clock.
func moment(t time.Time) string { return t.Local().Format(time.DateTime) }
