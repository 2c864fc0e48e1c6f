package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"quorate/api"
	"quorate/api/client"
	"quorate/fsm"
)

func (a *app) statusCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the whole cluster: quorum, nodes, who owns each VIP and why",
		Long: `Show the whole cluster at a glance: whether it has a quorum, each node with its lease and data plane, who owns each VIP
and why, the services, and everything that an operator should look at.

It exits with 0 whatever it shows. With --check it exits with 1 unless there is a quorum and every VIP is held by its owner:
for monitoring and scripts.`,
		Example: `  quorate status
  quorate status --check && echo all well
  quorate status --output json | jq -r '.vips[] | [.name, .owner] | @tsv'`,
		Args: needs(),
		RunE: a.ask(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			st, err := c.Status(cmd.Context())
			if err != nil {
				return err
			}
			if err := a.print(st, func(w io.Writer) { a.writeStatus(w, st) }); err != nil {
				return err
			}
			if check && !st.Healthy {
				return errSaid
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&check, "check", false, "exit with 1 unless there is a quorum and every VIP is held by its owner")
	return cmd
}

func (a *app) writeStatus(w io.Writer, st api.Status) {
	if st.Phase == api.PhaseWaiting {
		fmt.Fprintf(w, "Node %s runs and waits.\n\n%s\n", st.Node, waitingText)
		a.writeProblems(w, st.Problems[min(1, len(st.Problems)):])
		return
	}
	quorum := cell{"quorum ok", good}
	if !st.Quorum.OK {
		quorum = cell{"NO QUORUM", bad}
	}
	fmt.Fprintf(w, "Cluster %s: %s (%d of %d voters answer, %d needed), leader %s\n", orDash(st.ClusterID), a.paint(quorum.tone, quorum.text),
		st.Quorum.Answer, st.Quorum.Voters, st.Quorum.Needed, orDash(string(st.Leader)))
	if st.Quorum.Redundancy != "" {
		fmt.Fprintf(w, "Redundancy: %s\n", st.Quorum.Redundancy)
	}
	if st.Version == 0 {
		fmt.Fprintf(w, "Configuration: none yet; write one and run: quorate apply FILE\n")
	} else {
		fmt.Fprintf(w, "Configuration: version %d, profile %s\n", st.Version, st.Settings.Profile)
	}
	fmt.Fprintln(w)
	t := a.table("NODE", "STATE", "LEASE", "FENCE", "DATA PLANE", "VIPS", "ADDRESS")
	for _, n := range st.Nodes {
		name := string(n.ID)
		if n.ID == st.Leader {
			name += " (leader)"
		}
		if !n.Reached {
			t.row(name, nodeState(n), "", "", "", len(n.VIPs), n.Addr)
			continue
		}
		if n.Role == fsm.Witness {
			t.row(name, nodeState(n), "", "", "witness", len(n.VIPs), n.Addr)
			continue
		}
		lease := cell{"held", good}
		if !n.Lease.Held {
			lease = cell{"none", bad}
		}
		t.row(name, nodeState(n), lease, n.Fence.Kind, n.DataPlane.Name, len(n.VIPs), n.Addr)
	}
	t.write(w, "")
	a.writeSync(w, st.Nodes)
	if len(st.VIPs) > 0 {
		fmt.Fprintln(w)
		a.vipTable(st.VIPs).write(w, "")
	}
	if len(st.Routers) > 0 {
		fmt.Fprintln(w)
		a.speechTable(st.Routers).write(w, "")
	}
	if len(st.Services) > 0 {
		fmt.Fprintln(w)
		a.serviceTable(st.Services).write(w, "")
	}
	a.writeProblems(w, st.Problems)
}

// namedPeers is how many directors of which all is well are named.
const namedPeers = 4

// writeSync shows who has whose connections, and what the kernels should be told.
func (a *app) writeSync(w io.Writer, nodes []api.NodeSummary) {
	t := a.table("CONNECTIONS OF", "ON", "STATE", "LAG", "RECEIVED", "LOST")
	rows := 0
	var notes, shared []string
	of := map[string][]string{} // whose a note is: many are the same everywhere
	for _, n := range nodes {
		for _, x := range n.Sysctls {
			notes = append(notes, fmt.Sprintf("%s has set %s = %s (was %s)", n.ID, x.Name, x.Value, x.Was))
		}
		if n.Sync == nil {
			continue
		}
		for _, note := range n.Sync.Notes {
			if of[note] == nil {
				shared = append(shared, note)
			}
			of[note] = append(of[note], string(n.ID))
		}
		var here api.SyncPeer // those of which all is well, together
		var names []string
		for _, p := range n.Sync.Peers {
			if p.Reached && p.Synced {
				names = append(names, string(p.Node))
				here.LagMS, here.Connections, here.Lost = max(here.LagMS, p.LagMS), here.Connections+p.Connections, here.Lost+p.Lost
				continue
			}
			state := cell{"not heard", warn}
			if p.Reached {
				state = cell{"coming", warn}
			}
			rows++
			t.row(p.Node, n.ID, state, fmt.Sprintf("%d ms", p.LagMS), p.Connections, p.Lost)
		}
		if len(names) > 0 {
			of := strings.Join(names, ", ")
			if len(names) > namedPeers {
				of = fmt.Sprintf("%d others", len(names))
			}
			rows++
			t.row(of, n.ID, cell{"here", good}, fmt.Sprintf("%d ms", here.LagMS), here.Connections, here.Lost)
		}
	}
	if rows > 0 {
		fmt.Fprintln(w)
		t.write(w, "")
	}
	for _, note := range shared {
		notes = append(notes, strings.Join(of[note], ", ")+": "+note)
	}
	for _, note := range notes {
		fmt.Fprintf(w, "  note: %s\n", oneLine(note))
	}
}

func nodeState(n api.NodeSummary) cell {
	switch {
	case !n.Reached:
		return cell{"no answer", bad}
	case n.Leaving:
		return cell{"leaving", warn}
	case n.Draining:
		return cell{"drained", warn}
	case n.Phase == api.PhaseReady:
		return cell{"ready", good}
	default:
		return cell{string(n.Phase), warn}
	}
}

func (a *app) writeProblems(w io.Writer, problems []string) {
	if len(problems) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", a.paint(bad, "To look at:"))
	for _, p := range problems {
		fmt.Fprintf(w, "  - %s\n", oneLine(p))
	}
}
