package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) notifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Show and test who is told what happens",
		Long: `Show the notifiers that are configured (notify blocks), what waits for them and why, and send a test.

What cannot be told is tried again for as long as retry_for says, in order; quorate status names notifiers that fail.`,
		Example: `  quorate notify list
  quorate notify show ops
  quorate notify test ops`,
	}
	cmd.AddCommand(a.notifyList(), a.notifyShow(), a.notifyTest())
	return cmd
}

func (a *app) notifyList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the notifiers",
		Long:    `List the notifiers: how and where they tell, what waits for them, and what was told, or was not.`,
		Example: `  quorate notify list
  quorate notify list --output json | jq '.notifiers[] | select(.problem)'`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			ns, err := c.Notifiers(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(ns, func(w io.Writer) {
				if len(ns.Notifiers) == 0 {
					fmt.Fprintln(w, "Nobody is told anything: there are no notify blocks in the configuration.")
					return
				}
				t := a.table("NAME", "BY", "CHANNEL", "TO", "STATE", "WAITING", "TOLD", "NOT TOLD")
				for _, n := range ns.Notifiers {
					t.row(n.Name, string(n.By), n.Channel, n.To, notifierState(n), n.Waiting, n.Told, n.Suppressed+n.GivenUp+n.Lost+failedOn(n))
				}
				t.write(w, "")
			})
		}),
	}
}

// failedOn is how many states nodes could not tell.
func failedOn(n api.NotifierStatus) (sum uint64) {
	for _, x := range n.Nodes {
		sum += x.Failed + x.Dropped
	}
	return sum
}

func notifierState(n api.NotifierStatus) cell {
	switch {
	case n.Problem != "" && n.Attempts == 0 && !n.LosingSince.IsZero():
		return cell{"loses events", bad}
	case n.Problem != "":
		return cell{"fails", bad}
	}
	return cell{"ok", good}
}

func (a *app) notifyShow() *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Show one notifier",
		Long:              `Show one notifier: what it is told, how, what waits for it, and the last error.`,
		Example:           `  quorate notify show ops`,
		Args:              needs("the NAME of a notifier"),
		ValidArgsFunction: a.completeNotifiers,
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
			n, err := c.Notifier(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.print(n, func(w io.Writer) { a.writeNotifier(w, n) })
		}),
	}
}

func (a *app) writeNotifier(w io.Writer, n api.NotifierStatus) {
	state := notifierState(n)
	fmt.Fprintf(w, "Notifier %s: %s to %s, by the %s: %s\n", n.Name, n.Channel, oneLine(n.To), n.By, a.paint(state.tone, state.text))
	var about []string
	for _, x := range []struct {
		what string
		list []string
	}{{"events", words(n.Config.Events)}, {"vips", n.Config.VIPs}, {"services", n.Config.Services}, {"nodes", words(n.Config.Nodes)}} {
		if len(x.list) > 0 {
			about = append(about, x.what+" "+strings.Join(x.list, ", "))
		}
	}
	if len(about) == 0 {
		about = []string{"everything"}
	}
	fmt.Fprintf(w, "Tells: %s\n", strings.Join(about, "; "))
	if n.By == fsm.ByLeader {
		fmt.Fprintf(w, "Told: %d%s\n", n.Told, when(", the last one at ", n.LastTold))
		fmt.Fprintf(w, "Not told: %d beyond its limit, %d given up, %d lost%s\n", n.Suppressed, n.GivenUp, n.Lost, when(", as too many wait since ", n.LosingSince))
		fmt.Fprintf(w, "Waiting: %d%s\n", n.Waiting, when(", since ", n.WaitingSince))
		if n.Attempts > 0 {
			fmt.Fprintf(w, "Failed: %d times%s: %s\n", n.Attempts, when(" since ", n.FailingSince), oneLine(n.Error))
		}
		return
	}
	t := a.table("NODE", "WAITING", "TOLD", "FAILED", "DROPPED", "LAST", "ERROR")
	for _, x := range n.Nodes {
		t.row(string(x.Node), x.Waiting, x.Told, x.Failed, x.Dropped, when("", x.At), oneLine(x.Error))
	}
	t.write(w, "")
}

func words[T ~string](list []T) (out []string) {
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}

// when is a time for a person, behind some words; nothing when it is not set.
func when(before string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return before + t.Local().Format(time.DateTime)
}

func (a *app) notifyTest() *cobra.Command {
	var node string
	cmd := &cobra.Command{
		Use:   "test NAME",
		Short: "Send a test by a notifier",
		Long: `Send a test by a notifier, once and marked as a test, and say what the other side says to it. A webhook gets "test": true, a mail
says so, a script has QUORATE_TEST=1 in its environment and, by the nodes, the arguments INSTANCE quorate-test STOP 100, which is
also what a pipe gets.

The leader sends it; what the nodes carry out is tested on the node that is asked. Any node may lead one day: --node tests from
there whether it has the files and reaches the other side. It exits with 1 when the test fails.`,
		Example: `  quorate notify test ops
  quorate notify test ops --node n2`,
		Args:              needs("the NAME of a notifier"),
		ValidArgsFunction: a.completeNotifiers,
	}
	cmd.RunE = a.ask(func(cmd *cobra.Command, c *client.Client, args []string) error {
		r, err := c.TestNotifier(cmd.Context(), args[0], fsm.NodeID(node))
		if err != nil {
			return err
		}
		err = a.print(r, func(w io.Writer) {
			outcome := a.paint(good, "told")
			if !r.OK {
				outcome = a.paint(bad, "FAILED")
			}
			fmt.Fprintf(w, "%s from %s, %d ms: %s: %s\n", r.Notifier, r.Node, r.TookMS, outcome, oneLine(r.Said))
		})
		if err == nil && !r.OK {
			return errSaid
		}
		return err
	})
	cmd.Flags().StringVar(&node, "node", "", "the node that sends it (default: the leader, or the node that is asked)")
	return cmd
}
